//! Replicas: each sees the other's changes and continues the other's cursors.

use crate::support::checker::check;
use crate::support::requests::{create, created, overridden, override_to};
use crate::support::server::{replica_of, server, server_on};
use crate::support::watcher::{Watching, after, from_beginning, from_now, keys};
use futures::future::join_all;
use lead_pipeline::proto::{Notice, Stage};

#[tokio::test]
async fn each_replica_streams_the_changes_of_the_other() {
    let one = server().await;
    let other = replica_of(&one).await;
    let mut clients = [one.client(), other.client()];
    let mut watches = Vec::new();
    for client in &mut clients {
        watches.push(Watching::start(client, from_now()).await);
    }
    let mut expected = Vec::new();
    for turn in 0..10 {
        let lead_id = format!("lead-{turn}");
        created(&mut clients[turn % 2], &lead_id).await;
        overridden(&mut clients[(turn + 1) % 2], &lead_id, Stage::Won).await;
        expected.extend([(lead_id.clone(), 1), (lead_id, 2)]);
    }
    for mut watching in watches {
        assert_eq!(keys(&watching.changes(20).await), expected);
    }
    check(one.database_url()).await;
}

#[tokio::test]
async fn a_cursor_continues_on_another_replica() {
    let one = server().await;
    let other = replica_of(&one).await;
    let mut client = one.client();
    created(&mut client, "lead-1").await;
    let mut watching = Watching::start(&mut client, from_beginning()).await;
    watching.changes(1).await;
    overridden(&mut client, "lead-1", Stage::Won).await;
    let mut resumed = Watching::start(&mut other.client(), after(&watching.cursor)).await;
    assert_eq!(keys(&resumed.changes(1).await), [("lead-1".into(), 2)]);
    overridden(&mut client, "lead-1", Stage::Lost).await;
    assert_eq!(keys(&resumed.changes(1).await), [("lead-1".into(), 3)]);
}

#[tokio::test]
async fn hints_may_be_lost_because_polling_is_the_truth() {
    let one = server_on(&crate::support::cluster::fresh_database().await, &["--hint-interval=24h"]).await;
    let other = replica_of(&one).await;
    let mut client = one.client();
    let mut watching = Watching::start(&mut other.client(), from_now()).await;
    for turn in 0..3 {
        created(&mut client, &format!("lead-{turn}")).await;
        assert_eq!(watching.changes(1).await.len(), 1, "only the first was hinted at");
    }
}

#[tokio::test]
async fn hints_come_before_the_poll() {
    let one = server().await;
    let other = server_on(one.database_url(), &["--poll-interval=24h"]).await;
    let mut client = one.client();
    let mut watching = Watching::start(&mut other.client(), from_now()).await;
    for turn in 0..3 {
        created(&mut client, &format!("lead-{turn}")).await;
        assert_eq!(watching.changes(1).await.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_replicas_stream_the_same_while_both_write() {
    let one = server().await;
    let other = server_on(one.database_url(), &["--ring-entries=4"]).await;
    let clients = [one.client(), other.client()];
    let mut watches = Vec::new();
    for client in &clients {
        watches.push(Watching::start(&mut client.clone(), from_now()).await);
    }
    let writing = join_all((0..20).map(|number| {
        let mut client = clients[number % 2].clone();
        async move {
            let lead_id = format!("lead-{number}");
            client.create_lead(create(&lead_id)).await.expect("created");
            for turn in 0..10 {
                let stage = if turn % 2 == 0 { Stage::Won } else { Stage::New };
                client.override_stage(override_to(&lead_id, stage)).await.expect("moved");
            }
        }
    }));
    let (first, rest) = watches.split_at_mut(1);
    let (a, b, _) = tokio::join!(first[0].changes(220), rest[0].changes(220), writing);
    assert_eq!(keys(&a), keys(&b));
    for watching in &mut watches {
        watching.until(Notice::CaughtUp).await;
    }
    assert_eq!(check(one.database_url()).await.entries, 220);
}
