//! Many changes to many watchers: from the log, one reader and fifty at the same time; and live, to fifty.

use super::figures::{rate, say};
use super::load::Load;
use super::stage::{Size, Stage};
use crate::support::server::Client;
use crate::support::watcher::{Watching, after, from_beginning, from_now};
use futures::future::join_all;
use lead_pipeline::proto::WatchStageChangesRequest;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The silence after which a reader looks whether it has everything.
const SECOND: prost_types::Duration = prost_types::Duration { seconds: 1, nanos: 0 };

/// Reads up to the heads; returns how many changes came.
async fn read(mut client: Client, start: WatchStageChangesRequest, heads: BTreeMap<i32, i64>) -> usize {
    let mut watching = Watching::start(&mut client, start).await;
    let mut count = 0;
    while heads.iter().any(|(partition, head)| watching.through[partition] < *head) {
        count += watching.next().await.expect("the stream goes on").changes.len();
    }
    count
}

/// Watchers that all begin at the same place, and read up to the heads; how many changes they get a second, together.
async fn read_at_once(stage: &Stage, watchers: usize, start: &WatchStageChangesRequest, changes: usize) -> f64 {
    let (heads, began) = (stage.heads().await, Instant::now());
    let clients = stage.clients(watchers.min(10));
    let readers = clients.iter().cycle().take(watchers);
    let reading = readers.map(|client| tokio::spawn(read(client.clone(), start.clone(), heads.clone())));
    for count in join_all(reading).await {
        assert_eq!(count.expect("no panic"), changes, "each change once");
    }
    rate(changes * watchers, began.elapsed())
}

/// Readers of everything there is, from the log.
pub async fn replay(stage: &Stage, readers: usize) -> f64 {
    let entries = stage.heads().await.values().sum::<i64>();
    read_at_once(stage, readers, &from_beginning(), entries as usize).await
}

/// Watchers of recent changes, which the server has in its memory: from those to their sockets.
pub async fn burst(stage: &Stage, watchers: usize) -> f64 {
    /// So few that they stay there.
    const CHANGES: usize = 24_000;
    // While somebody watches, the server keeps them.
    let mut client = stage.server.client();
    let mut first = Watching::start(&mut client, from_now()).await;
    let start = after(&first.cursor);
    let load = Load::full(stage, 64);
    let mut seen = 0;
    while seen < CHANGES {
        seen += first.next().await.expect("the stream goes on").changes.len();
    }
    let changes = load.finish().await.len();
    first.through(&stage.heads().await).await;
    read_at_once(stage, watchers, &start, changes).await
}

async fn scenario(size: Size) {
    let stage = Stage::new(size, size.of(1_000, 200_000), &[]).await;
    let watchers = size.of(5, 50);
    let (alone, replays) = (replay(&stage, 1).await, replay(&stage, watchers).await);

    let clients = stage.clients(10);
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
        say(format_args!("replay from the log, one reader: {alone:.0} changes/s"));
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
