//! Many changes to many watchers: from the log, one reader and fifty at the same time; and live, to fifty.

use super::figures::{rate, say};
use super::load::Load;
use super::stage::{Size, Stage};
use crate::support::server::Client;
use crate::support::watcher::{Watching, from_beginning, from_now};
use futures::future::join_all;
use lead_pipeline::proto::WatchStageChangesRequest;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The silence after which a reader looks whether it has everything.
const SECOND: prost_types::Duration = prost_types::Duration { seconds: 1, nanos: 0 };

/// Reads up to the heads; returns how many changes came.
async fn read(mut client: Client, heads: BTreeMap<i32, i64>) -> usize {
    let mut watching = Watching::start(&mut client, from_beginning()).await;
    let mut count = 0;
    while heads.iter().any(|(partition, head)| watching.through[partition] < *head) {
        count += watching.next().await.expect("the stream goes on").changes.len();
    }
    count
}

async fn scenario(size: Size) {
    let stage = Stage::new(size, size.of(1_000, 200_000), &[]).await;
    let watchers = size.of(5, 50);
    let heads = stage.heads().await;
    let began = Instant::now();
    assert_eq!(read(stage.server.client(), heads.clone()).await, stage.leads, "each change once");
    let replay = rate(stage.leads, began.elapsed());

    let began = Instant::now();
    let clients = stage.clients(10);
    let reading = clients.iter().cycle().take(watchers).map(|client| tokio::spawn(read(client.clone(), heads.clone())));
    for count in join_all(reading).await {
        assert_eq!(count.expect("no panic"), stage.leads, "each change once");
    }
    let replays = rate(stage.leads * watchers, began.elapsed());

    let mut watches = Vec::new();
    for client in clients.iter().cycle().take(watchers) {
        let request = WatchStageChangesRequest { checkpoint_interval: Some(SECOND), ..from_now() };
        watches.push(Watching::start(&mut client.clone(), request).await);
    }
    let (load, began) = (Load::full(&stage, 256), Instant::now());
    let writing = tokio::spawn(async move {
        tokio::time::sleep(size.of(Duration::from_millis(300), Duration::from_secs(15))).await;
        load.finish().await.len()
    });
    let (told, heads) = tokio::sync::watch::channel(None);
    let reading = watches.into_iter().map(|mut watching| {
        let heads = heads.clone();
        tokio::spawn(async move {
            let (mut count, mut last) = (0, Instant::now());
            loop {
                let heads: Option<BTreeMap<i32, i64>> = heads.borrow().clone();
                let covers = |heads: BTreeMap<i32, i64>| heads.iter().all(|(p, head)| watching.through[p] >= *head);
                if heads.is_some_and(covers) {
                    return (count, last);
                }
                let changes = watching.next().await.expect("the stream goes on").changes.len();
                if changes > 0 {
                    (count, last) = (count + changes, Instant::now());
                }
            }
        })
    });
    let reading: Vec<_> = reading.collect();
    let writes = writing.await.expect("no panic");
    told.send_replace(Some(stage.heads().await));
    let mut ended = began;
    for read in join_all(reading).await {
        let (count, last) = read.expect("no panic");
        assert_eq!(count, writes, "each change once");
        ended = ended.max(last);
    }
    let live = rate(writes * watchers, ended - began);
    if size == Size::Full {
        say(format_args!("replay from the log, one reader: {replay:.0} changes/s"));
        say(format_args!("replay from the log, {watchers} readers at once: {replays:.0} deliveries/s"));
        say(format_args!(
            "live, {watchers} watchers beside full load: {live:.0} deliveries/s of {:.0} changes/s",
            live / watchers as f64
        ));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_watcher_gets_everything() {
    scenario(Size::Small).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: make campaign"]
async fn full_size_every_watcher_gets_everything() {
    scenario(Size::Full).await;
}
