//! ApplyTriggers: each trigger of a stream is answered as ApplyTrigger would answer it, under the caller's own number.

use crate::support::checker::check;
use crate::support::errors::{Failed, failed};
use crate::support::raw::RawClient;
use crate::support::requests::{
    checklist_completed, created, lead, message_sent, not_interested, overridden, replied, trigger,
};
use crate::support::server::{Client, Server, endpoint, server_with};
use crate::support::wait::{eventually, within};
use lead_pipeline::proto::apply_triggers_response::Result as Applied;
use lead_pipeline::proto::lead_pipeline_client::LeadPipelineClient;
use lead_pipeline::proto::trigger::Kind;
use lead_pipeline::proto::{
    ApplyTriggerRequest, ApplyTriggerResponse, ApplyTriggersRequest, ApplyTriggersResponse, GetLeadRequest, Outcome,
    Stage, WentQuiet,
};
use prost::Message;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Code, Request, Status, Streaming};

/// A stream that is open.
struct Open {
    send: mpsc::UnboundedSender<ApplyTriggersRequest>,
    answers: Streaming<ApplyTriggersResponse>,
}

/// Opens a stream; `deadline` is its caller's own.
async fn open_for(client: &mut Client, deadline: Option<Duration>) -> Open {
    let (send, requests) = mpsc::unbounded_channel();
    let mut request = Request::new(UnboundedReceiverStream::new(requests));
    if let Some(deadline) = deadline {
        request.set_timeout(deadline);
    }
    let answers = within("the stream", client.apply_triggers(request)).await.expect("a stream").into_inner();
    Open { send, answers }
}

async fn open(client: &mut Client) -> Open {
    open_for(client, None).await
}

impl Open {
    fn send(&self, sequence: i64, command: ApplyTriggerRequest) {
        self.send.send(ApplyTriggersRequest { sequence, command: Some(command) }).expect("it is open");
    }

    /// The next answer; `None` at the end.
    async fn next(&mut self) -> Option<(i64, Result<ApplyTriggerResponse, Status>)> {
        let answer = within("an answer", self.answers.message()).await.expect("the stream goes on")?;
        let result = match answer.result.expect("every result is set") {
            Applied::Response(response) => Ok(response),
            Applied::Error(error) => {
                let details = prost::Message::encode_to_vec(&error);
                Err(Status::with_details(Code::from_i32(error.code), error.message, details.into()))
            }
        };
        Some((answer.sequence, result))
    }

    /// Closes the caller's side, and returns the answers by their numbers.
    async fn finish(mut self) -> BTreeMap<i64, Result<ApplyTriggerResponse, Status>> {
        let mut answers = BTreeMap::new();
        self.send = mpsc::unbounded_channel().0;
        while let Some((sequence, result)) = self.next().await {
            assert!(answers.insert(sequence, result).is_none(), "{sequence} is answered once");
        }
        answers
    }

    /// How the stream ends, when it ends with an error; what was answered before.
    async fn end(&mut self) -> (usize, Failed) {
        for count in 0.. {
            match within("an answer, or the end", self.answers.message()).await {
                Ok(Some(_)) => (),
                Ok(None) => panic!("it ended with OK"),
                Err(status) => return (count, failed(Err::<(), _>(status))),
            }
        }
        unreachable!("a stream ends")
    }
}

/// Waits until nothing is written any more, though something was; returns how many entries there are.
async fn until_still(server: &Server) -> i64 {
    let mut database = server.database().await;
    let start = database.number("select count(*) from leads").await;
    let mut before = -1;
    eventually("the server to stand still", async || {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let written = database.number("select count(*) from entries").await;
        (std::mem::replace(&mut before, written) == written && written > start).then_some(written)
    })
    .await
}

fn quiet() -> Kind {
    Kind::WentQuiet(WentQuiet {})
}

async fn with_leads(flags: &[&str], count: usize) -> (Server, Client) {
    let server = server_with(flags).await;
    let mut client = server.client();
    for number in 0..count {
        created(&mut client, &format!("lead-{number}")).await;
    }
    (server, client)
}

#[tokio::test]
async fn each_trigger_has_its_own_answer() {
    let (server, mut client) = with_leads(&[], 3).await;
    let open = open(&mut client).await;
    let first = trigger("lead-0", message_sent());
    open.send(7, first.clone());
    open.send(-1, trigger("lead-1", quiet()));
    open.send(i64::MAX, trigger("nobody", message_sent()));
    open.send(0, ApplyTriggerRequest { reason: "x".repeat(501), ..trigger("no id", message_sent()) });
    open.send.send(ApplyTriggersRequest { sequence: 3, command: None }).expect("it is open");
    let reused = ApplyTriggerRequest { reason: "other".into(), ..first.clone() };
    open.send(8, first.clone());
    open.send(9, reused);
    open.send(10, ApplyTriggerRequest { expected_version: Some(9), ..trigger("lead-2", message_sent()) });
    open.send(11, ApplyTriggerRequest { validate_only: true, ..trigger("lead-2", message_sent()) });
    let mut answers = open.finish().await;
    let mut of = |sequence: i64| answers.remove(&sequence).unwrap_or_else(|| panic!("{sequence} is answered"));

    let moved = of(7).expect("accepted");
    assert_eq!((moved.outcome(), moved.replayed, &moved.request_id), (Outcome::Moved, false, &first.request_id));
    assert_eq!(moved.lead.as_ref().map(|lead| (lead.stage(), lead.version)), Some((Stage::Contacted, 2)));
    let again = of(8).expect("a replay");
    assert_eq!((again.outcome(), again.replayed, again.changes), (Outcome::Moved, true, moved.changes));
    failed(of(9)).is(Code::AlreadyExists, "REQUEST_ID_REUSED");
    let accepted = of(-1).expect("a new lead may go quiet");
    assert_eq!(accepted.changes[0].to_stage(), Stage::Nurture);
    failed(of(i64::MAX)).is(Code::NotFound, "LEAD_NOT_FOUND").says("lead_id", "nobody");
    failed(of(0)).names(&["lead_id", "reason"]);
    failed(of(3)).names(&["command"]);
    failed(of(10)).is(Code::Aborted, "VERSION_MISMATCH").says("current_version", "1");
    assert_eq!(of(11).expect("it would be").changes[0].position, 0, "nothing is written");
    assert!(answers.is_empty(), "{answers:?}");
    assert_eq!(check(server.database_url()).await.entries, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn triggers_on_one_lead_take_effect_in_their_order() {
    // Small batches and a small queue: the stream has to wait for room again and again.
    let flags = ["--write-batch=7", "--write-queue=16", "--stream-window=64", "--partitions=2"];
    let (server, mut client) = with_leads(&flags, 3).await;
    let open = open(&mut client).await;
    // To and fro, and each third one is refused; in another order it would be accepted.
    let kinds = || [(replied(), true), (quiet(), true), (checklist_completed(), false)];
    for lead in 0..3 {
        open.send(lead, trigger(&format!("lead-{lead}"), message_sent()));
    }
    for number in 1..=200 {
        for lead in 0..3 {
            for (step, (kind, _)) in kinds().into_iter().enumerate() {
                open.send(number * 100 + lead * 10 + step as i64, trigger(&format!("lead-{lead}"), kind));
            }
        }
    }
    let answers = open.finish().await;
    assert_eq!(answers.len(), 3 + 200 * 9);
    let versions = |lead: i64| {
        let of_lead = answers.iter().filter(move |(sequence, _)| (**sequence / 10) % 10 == lead);
        of_lead.filter_map(|(sequence, answer)| Some((*sequence, answer.as_ref().ok()?.changes[0].version)))
    };
    for lead in 0..3 {
        let versions: Vec<i32> = versions(lead).filter(|(sequence, _)| *sequence >= 100).map(|(_, v)| v).collect();
        assert_eq!(versions, (3..403).collect::<Vec<_>>(), "in the order they were sent");
    }
    for (sequence, answer) in answers {
        let accepted = sequence < 100 || kinds()[(sequence % 10) as usize].1;
        assert_eq!(answer.is_ok(), accepted, "{sequence}: {answer:?}");
    }
    check(server.database_url()).await;
}

#[tokio::test]
async fn a_caller_that_reads_no_answers_is_read_no_further() {
    const WINDOW: usize = 32;
    let server = server_with(&["--stream-window=32"]).await;
    created(&mut server.client(), "lead-1").await;
    // So small that a few answers fill it.
    let channel = endpoint(server.address().parse().expect("an address")).initial_stream_window_size(16 * 1024);
    let mut client = LeadPipelineClient::new(channel.connect_lazy());
    let mut open = open(&mut client).await;
    let send = |sequence: i64| {
        let command = ApplyTriggerRequest { reason: "🎉".repeat(500), ..trigger("lead-1", message_sent()) };
        open.send.send(ApplyTriggersRequest { sequence, command: Some(command) }).expect("it is open");
    };
    (0..1_000).for_each(send);
    // What the windows and buffers of the connection hold, and no more: long before all are written it stands still.
    let before = until_still(&server).await;
    assert!((WINDOW as i64..700).contains(&before), "{before} of 1,000 were written");
    // It goes on where it stood.
    for _ in 0..1_000 {
        open.next().await.expect("an answer").1.expect("accepted");
    }
    assert_eq!(open.finish().await.len(), 0);
    assert_eq!(lead(&mut client, "lead-1").await.version, 1_001);
}

#[tokio::test]
async fn small_triggers_that_wait_unread_end_no_connection() {
    let (server, _) = with_leads(&["--stream-window=8", "--partitions=1"], 1).await;
    let raw = RawClient::connect(server.address().parse().expect("an address")).await;
    let command = ApplyTriggerRequest { request_id: String::new(), ..trigger("lead-0", message_sent()) };
    let small = ApplyTriggersRequest { sequence: 1, command: Some(command) }.encode_to_vec();
    let mut database = server.database().await;
    database.lock_partition_of("lead-0").await;
    // Of several streams, each with as many frames as its window has room for.
    let mut waiting = Vec::new();
    for _ in 0..10 {
        waiting.push(within("the window to fill", raw.pour("ApplyTriggers", &small)).await);
    }
    let get = GetLeadRequest { lead_id: "lead-0".into() }.encode_to_vec();
    assert_eq!(raw.call("GetLead", &get).await.code(), Code::Ok, "the connection lives");
    database.unlock().await;
    let mut client = server.client();
    let read_on = async || (lead(&mut client, "lead-0").await.version > 80).then_some(());
    eventually("the streams to be read on", read_on).await;
}

#[tokio::test]
async fn streams_whose_answers_are_not_read_hold_up_no_other_caller() {
    let (server, mut client) = with_leads(&["--write-queue=4", "--write-batch=2", "--partitions=1"], 2).await;
    let mut stalled = Vec::new();
    for _ in 0..8 {
        let channel = endpoint(server.address().parse().expect("an address")).initial_stream_window_size(16 * 1024);
        let open = open(&mut LeadPipelineClient::new(channel.connect_lazy())).await;
        for sequence in 0..2_000 {
            open.send(sequence, ApplyTriggerRequest { reason: "🎉".repeat(500), ..trigger("lead-0", message_sent()) });
        }
        stalled.push(open);
    }
    until_still(&server).await;
    for _ in 0..10 {
        client.apply_trigger(trigger("lead-1", message_sent())).await.expect("there is room for calls");
    }
    let other = open(&mut server.client()).await;
    other.send(1, trigger("lead-1", message_sent()));
    other.finish().await.remove(&1).expect("an answer").expect("there is room for streams that are read");
}

#[tokio::test]
async fn a_caller_that_sends_nothing_keeps_its_stream() {
    let (_server, mut client) = with_leads(&[], 1).await;
    let mut open = open(&mut client).await;
    for sequence in 0..3 {
        open.send(sequence, trigger("lead-0", message_sent()));
        assert_eq!(open.next().await.expect("an answer").0, sequence);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(open.finish().await.len(), 0, "it ends with OK");
}

#[tokio::test]
async fn what_is_under_way_is_answered_when_the_server_stops() {
    let (server, mut client) = with_leads(&["--partitions=1"], 1).await;
    let mut open = open(&mut client).await;
    let mut database = server.database().await;
    database.lock_partition_of("lead-0").await;
    open.send(1, trigger("lead-0", message_sent()));
    let mut looking = server.database().await;
    eventually("the write to wait", async || (looking.waiting().await == 1).then_some(())).await;
    open.send(2, trigger("lead-0", message_sent()));
    // Refused at the door: its answer shows that the one before it was read.
    open.send(3, trigger("no id", message_sent()));
    assert_eq!(open.next().await.expect("an answer").0, 3);
    let stopping = tokio::spawn(server.stop());
    let (sequence, answer) = open.next().await.expect("an answer");
    assert_eq!(sequence, 2, "what wasn't sent to the database is refused at once");
    failed(answer).is(Code::Unavailable, "UNAVAILABLE").asks_to_retry(true);
    database.unlock().await;
    let (sequence, answer) = open.next().await.expect("an answer");
    assert_eq!((sequence, answer.expect("it was sent, and is settled").outcome()), (1, Outcome::Moved));
    let (count, end) = open.end().await;
    assert_eq!(count, 0);
    end.is(Code::Unavailable, "UNAVAILABLE").asks_to_retry(true);
    within("the stop", stopping).await.expect("no panic");
}

#[tokio::test]
async fn a_deadline_ends_the_stream_and_what_waits() {
    let (server, mut client) = with_leads(&["--partitions=1"], 1).await;
    let mut database = server.database().await;
    database.lock_partition_of("lead-0").await;
    // The client's own timer would end the stream without a word: here only the server knows of the deadline.
    let (send, requests) = mpsc::unbounded_channel();
    let mut request = Request::new(UnboundedReceiverStream::new(requests));
    request.metadata_mut().insert("grpc-timeout", "500m".parse().expect("a value"));
    let answers = client.apply_triggers(request).await.expect("a stream").into_inner();
    let mut open = Open { send, answers };
    open.send(1, trigger("lead-0", message_sent()));
    let mut looking = server.database().await;
    eventually("the write to wait", async || (looking.waiting().await == 1).then_some(())).await;
    open.send(2, trigger("lead-0", message_sent()));
    let mut reasons = BTreeMap::new();
    for _ in 0..2 {
        let (sequence, answer) = open.next().await.expect("an answer");
        reasons.insert(sequence, failed(answer).status.code());
    }
    // The first one is with the database: whether it will be applied isn't known.
    assert_eq!(reasons, BTreeMap::from([(1, Code::Unavailable), (2, Code::DeadlineExceeded)]));
    let (count, end) = open.end().await;
    assert_eq!(count, 0);
    end.is(Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
    database.unlock().await;
    eventually("the one that was sent", async || (lead(&mut client, "lead-0").await.version == 2).then_some(())).await;
}

#[tokio::test]
async fn a_caller_that_goes_away_takes_what_was_not_begun_with_it() {
    let (server, mut client) = with_leads(&["--partitions=1"], 1).await;
    let mut database = server.database().await;
    database.lock_partition_of("lead-0").await;
    let open = open(&mut client).await;
    open.send(1, trigger("lead-0", message_sent()));
    let mut looking = server.database().await;
    eventually("the write to wait", async || (looking.waiting().await == 1).then_some(())).await;
    for sequence in 2..10 {
        open.send(sequence, trigger("lead-0", not_interested()));
    }
    drop(open);
    // Another caller's turn comes behind theirs.
    let mut other = server.client();
    let overriding = tokio::spawn(async move { overridden(&mut other, "lead-0", Stage::Won).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    database.unlock().await;
    let after = within("the override", overriding).await.expect("no panic");
    assert_eq!((after.version, after.stage()), (3, Stage::Won), "one trigger was with the database, and the override");
}
