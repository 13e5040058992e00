//! The snapshot: the leads as they stand, each once, then every change since, while writers run.

use crate::support::checker::check;
use crate::support::errors::failed;
use crate::support::requests::{all_leads, applied, batch, create, created, message_sent, overridden, override_to};
use crate::support::server::{Client, Server, replica_of, server, server_on, server_with};
use crate::support::watcher::{View, Watching, after, from_snapshot, keys};
use futures::future::join_all;
use lead_pipeline::proto::{Notice, Stage, WatchStageChangesRequest};
use tonic::Code;

fn everything(request: WatchStageChangesRequest) -> WatchStageChangesRequest {
    WatchStageChangesRequest { include_unchanged: true, ..request }
}

async fn create_leads(client: &mut Client, count: usize) {
    let leads: Vec<_> = (0..count).map(|number| create(&format!("lead-{number:05}"))).collect();
    for leads in leads.chunks(1000) {
        client.batch_create_leads(batch(leads.iter().cloned())).await.expect("created");
    }
}

/// Reads on until a notice has come, into a view.
async fn read_until(watching: &mut Watching, notice: Notice, view: &mut View, everything: bool) {
    while !watching.notices.contains(&notice) {
        view.take(&watching.next().await.expect("the stream goes on"), everything);
    }
}

/// Reads until the stream has covered all there is now, and compares what a client made of it with the leads.
async fn assert_complete(server: &Server, watching: &mut Watching, mut view: View) {
    let heads = super::starts::heads(server).await;
    while heads.iter().any(|(partition, head)| watching.through.get(partition).is_none_or(|at| at < head))
        || !watching.notices.contains(&Notice::SnapshotComplete)
    {
        view.take(&watching.next().await.expect("the stream goes on"), true);
    }
    assert_eq!(view, View::of(&all_leads(&mut server.client()).await));
}

#[tokio::test]
async fn a_snapshot_sends_each_lead_once_and_then_what_changes() {
    let server = server_with(&["--snapshot-page=7"]).await;
    let mut client = server.client();
    create_leads(&mut client, 100).await;
    applied(&mut client, "lead-00003", message_sent()).await;
    let mut watching = Watching::start_snapshot(&mut client, from_snapshot()).await;
    assert!(watching.through.is_empty(), "no partition has begun");
    let mut view = View::default();
    read_until(&mut watching, Notice::SnapshotComplete, &mut view, true).await;
    assert_eq!(view, View::of(&all_leads(&mut client).await));
    watching.until(Notice::CaughtUp).await;
    assert_eq!(watching.notices, [Notice::SnapshotComplete, Notice::CaughtUp]);
    assert_eq!(watching.through, super::starts::heads(&server).await);
    overridden(&mut client, "lead-00003", Stage::Won).await;
    assert_eq!(keys(&watching.changes(1).await), [("lead-00003".into(), 3)]);
}

#[tokio::test]
async fn a_snapshot_of_nothing_is_complete_at_once() {
    let server = server().await;
    let mut client = server.client();
    let mut watching = Watching::start_snapshot(&mut client, from_snapshot()).await;
    watching.until_notices(&[Notice::SnapshotComplete, Notice::CaughtUp]).await;
    assert_eq!(watching.through.len(), 4, "every partition was begun");
    created(&mut client, "lead-1").await;
    assert_eq!(keys(&watching.changes(1).await), [("lead-1".into(), 1)]);
}

#[tokio::test]
async fn the_leads_of_a_snapshot_are_as_get_lead_shows_them() {
    let server = server().await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    applied(&mut client, "lead-1", message_sent()).await;
    let mut watching = Watching::start_snapshot(&mut client, from_snapshot()).await;
    let mut leads = Vec::new();
    while leads.is_empty() {
        leads = watching.next().await.expect("a response").leads;
    }
    assert_eq!(leads, [crate::support::requests::lead(&mut client, "lead-1").await]);
}

/// Moves leads and creates others until the snapshot is complete; returns when the last write is acknowledged.
async fn write(client: Client, seed: usize, turns: usize) {
    let mut client = client;
    for turn in 0..turns {
        let number = (seed * 7919 + turn * 104_729) % 300;
        let lead_id = format!("lead-{number:05}");
        match turn % 4 {
            0 => drop(client.create_lead(create(&format!("new-{seed}-{turn}"))).await.expect("created")),
            1 => drop(applied(&mut client, &lead_id, message_sent()).await),
            2 => drop(client.override_stage(override_to(&lead_id, Stage::Contacted)).await.expect("moved")),
            _ => drop(client.override_stage(override_to(&lead_id, Stage::New)).await.expect("moved")),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn snapshot_history_and_live_changes_meet_while_two_replicas_write() {
    let one = server_with(&["--snapshot-page=3", "--response-entries=5", "--ring-entries=16"]).await;
    let other = server_on(one.database_url(), &["--snapshot-page=3"]).await;
    create_leads(&mut one.client(), 300).await;
    let writers = join_all((0..8).map(|seed| {
        let client = if seed % 2 == 0 { one.client() } else { other.client() };
        tokio::spawn(write(client, seed, 60))
    }));
    let mut watches = Vec::new();
    for server in [&one, &other] {
        watches.push((server, Watching::start_snapshot(&mut server.client(), everything(from_snapshot())).await));
    }
    let reading = join_all(watches.iter_mut().map(async |(_, watching)| {
        let mut view = View::default();
        read_until(watching, Notice::SnapshotComplete, &mut view, true).await;
        view
    }));
    let (written, views) = tokio::join!(writers, reading);
    for written in written {
        written.expect("no panic");
    }
    for ((server, mut watching), view) in watches.into_iter().zip(views) {
        assert_complete(server, &mut watching, view).await;
    }
    check(one.database_url()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_in_the_middle_resumes_in_its_middle_on_another_replica() {
    let one = server_with(&["--snapshot-page=11", "--response-entries=20"]).await;
    let other = replica_of(&one).await;
    let mut client = one.client();
    create_leads(&mut client, 300).await;
    let mut watching = Watching::start_snapshot(&mut client, everything(from_snapshot())).await;
    let mut view = View::default();
    let mut moments = vec![(watching.cursor.clone(), view.clone())];
    while !watching.notices.contains(&Notice::SnapshotComplete) {
        write(client.clone(), moments.len(), 8).await;
        view.take(&watching.next().await.expect("a response"), true);
        moments.push((watching.cursor.clone(), view.clone()));
    }
    assert!(moments.len() > 20, "many pages");
    for (number, (cursor, view)) in moments.into_iter().enumerate() {
        let server = if number % 2 == 0 { &other } else { &one };
        let mut resumed = Watching::start_snapshot(&mut server.client(), everything(after(&cursor))).await;
        if watching.cursor == cursor {
            // The last one: its response told that the snapshot is complete, and nobody tells it again.
            resumed.notices.push(Notice::SnapshotComplete);
        }
        assert_complete(server, &mut resumed, view).await;
    }
}

#[tokio::test]
async fn a_snapshot_whose_database_lost_history_has_diverged() {
    let server = server_with(&["--snapshot-page=5"]).await;
    let mut client = server.client();
    create_leads(&mut client, 100).await;
    let mut watching = Watching::start_snapshot(&mut client, from_snapshot()).await;
    watching.next().await.expect("the first page");
    let cursor = watching.cursor.clone();
    let lose = "update entries set tag = entries.tag + 1 from heads
                where entries.partition = 0 and heads.partition = 0 and entries.position = heads.position;
                update heads set tag = tag + 1 where partition = 0";
    server.database().await.run(lose).await;
    failed(client.watch_stage_changes(after(&cursor)).await).is(Code::DataLoss, "CURSOR_DIVERGED");
}

/// Writes on a lead of its own until it is dropped.
fn keep_writing(server: &Server) -> tokio_util::sync::DropGuard {
    let (stop, mut client) = (tokio_util::sync::CancellationToken::new(), server.client());
    let stopped = stop.clone();
    tokio::spawn(async move {
        for turn in 0.. {
            let stage = if turn % 2 == 0 { Stage::Contacted } else { Stage::New };
            if stopped.is_cancelled() || client.override_stage(override_to("lead-00000", stage)).await.is_err() {
                break;
            }
        }
    });
    stop.drop_guard()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn snapshots_that_are_given_up_hold_up_nobody() {
    // While leads are written a page takes 200 ms: 400 of them are more than any test waits.
    let server = server_with(&["--snapshot-page=2", "--snapshot-rate=10"]).await;
    let mut client = server.client();
    create_leads(&mut client, 8).await;
    let _writing = keep_writing(&server);
    for _ in 0..400 {
        drop(client.watch_stage_changes(from_snapshot()).await.expect("begins"));
    }
    let mut watching = Watching::start_snapshot(&mut client, from_snapshot()).await;
    watching.until(Notice::SnapshotComplete).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_that_waits_for_its_turn_gets_checkpoints_and_its_end() {
    // One page a minute.
    let server = server_with(&["--snapshot-page=60", "--snapshot-rate=1"]).await;
    let mut client = server.client();
    create_leads(&mut client, 300).await;
    let _writing = keep_writing(&server);
    let checkpoint_interval = Some(prost_types::Duration { seconds: 1, nanos: 0 });
    let request = WatchStageChangesRequest { checkpoint_interval, ..from_snapshot() };
    let mut watching = Watching::start_snapshot(&mut client, request).await;
    while watching.next().await.expect("a response").leads.is_empty() {}
    for _ in 0..2 {
        assert!(watching.next().await.expect("a change or a checkpoint").leads.is_empty(), "no page yet");
    }
    let (ended, ()) = tokio::join!(watching.end(), server.stop());
    failed(Err::<(), _>(ended)).is(Code::Unavailable, "UNAVAILABLE");
    assert_eq!(watching.notices.last(), Some(&Notice::GoingAway), "it was told its cursor");
}
