//! Where a watch starts: now, the beginning, after a cursor; and what its first responses say.

use crate::support::checker::check;
use crate::support::errors::failed;
use crate::support::requests::{applied, batch, create, created, message_sent, replied};
use crate::support::server::{Server, server, server_with};
use crate::support::watcher::{Watching, after, from_beginning, from_now, key, keys};
use lead_pipeline::proto::watch_stage_changes_request::Start;
use lead_pipeline::proto::{Notice, StartNow, WatchStageChangesRequest};
use std::collections::BTreeMap;
use tonic::Code;

/// The heads as the database has them.
pub async fn heads(server: &Server) -> BTreeMap<i32, i64> {
    crate::support::log::heads(server.database_url()).await
}

#[tokio::test]
async fn now_begins_behind_what_is_there_and_brings_what_comes() {
    let server = server().await;
    let mut client = server.client();
    created(&mut client, "old").await;
    let explicit = WatchStageChangesRequest { start: Some(Start::Now(StartNow {})), ..Default::default() };
    for request in [from_now(), explicit] {
        let mut watching = Watching::start(&mut client, request).await;
        assert_eq!(watching.through, heads(&server).await, "it starts at the heads");
        assert_eq!(watching.notices, [Notice::CaughtUp], "nothing is left to read");
        let version = applied(&mut client, "old", message_sent()).await.version;
        if version == 2 {
            assert_eq!(watching.changes(1).await.iter().map(key).collect::<Vec<_>>(), [("old".into(), 2)]);
        }
    }
}

#[tokio::test]
async fn the_beginning_brings_everything_there_is_and_then_what_comes() {
    let server = server().await;
    let mut client = server.client();
    for lead_id in ["lead-1", "lead-2", "lead-3"] {
        created(&mut client, lead_id).await;
        applied(&mut client, lead_id, message_sent()).await;
    }
    let mut watching = Watching::start(&mut client, from_beginning()).await;
    assert!(watching.through.values().all(|position| *position == 0), "before the first entry");
    assert_eq!(watching.behind, 6, "how many positions are still to be read");
    let changes = watching.changes(6).await;
    assert_eq!(keys(&changes).len(), 6);
    watching.until(Notice::CaughtUp).await;
    assert_eq!((watching.behind, &watching.through), (0, &heads(&server).await));
    let recorded = crate::support::requests::history(&mut client, "lead-2").await;
    assert!(changes.iter().filter(|change| change.lead_id == "lead-2").eq(&recorded), "as the history has them");
    applied(&mut client, "lead-2", replied()).await;
    assert_eq!(keys(&watching.changes(1).await), [("lead-2".into(), 3)]);
    check(server.database_url()).await;
}

#[tokio::test]
async fn any_cursor_continues_without_a_gap_or_a_double() {
    let server = server_with(&["--response-entries=7"]).await;
    let mut client = server.client();
    client.batch_create_leads(batch((0..50).map(|n| create(&format!("lead-{n}"))))).await.expect("created");
    let mut watching = Watching::start(&mut client, from_beginning()).await;
    let mut cursors = vec![(watching.cursor.clone(), Vec::new())];
    let mut seen = Vec::new();
    while seen.len() < 50 {
        seen.extend(watching.next().await.expect("a response").changes);
        cursors.push((watching.cursor.clone(), seen.clone()));
    }
    assert!(cursors.len() > 7, "7 entries a response at most");
    for (cursor, before) in cursors {
        let mut resumed = Watching::start(&mut client, after(&cursor)).await;
        let rest = resumed.changes(50 - before.len()).await;
        assert_eq!(keys(before.iter().chain(&rest)), keys(&seen));
    }
}

#[tokio::test]
async fn a_response_holds_what_the_limits_say() {
    let server = server_with(&["--response-bytes=2000", "--log-page=10"]).await;
    let mut client = server.client();
    client.batch_create_leads(batch((0..100).map(|n| create(&format!("lead-{n}"))))).await.expect("created");
    let mut watching = Watching::start(&mut client, from_beginning()).await;
    let mut count = 0;
    while count < 100 {
        let response = watching.next().await.expect("a response");
        let bytes: usize = response.changes.iter().map(prost::Message::encoded_len).sum();
        assert!(bytes < 2000 + 500, "one entry above the limit at most: {bytes}");
        count += response.changes.len();
    }
}

#[tokio::test]
async fn a_wrong_request_is_invalid_and_names_its_fields() {
    let server = server().await;
    let mut client = server.client();
    let ids = |count: usize| (0..count).map(|number| format!("id-{number}")).collect::<Vec<_>>();
    let filter = |filter| WatchStageChangesRequest { filter: Some(filter), ..from_now() };
    let wrong = lead_pipeline::proto::WatchFilter {
        lead_ids: vec!["ok".into(), "a b".into()],
        agent_ids: ids(101),
        from_stages: vec![0],
        to_stages: vec![1, 14],
        origin: 3,
    };
    let fields = [
        "filter.lead_ids[1]",
        "filter.agent_ids",
        "filter.from_stages[0]",
        "filter.to_stages[1]",
        "filter.origin",
        "checkpoint_interval",
    ];
    let nothing = Some(prost_types::Duration { seconds: 0, nanos: 999_999_999 });
    let request = WatchStageChangesRequest { checkpoint_interval: nothing, ..filter(wrong) };
    failed(client.watch_stage_changes(request).await).names(&fields);
    for (seconds, nanos) in [(-5, 0), (0, 0), (1, -1), (i64::MIN, i32::MIN), (1, i32::MAX)] {
        let checkpoint_interval = Some(prost_types::Duration { seconds, nanos });
        let request = WatchStageChangesRequest { checkpoint_interval, ..from_now() };
        failed(client.watch_stage_changes(request).await).names(&["checkpoint_interval"]);
    }
    let most = lead_pipeline::proto::WatchFilter { lead_ids: ids(100), agent_ids: ids(100), ..Default::default() };
    let longest = Some(prost_types::Duration { seconds: i64::MAX, nanos: 999_999_999 });
    Watching::start(&mut client, WatchStageChangesRequest { checkpoint_interval: longest, ..filter(most) }).await;
}

#[tokio::test]
async fn one_watcher_too_many_is_told_to_come_again() {
    let server = server_with(&["--watchers=1"]).await;
    let mut client = server.client();
    let mut watching = Watching::start(&mut client, from_now()).await;
    failed(client.watch_stage_changes(from_now()).await).is(Code::ResourceExhausted, "OVERLOADED").asks_to_retry(true);
    created(&mut client, "lead-1").await;
    assert_eq!(watching.changes(1).await.len(), 1, "the one that is open goes on");
}
