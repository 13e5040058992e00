//! Cursors and streams around the floor: at it they go on, before it they are told that history is gone.

use super::program::{now, prune, prune_all};
use crate::support::checker::check;
use crate::support::errors::failed;
use crate::support::requests::{created, overridden, override_to};
use crate::support::server::{endpoint, replica_of, server, server_with};
use crate::support::watcher::{Watching, after, from_beginning, from_now, from_snapshot, keys, unfiltered};
use crate::watching::starts::heads;
use lead_pipeline::proto::lead_pipeline_client::LeadPipelineClient;
use lead_pipeline::proto::{Notice, OverrideStageRequest, Stage};
use tonic::{Code, Status};

/// The earliest cursor that a refusal names.
fn earliest(refused: Result<impl std::fmt::Debug, Status>) -> String {
    let failed = failed(refused).is(Code::OutOfRange, "CURSOR_EXPIRED").asks_to_retry(false);
    failed.metadata()["earliest_cursor"].clone()
}

#[tokio::test]
async fn a_cursor_at_the_floor_goes_on_and_an_older_one_has_expired() {
    let server = server().await;
    let replica = replica_of(&server).await;
    let mut client = server.client();
    let mut watching = Watching::start(&mut client, from_beginning()).await;
    let mut older = vec![watching.cursor.clone()];
    for number in 0..12 {
        created(&mut client, &format!("lead-{number}")).await;
        watching.changes(1).await;
        older.push(watching.cursor.clone());
    }
    let at_the_floor = older.pop().expect("the last cursor");
    let floors = watching.through.clone();
    assert_eq!(prune_all(server.database_url()).await, 12);
    overridden(&mut client, "lead-3", Stage::Won).await;
    for server in [&server, &replica] {
        let mut client = server.client();
        let mut resumed = Watching::start(&mut client, after(&at_the_floor)).await;
        assert_eq!(keys(&resumed.changes(1).await), [("lead-3".into(), 2)]);
        for cursor in &older {
            let earliest = earliest(client.watch_stage_changes(after(cursor)).await);
            let mut resumed = Watching::start(&mut client, after(&earliest)).await;
            assert_eq!(resumed.through, floors, "the earliest that works is where history begins");
            assert_eq!(keys(&resumed.changes(1).await), [("lead-3".into(), 2)]);
        }
        let mut anew = Watching::start(&mut client, from_beginning()).await;
        assert_eq!(anew.through, floors, "the beginning is the first entry that there is");
        assert_eq!(keys(&anew.changes(1).await), [("lead-3".into(), 2)]);
    }
    assert_eq!(keys(&watching.changes(1).await), [("lead-3".into(), 2)], "a live stream doesn't notice");
}

#[tokio::test]
async fn only_the_partitions_that_were_pruned_are_skipped() {
    let server = server_with(&["--partitions=2"]).await;
    let mut client = server.client();
    let mut watching = Watching::start(&mut client, from_beginning()).await;
    // lead-1 and lead-4 are in different partitions.
    created(&mut client, "lead-1").await;
    watching.changes(1).await;
    let time = now(server.database_url()).await;
    created(&mut client, "lead-4").await;
    let between = watching.cursor.clone();
    let beginning = Watching::start(&mut client, from_beginning()).await.cursor;
    prune(server.database_url(), &["--before", &time, "--yes"]).await;
    let mut resumed = Watching::start(&mut client, after(&between)).await;
    assert_eq!(
        keys(&resumed.changes(1).await),
        [("lead-4".into(), 1)],
        "at the floor of one, before none of the other"
    );
    let earliest = earliest(client.watch_stage_changes(after(&beginning)).await);
    let mut resumed = Watching::start(&mut client, after(&earliest)).await;
    assert_eq!(keys(&resumed.changes(1).await), [("lead-4".into(), 1)], "what wasn't pruned comes");
}

#[tokio::test]
async fn a_cursor_at_the_floor_of_another_history_has_diverged() {
    let server = server().await;
    let mut client = server.client();
    let mut watching = Watching::start(&mut client, from_now()).await;
    created(&mut client, "lead-1").await;
    watching.changes(1).await;
    prune_all(server.database_url()).await;
    server.database().await.run("update heads set floor_tag = floor_tag + 1, tag = tag + 1 where floor > 0").await;
    failed(client.watch_stage_changes(after(&watching.cursor)).await).is(Code::DataLoss, "CURSOR_DIVERGED");
}

#[tokio::test]
async fn a_slow_stream_whose_history_goes_is_told() {
    let server = server_with(&["--ring-entries=4", "--response-entries=1"]).await;
    let mut client = server.client();
    // A window of one response: the reader takes nothing that it hasn't asked for.
    let narrow = endpoint(server.address().parse().expect("an address")).initial_stream_window_size(16_384);
    let mut watching = Watching::start(&mut LeadPipelineClient::new(narrow.connect_lazy()), from_now()).await;
    created(&mut client, "lead-1").await;
    for turn in 0..200 {
        let request = override_to("lead-1", if turn % 2 == 0 { Stage::Won } else { Stage::New });
        client.override_stage(OverrideStageRequest { reason: "🎉".repeat(500), ..request }).await.expect("moved");
    }
    prune_all(server.database_url()).await;
    let earliest = earliest(Err::<(), _>(watching.end().await));
    let mut resumed = Watching::start(&mut client, after(&earliest)).await;
    overridden(&mut client, "lead-1", Stage::Lost).await;
    assert_eq!(keys(&resumed.changes(1).await), [("lead-1".into(), 202)]);
    check(server.database_url()).await;
}

#[tokio::test]
async fn a_snapshot_needs_no_history_and_its_cursors_expire_as_others_do() {
    let server = server_with(&["--snapshot-page=2", "--partitions=1"]).await;
    let mut client = server.client();
    for number in 0..6 {
        created(&mut client, &format!("lead-{number}")).await;
    }
    let mut watching = Watching::start_snapshot(&mut client, unfiltered(from_snapshot())).await;
    watching.next().await.expect("a page");
    let middle = watching.cursor.clone();
    overridden(&mut client, "lead-0", Stage::Won).await;
    prune_all(server.database_url()).await;
    let earliest = earliest(client.watch_stage_changes(unfiltered(after(&middle))).await);
    let mut resumed = Watching::start_snapshot(&mut client, unfiltered(after(&earliest))).await;
    resumed.until(Notice::SnapshotComplete).await;
    let mut anew = Watching::start_snapshot(&mut client, unfiltered(from_snapshot())).await;
    let mut leads = 0;
    while !anew.notices.contains(&Notice::SnapshotComplete) {
        leads += anew.next().await.expect("a page").leads.len();
    }
    assert_eq!((leads, &anew.through), (6, &heads(&server).await));
}
