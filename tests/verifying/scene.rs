//! A database that two replicas have written under load, and what their clients recorded: made once, copied for each bug.

use crate::support::cluster::{copy_of, fresh_database};
use crate::support::load::{leads, request, send};
use crate::support::requests::{checklist_completed, create, lead, message_sent, trigger};
use crate::support::server::{Client, Database, Server, replica_of, server_on};
use crate::support::wait::within;
use crate::support::watcher::{after, from_beginning};
use crate::watching::starts::heads;
use futures::future::join_all;
use lead_pipeline::proto::watch_stage_changes_request::Start;
use lead_pipeline::proto::{
    ApplyTriggerRequest, Coverage, Notice, Stage, StartSnapshot, WatchFilter, WatchStageChangesRequest,
    WatchStageChangesResponse,
};
use lead_pipeline::record::{Exchange, Failure, Line};
use std::collections::BTreeMap;
use tokio::sync::OnceCell;

pub const LEADS: usize = 10;
const WRITERS: usize = 6;
const CALLS: usize = 20;
pub const WRITERS_CALLS: usize = WRITERS * CALLS;

/// The streams of the history: everything, taken up again by the other replica; what passes a filter; a snapshot.
pub const ALL: &str = "all";
pub const NURTURED: &str = "nurtured";
pub const SNAPSHOT: &str = "snapshot";

pub struct Scene {
    /// The database; copy it before anything is changed.
    pub url: String,
    /// The history of all clients.
    pub lines: Vec<Line>,
    /// The database before the last write that the history has.
    pub before_last: String,
}

/// The scene of this run.
pub async fn scene() -> &'static Scene {
    static SCENE: OnceCell<Scene> = OnceCell::const_new();
    SCENE.get_or_init(play).await
}

async fn play() -> Scene {
    let url = fresh_database().await;
    let flags = ["--partitions=2", "--response-entries=7"];
    let (one, other) = (server_on(&url, &flags).await, server_on(&url, &flags).await);
    let mut lines = create_all(&mut one.client()).await;
    let everything = WatchStageChangesRequest { include_unchanged: true, ..from_beginning() };
    lines.extend(tape(&mut one.client(), ALL, everything.clone(), &heads(&one).await).await);
    lines.extend(load(&one, &other).await);
    lines.extend(refused_replayed_and_tried(&mut other.client(), &lines).await);
    one.stop().await;
    other.stop().await;
    let before_last = copy_of(&url).await;
    let one = server_on(&url, &flags).await;
    let other = replica_of(&one).await;
    let told = send(&mut one.client(), request("lead-0", 0)).await;
    lines.push(Line::Call(told.exchange));
    let heads = heads(&one).await;
    let resumed = WatchStageChangesRequest { start: after(&last_cursor(&lines, ALL)).start, ..everything };
    lines.extend(tape(&mut one.client(), ALL, resumed, &heads).await);
    let filter = WatchFilter { to_stages: vec![Stage::Nurture.into()], ..WatchFilter::default() };
    let nurtured = WatchStageChangesRequest { filter: Some(filter), ..from_beginning() };
    lines.extend(tape(&mut other.client(), NURTURED, nurtured, &heads).await);
    lines.extend(snapshot(&mut one.client(), &heads).await);
    one.stop().await;
    other.stop().await;
    Scene { url, lines, before_last }
}

async fn create_all(client: &mut Client) -> Vec<Line> {
    let mut lines = Vec::new();
    for lead_id in leads(LEADS) {
        let request = create(&lead_id);
        let answer = client.create_lead(request.clone()).await.expect("created").into_inner();
        lines.push(Line::Call(Exchange::CreateLead(request, Ok(answer))));
    }
    lines
}

/// Writers on both replicas, each with every call on the next lead; one call of the scene's is made after it.
async fn load(one: &Server, other: &Server) -> Vec<Line> {
    let writer = async |mut client: Client, first: usize| {
        let leads = leads(LEADS);
        let mut lines = Vec::new();
        let calls = if first == 0 { CALLS - 1 } else { CALLS };
        for number in 0..calls {
            let told = send(&mut client, request(&leads[(first + number) % LEADS], first + number)).await;
            assert!(told.answer.is_ok(), "{told:?}");
            lines.push(Line::Call(told.exchange));
        }
        lines
    };
    let writers = (0..WRITERS).map(|number| writer(if number % 2 == 0 { one } else { other }.client(), number));
    join_all(writers).await.into_iter().flatten().collect()
}

/// A call that is refused, one that is only tried, one that is sent again, and one whose answer was lost.
async fn refused_replayed_and_tried(client: &mut Client, lines: &[Line]) -> Vec<Line> {
    let refused = ApplyTriggerRequest { expected_version: Some(1), ..trigger("lead-1", checklist_completed()) };
    let tried = ApplyTriggerRequest { validate_only: true, ..trigger("lead-1", message_sent()) };
    let again = lines.iter().find_map(|line| match line {
        Line::Call(Exchange::ApplyTrigger(request, Ok(_))) => Some(request.clone()),
        _ => None,
    });
    let again = again.expect("a trigger was applied");
    let failure = Failure { code: "UNAVAILABLE".into(), reason: "OUTCOME_UNKNOWN".into(), message: String::new() };
    let mut told = vec![Line::Call(Exchange::ApplyTrigger(again.clone(), Err(failure)))];
    for request in [refused, tried, again] {
        let answer = client.apply_trigger(request.clone()).await.map(tonic::Response::into_inner);
        told.push(Line::Call(Exchange::ApplyTrigger(request, answer.map_err(|status| Failure::from(&status)))));
    }
    told
}

/// Records a stream until it has covered the heads.
async fn tape(
    client: &mut Client,
    stream: &str,
    request: WatchStageChangesRequest,
    heads: &BTreeMap<i32, i64>,
) -> Vec<Line> {
    let mut lines = vec![Line::Request { stream: stream.into(), request: request.clone() }];
    let mut responses = client.watch_stage_changes(request).await.expect("the watch begins").into_inner();
    let mut through: BTreeMap<i32, i64> = BTreeMap::new();
    let reading = async {
        while heads.iter().any(|(partition, head)| through.get(partition).is_none_or(|position| position < head)) {
            let response = responses.message().await.expect("the stream goes on").expect("a response");
            through.extend(response.coverage.iter().map(|range| (range.partition, range.through)));
            lines.push(Line::Response { stream: stream.into(), response });
        }
    };
    within("the heads to be covered", reading).await;
    lines
}

fn last_cursor(lines: &[Line], of: &str) -> String {
    let cursor = |line: &Line| match line {
        Line::Response { stream, response } if stream == of => Some(response.cursor.clone()),
        _ => None,
    };
    lines.iter().rev().find_map(cursor).expect("a response")
}

/// A snapshot as the contract has it: partition by partition, each with its leads as they stand at its head.
async fn snapshot(client: &mut Client, heads: &BTreeMap<i32, i64>) -> Vec<Line> {
    let start = Some(Start::Snapshot(StartSnapshot {}));
    let stream = || SNAPSHOT.to_owned();
    let mut lines =
        vec![Line::Request { stream: stream(), request: WatchStageChangesRequest { start, ..Default::default() } }];
    for (partition, head) in heads {
        let mut shown = Vec::new();
        for lead_id in leads(LEADS) {
            if lead_pipeline::store::partition_of(&lead_id, 2) == *partition {
                shown.push(lead(client, &lead_id).await);
            }
        }
        let coverage = vec![Coverage { partition: *partition, after: *head, through: *head }];
        let (cursor, leads) = (format!("cursor-{partition}"), shown);
        let notice = if *partition == 1 { Notice::SnapshotComplete } else { Notice::Unspecified };
        let response =
            WatchStageChangesResponse { coverage, cursor, leads, notice: notice.into(), ..Default::default() };
        lines.push(Line::Response { stream: stream(), response });
    }
    lines
}

/// A copy of the scene's database, with statements run on it.
pub async fn spoilt(statements: &str) -> String {
    let url = copy_of(&scene().await.url).await;
    let mut database = Database::connect(&url).await;
    database.run(statements).await;
    url
}
