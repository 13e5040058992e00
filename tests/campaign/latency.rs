//! From the answer of a write to its change at the subscriber, with one watcher and with a hundred.

use super::figures::{Latencies, say};
use super::load::Load;
use super::stage::{Size, Stage};
use crate::support::watcher::{Watching, from_now};
use futures::future::join_all;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

async fn scenario(size: Size) {
    let stage = Stage::new(size, size.of(1_000, 100_000), &[]).await;
    for watchers in [1, size.of(10, 100)] {
        let stop = CancellationToken::new();
        let mut readers = Vec::new();
        for client in stage.clients(4).iter().cycle().take(watchers) {
            let mut watching = Watching::start(&mut client.clone(), from_now()).await;
            let stop = stop.clone();
            readers.push(tokio::spawn(async move {
                let mut received = HashMap::new();
                while let Some(response) = stop.run_until_cancelled(watching.next()).await {
                    let now = Instant::now();
                    let changes = response.expect("the stream goes on").changes;
                    received.extend(changes.iter().map(|change| ((change.partition, change.position), now)));
                }
                received
            }));
        }
        let load = Load::steady(&stage, 500);
        tokio::time::sleep(size.of(Duration::from_millis(500), Duration::from_secs(20))).await;
        let writes = load.finish().await;
        // What was answered last is on its way.
        tokio::time::sleep(Duration::from_millis(500)).await;
        stop.cancel();
        let received = join_all(readers).await.into_iter().map(|read| read.expect("no panic"));
        let delays = received.flat_map(|received| {
            let delay = |write: &super::load::Acknowledged| {
                received[&(write.partition, write.position)].saturating_duration_since(write.answered)
            };
            writes.iter().map(delay).collect::<Vec<_>>()
        });
        let delays = Latencies::of(delays);
        if size == Size::Full {
            say(format_args!("answer to subscriber at 500 changes/s, {watchers} watchers: {delays}"));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_watcher_gets_each_change() {
    scenario(Size::Small).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: make campaign"]
async fn full_size_each_watcher_gets_each_change() {
    scenario(Size::Full).await;
}
