//! Follow-ups: when they are due, who holds which, and what completes them.

use super::{DAY, complete, due, lease, leased, moment, nurtured, of, time_of};
use crate::support::checker::check;
use crate::support::errors::failed;
use crate::support::requests::{applied, history, lead, message_sent, new_id, opted_out, overridden, replied, trigger};
use crate::support::server::{replica_of, server, server_with};
use lead_pipeline::proto::{
    CompleteFollowUpRequest, FollowUp, LeaseFollowUpsRequest, LeaseFollowUpsResponse, Outcome, Stage, WentQuiet,
    trigger::Kind,
};
use prost_types::Duration;
use tonic::Code;

fn went_quiet() -> Kind {
    Kind::WentQuiet(WentQuiet {})
}

#[tokio::test]
async fn ten_for_a_minute_unless_the_request_says_otherwise() {
    let server = server().await;
    let (mut client, mut database) = (server.client(), server.database().await);
    for number in 0..12 {
        due(&mut client, "anna", &format!("lead-{number}")).await;
    }
    let before = moment(&mut database).await;
    let first = leased(&mut client, LeaseFollowUpsRequest::default()).await;
    let after = moment(&mut database).await;
    assert_eq!(first.len(), 10);
    for follow_up in &first {
        let ends = time_of(follow_up.lease_expires_at) - 60_000_000;
        assert!((before..=after).contains(&ends), "{follow_up:?}");
        let of = follow_up.lead.as_ref().expect("a lead");
        assert_eq!(of, &lead(&mut client, &of.lead_id).await);
        assert_eq!(
            (follow_up.due_at, follow_up.due_at),
            (of.next_follow_up_at, of.stage_entered_at),
            "since its revival"
        );
    }
    let rest = leased(&mut client, LeaseFollowUpsRequest { max_follow_ups: 1, ..of("anna") }).await;
    assert_eq!(rest.len(), 1);
    let duration = Some(Duration { seconds: 86_400, nanos: 0 });
    let before = moment(&mut database).await;
    let last = leased(&mut client, LeaseFollowUpsRequest { lease_duration: duration, ..of("anna") }).await;
    assert!(last.len() == 1 && time_of(last[0].lease_expires_at) >= before + DAY);
    let mut ids: Vec<&str> =
        [&first, &rest, &last].into_iter().flatten().map(|one| one.follow_up_id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 12, "each to one caller");
    let nothing = lease(&mut client, of("anna")).await;
    let soonest = first.iter().map(|one| time_of(one.lease_expires_at)).min();
    assert_eq!((nothing.follow_ups.len(), nothing.next_due_at.map(|at| time_of(Some(at)))), (0, soonest));
    assert_eq!(lease(&mut client, of("ben")).await.next_due_at, None, "ben has none");
}

#[tokio::test]
async fn a_request_for_too_many_gets_the_most() {
    let server = server_with(&["--lease-follow-ups=3"]).await;
    let mut client = server.client();
    for number in 0..8 {
        due(&mut client, "anna", &format!("lead-{number}")).await;
    }
    for (max_follow_ups, expected) in [(i32::MAX, 3), (0, 3), (2, 2)] {
        let request = LeaseFollowUpsRequest { max_follow_ups, ..Default::default() };
        assert_eq!(leased(&mut client, request).await.len(), expected, "{max_follow_ups}");
    }
}

#[tokio::test]
async fn wrong_fields_are_named() {
    let server = server().await;
    let mut client = server.client();
    let time = |seconds, nanos| Some(Duration { seconds, nanos });
    let wrong = LeaseFollowUpsRequest {
        agent_id: "no agent".into(),
        max_follow_ups: -1,
        lease_duration: time(0, 999_999_999),
        wait: time(0, -1),
    };
    let fields = ["agent_id", "max_follow_ups", "lease_duration", "wait"];
    failed(client.lease_follow_ups(wrong).await).names(&fields);
    for duration in [time(0, 0), time(-1, 0), time(86_400, 1), time(1, -1), time(1, 1_000_000_000), time(i64::MAX, 0)] {
        let wrong = LeaseFollowUpsRequest { lease_duration: duration, ..Default::default() };
        failed(client.lease_follow_ups(wrong).await).names(&["lease_duration"]);
    }
    for wait in [time(-1, 0), time(i64::MIN, 0), time(i64::MAX, 0)] {
        failed(client.lease_follow_ups(LeaseFollowUpsRequest { wait, ..Default::default() }).await).names(&["wait"]);
    }
    failed(client.complete_follow_up(CompleteFollowUpRequest::default()).await).names(&["follow_up_id", "lease_token"]);
    for id in
        ["lead-1", "lead-1/", "lead-1/0", "lead-1/01", "lead-1/+1", "lead-1/-1", "lead-1/2147483648", "/1", "a b/1"]
    {
        let wrong = CompleteFollowUpRequest { follow_up_id: id.into(), lease_token: new_id() };
        failed(client.complete_follow_up(wrong).await).names(&["follow_up_id"]);
    }
}

#[tokio::test]
async fn a_completion_needs_the_token_of_a_lease_that_lasts() {
    let server = server().await;
    let (mut client, mut database) = (server.client(), server.database().await);
    due(&mut client, "anna", "lead-1").await;
    let lost = async |client: &mut _, follow_up: &FollowUp| {
        failed(complete(client, follow_up).await).is(Code::Aborted, "LEASE_LOST");
    };
    let first = leased(&mut client, of("anna")).await.remove(0);
    lost(&mut client, &FollowUp { lease_token: new_id(), ..first.clone() }).await;
    lost(&mut client, &FollowUp { follow_up_id: "lead-1/2".into(), ..first.clone() }).await;
    lost(&mut client, &FollowUp { follow_up_id: "nobody/1".into(), ..first.clone() }).await;
    database.move_time(61).await;
    lost(&mut client, &first).await;
    let second = leased(&mut client, of("anna")).await.remove(0);
    assert_eq!(second.follow_up_id, first.follow_up_id, "it came back");
    assert_ne!(second.lease_token, first.lease_token);
    lost(&mut client, &first).await;
    let upper = FollowUp { lease_token: second.lease_token.to_uppercase(), ..second };
    assert_eq!(complete(&mut client, &upper).await.expect("completed"), None);
    assert_eq!(lead(&mut client, "lead-1").await.next_follow_up_at, None);
    // Again, also long after.
    assert_eq!(complete(&mut client, &upper).await.expect("completed before"), None);
    database.move_time(1_000_000).await;
    assert_eq!(complete(&mut client, &upper).await.expect("completed before"), None);
    assert_eq!(lease(&mut client, of("")).await, LeaseFollowUpsResponse::default(), "nothing is left");
    check(server.database_url()).await;
}

#[tokio::test]
async fn a_change_of_stage_and_the_dead_mark_take_it_away() {
    let server = server().await;
    let mut client = server.client();
    for lead_id in ["moved", "back", "dead", "again"] {
        due(&mut client, "anna", lead_id).await;
    }
    let all = leased(&mut client, of("")).await;
    let held = |lead_id: &str| all.iter().find(|one| one.follow_up_id == format!("{lead_id}/1")).expect("handed out");
    applied(&mut client, "moved", replied()).await;
    overridden(&mut client, "back", Stage::Engaged).await;
    overridden(&mut client, "back", Stage::Contacted).await;
    applied(&mut client, "dead", opted_out()).await;
    overridden(&mut client, "dead", Stage::Contacted).await;
    overridden(&mut client, "again", Stage::Exhausted).await;
    overridden(&mut client, "again", Stage::Contacted).await;
    for lead_id in ["moved", "back", "dead", "again"] {
        let lost = failed(complete(&mut client, held(lead_id)).await).is(Code::Aborted, "LEASE_LOST");
        lost.says("follow_up_id", &format!("{lead_id}/1"));
    }
    // The second revival queued another one, which is somebody else's.
    let left = leased(&mut client, of("")).await;
    assert_eq!(left.iter().map(|one| one.follow_up_id.as_str()).collect::<Vec<_>>(), ["again/2"]);
    failed(complete(&mut client, held("again")).await).is(Code::Aborted, "LEASE_LOST");
    assert_eq!(complete(&mut client, &left[0]).await.expect("its holder"), None);
    check(server.database_url()).await;
}

#[tokio::test]
async fn a_message_finishes_it_and_completing_it_then_does_no_harm() {
    let server = server().await;
    let mut client = server.client();
    due(&mut client, "anna", "lead-1").await;
    let held = leased(&mut client, of("")).await.remove(0);
    let sent = applied(&mut client, "lead-1", message_sent()).await;
    assert_eq!((sent.stage(), sent.next_follow_up_at), (Stage::Contacted, None));
    assert_eq!(complete(&mut client, &held).await.expect("finished"), None);
    assert_eq!(lead(&mut client, "lead-1").await, sent);
    // One that nobody held.
    due(&mut client, "anna", "lead-2").await;
    assert_eq!(applied(&mut client, "lead-2", message_sent()).await.next_follow_up_at, None);
    assert_eq!(lease(&mut client, of("")).await, LeaseFollowUpsResponse::default());
    check(server.database_url()).await;
}

#[tokio::test]
async fn a_lead_in_nurture_is_looked_after_every_fourteen_days() {
    let server = server().await;
    let (mut client, mut database) = (server.client(), server.database().await);
    let entered = nurtured(&mut client, "anna", "lead-1").await;
    let next = |from: i64| Some(from + 14 * DAY);
    assert_eq!(entered.next_follow_up_at.map(|at| time_of(Some(at))), next(time_of(entered.stage_entered_at)));
    database.move_time(10 * 86_400).await;
    let sent = applied(&mut client, "lead-1", message_sent()).await;
    let first = next(time_of(sent.last_outreach_at));
    assert_eq!(sent.next_follow_up_at.map(|at| time_of(Some(at))), first, "put off by the message");
    let looks = "select count(*) from leads where follow_up_look_at < follow_up_at";
    assert_eq!(database.number(looks).await, 1, "the index stays as it is");
    let told = async |client: &mut _| lease(client, of("")).await.next_due_at.map(|at| time_of(Some(at)));
    assert_eq!(told(&mut client).await, first);
    database.move_time(5 * 86_400).await;
    assert_eq!(told(&mut client).await, first, "it was to be looked at meanwhile");
    assert_eq!(database.number(looks).await, 0, "moved when it was looked at");
    database.move_time(10 * 86_400).await;
    for round in 0..4 {
        let held = leased(&mut client, of("")).await.remove(0);
        let before = moment(&mut database).await;
        let done = complete(&mut client, &held).await.expect("completed").expect("another one");
        let after = moment(&mut database).await;
        assert!((before + 14 * DAY..=after + 14 * DAY).contains(&done), "round {round}");
        assert_eq!(time_of(lead(&mut client, "lead-1").await.next_follow_up_at), done);
        assert_eq!(complete(&mut client, &held).await.expect("as before"), Some(done));
        assert_eq!(told(&mut client).await, Some(done));
        database.move_time(15 * 86_400).await;
    }
    let now = lead(&mut client, "lead-1").await;
    assert_eq!((now.version, history(&mut client, "lead-1").await.len()), (3, 3), "no entry of it: {now:?}");
    check(server.database_url()).await;
}

#[tokio::test]
async fn an_unchanged_stage_in_nurture_keeps_the_check_in() {
    let server = server().await;
    let mut client = server.client();
    let entered = nurtured(&mut client, "anna", "lead-1").await;
    let same = applied(&mut client, "lead-1", went_quiet()).await;
    assert_eq!(same.next_follow_up_at, entered.next_follow_up_at);
    assert_eq!(overridden(&mut client, "lead-1", Stage::Nurture).await.next_follow_up_at, entered.next_follow_up_at);
    assert_eq!(applied(&mut client, "lead-1", replied()).await.next_follow_up_at, None, "it left");
}

/// The one that is due next stands behind more than a look takes of those that were put off.
#[tokio::test]
async fn the_next_due_time_is_exact_behind_many_that_were_put_off() {
    let server = server_with(&["--partitions=1"]).await;
    let (mut client, mut database) = (server.client(), server.database().await);
    for number in 0..120 {
        nurtured(&mut client, "anna", &format!("lead-{number}")).await;
    }
    database.move_time(86_400).await;
    let last = nurtured(&mut client, "anna", "last").await;
    database.move_time(86_400).await;
    for number in 0..120 {
        applied(&mut client, &format!("lead-{number}"), message_sent()).await;
    }
    for agent in ["", "anna"] {
        assert_eq!(lease(&mut client, of(agent)).await.next_due_at, last.next_follow_up_at, "{agent}");
    }
    check(server.database_url()).await;
}

#[tokio::test]
async fn answers_know_of_a_completion_through_another_replica() {
    let server = server().await;
    let replica = replica_of(&server).await;
    let (mut here, mut there, mut database) = (server.client(), replica.client(), server.database().await);
    nurtured(&mut here, "anna", "lead-1").await;
    database.move_time(15 * 86_400).await;
    let held = leased(&mut there, of("")).await.remove(0);
    let done = complete(&mut there, &held).await.expect("completed").expect("another one");
    let same = applied(&mut here, "lead-1", went_quiet()).await;
    assert_eq!(time_of(same.next_follow_up_at), done);
    assert_eq!(same, lead(&mut there, "lead-1").await);
    let check_only =
        lead_pipeline::proto::ApplyTriggerRequest { validate_only: true, ..trigger("lead-1", went_quiet()) };
    let validated = here.apply_trigger(check_only).await.expect("valid").into_inner().lead.expect("a lead");
    assert_eq!(time_of(validated.next_follow_up_at), done);
}

/// Both wait for the lead, one behind the other, each with a view from before.
#[tokio::test]
async fn a_completion_and_a_write_that_wait_for_each_other_both_count() {
    let server = server().await;
    let replica = replica_of(&server).await;
    let (mut client, mut database, mut looker) = (server.client(), server.database().await, server.database().await);
    for (number, completion_first) in [true, false, true, false].into_iter().enumerate() {
        let message = number < 2;
        let lead_id = format!("lead-{number}");
        nurtured(&mut client, "anna", &lead_id).await;
        database.move_time(15 * 86_400).await;
        let held = leased(&mut client, of("")).await.remove(0);
        assert_eq!(held.follow_up_id, format!("{lead_id}/1"));
        database.run(&format!("begin; select from leads where lead_id = '{lead_id}' for update")).await;
        let (mut here, mut there) = (server.client(), replica.client());
        let kind = if message { message_sent() } else { went_quiet() };
        let write = async move { here.apply_trigger(trigger(&lead_id, kind)).await };
        let completion = async move { complete(&mut there, &held).await };
        let waiting = async |looker: &mut crate::support::server::Database, count| {
            crate::support::wait::eventually("both to wait", async || (looker.waiting().await == count).then_some(()))
                .await;
        };
        let (written, completed) = if completion_first {
            let completion = tokio::spawn(completion);
            waiting(&mut looker, 1).await;
            let write = tokio::spawn(write);
            waiting(&mut looker, 2).await;
            database.unlock().await;
            (write.await, completion.await)
        } else {
            let write = tokio::spawn(write);
            waiting(&mut looker, 1).await;
            let completion = tokio::spawn(completion);
            waiting(&mut looker, 2).await;
            database.unlock().await;
            (write.await, completion.await)
        };
        let written = written.expect("answers").expect("accepted").into_inner();
        let completed = completed.expect("answers").expect("completed").expect("another one");
        assert_eq!(written.outcome(), Outcome::NoChange);
        let (written, now) = (written.lead.expect("a lead"), lead(&mut client, &format!("lead-{number}")).await);
        if message {
            assert_eq!(time_of(now.next_follow_up_at), time_of(now.last_outreach_at) + 14 * DAY);
            assert_eq!(written, now);
            assert_eq!(completed == time_of(now.next_follow_up_at), !completion_first, "round {number}");
        } else {
            assert_eq!(time_of(now.next_follow_up_at), completed);
            assert!(!completion_first || written == now, "it knows of the completion before it: {written:?}");
        }
        overridden(&mut client, &format!("lead-{number}"), Stage::Won).await;
    }
    check(server.database_url()).await;
}
