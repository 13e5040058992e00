//! From the answer of a write to its change at the subscriber, with one watcher and with a hundred.

use super::figures::{Latencies, say};
use super::load::Load;
use super::stage::{Size, Stage};
use super::subscriber::Subscriber;
use futures::future::join_all;
use std::time::Duration;

/// Writes 500 changes a second for a while, and returns the delays of all watchers.
pub async fn delays(stage: &Stage, watchers: usize, time: Duration) -> Latencies {
    let mut subscribers = Vec::new();
    for client in stage.clients(4).iter().cycle().take(watchers) {
        subscribers.push(Subscriber::start(&mut client.clone()).await);
    }
    let load = Load::steady(stage, 500);
    tokio::time::sleep(time).await;
    let writes = load.finish().await;
    // What was answered last is on its way.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let received = join_all(subscribers.into_iter().map(Subscriber::finish)).await;
    received.iter().map(|received| received.delays(&writes)).reduce(Latencies::and).unwrap_or_default()
}

async fn scenario(size: Size) {
    let stage = Stage::new(size, size.of(1_000, 100_000), &[]).await;
    for watchers in [1, size.of(10, 100)] {
        let delays = delays(&stage, watchers, size.of(Duration::from_millis(500), Duration::from_secs(20))).await;
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
