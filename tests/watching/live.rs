//! Live changes: in the order of their positions, once, to every watcher, also under load.

use crate::support::checker::check;
use crate::support::requests::{create, created, message_sent, overridden, override_to, trigger};
use crate::support::server::{Client, server, server_with};
use crate::support::watcher::{Watching, from_beginning, from_now, keys};
use crate::watching::starts::heads;
use futures::future::join_all;
use lead_pipeline::proto::{Notice, Stage, WatchStageChangesRequest};

const LEADS: usize = 20;
const MOVES: usize = 10;

/// Creates leads and moves each to and fro, all of them at the same time.
async fn write_much(client: &Client) {
    let journeys = (0..LEADS).map(|number| {
        let mut client = client.clone();
        async move {
            let lead_id = format!("lead-{number}");
            client.create_lead(create(&lead_id)).await.expect("created");
            for turn in 0..MOVES {
                let stage = if turn % 2 == 0 { Stage::Engaged } else { Stage::Nurture };
                client.override_stage(override_to(&lead_id, stage)).await.expect("moved");
                client.apply_trigger(trigger(&lead_id, message_sent())).await.expect("recorded");
            }
        }
    });
    join_all(journeys).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_watcher_gets_every_change_once_while_they_happen() {
    // The second number makes the watchers leave memory for the log and come back all the time.
    for ring in ["--ring-entries=8192", "--ring-entries=2"] {
        let server = server_with(&[ring]).await;
        let mut client = server.client();
        let mut watches = Vec::new();
        for include_unchanged in [false, true] {
            for start in [from_now(), from_beginning()] {
                let request = WatchStageChangesRequest { include_unchanged, ..start };
                watches.push((include_unchanged, Watching::start(&mut client, request).await));
            }
        }
        let (writing, reading) = (write_much(&client), async {
            let mut streams = Vec::new();
            for (unchanged, mut watching) in watches {
                let count = if unchanged { LEADS * (1 + 2 * MOVES) } else { LEADS * (1 + MOVES) };
                streams.push(watching.changes(count).await);
            }
            streams
        });
        let ((), streams) = tokio::join!(writing, reading);
        assert_eq!(keys(&streams[0]), keys(&streams[1]));
        assert_eq!(keys(&streams[2]), keys(&streams[3]));
        for changes in &streams {
            let mut keys = keys(changes);
            keys.dedup();
            assert_eq!(keys.len(), changes.len(), "none twice");
        }
        check(server.database_url()).await;
    }
}

#[tokio::test]
async fn a_watch_that_nobody_reads_any_more_harms_nobody() {
    let server = server().await;
    let mut client = server.client();
    drop(Watching::start(&mut client, from_now()).await);
    created(&mut client, "lead-1").await;
    let mut watching = Watching::start(&mut client, from_now()).await;
    overridden(&mut client, "lead-1", Stage::Won).await;
    assert_eq!(watching.changes(1).await.len(), 1);
}

#[tokio::test]
async fn history_and_live_changes_meet_without_a_seam() {
    let server = server_with(&["--log-page=3", "--response-entries=2"]).await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    for turn in 0..20 {
        overridden(&mut client, "lead-1", if turn % 2 == 0 { Stage::Won } else { Stage::New }).await;
    }
    let mut watching = Watching::start(&mut client, from_beginning()).await;
    let writer = async {
        let mut client = client.clone();
        for turn in 0..20 {
            overridden(&mut client, "lead-1", if turn % 2 == 0 { Stage::Won } else { Stage::New }).await;
        }
    };
    let (changes, ()) = tokio::join!(watching.changes(41), writer);
    assert!(changes.iter().map(|change| change.version).eq(1..=41), "the order of one lead's changes is its versions");
    watching.until(Notice::CaughtUp).await;
    assert_eq!(watching.through, heads(&server).await);
}
