//! Many idle watchers: what they cost, and how soon one change reaches all of them.

use super::figures::{promise, say};
use super::stage::{Size, Stage};
use crate::support::requests::override_to;
use crate::support::watcher::{Watching, from_now};
use futures::future::join_all;
use lead_pipeline::proto::{Notice, Stage as LeadStage};
use std::time::{Duration, Instant};

/// Watches of one connection.
const EACH: usize = 250;

/// So many idle watchers, all caught up.
async fn idle(stage: &Stage, watchers: usize) -> Vec<Watching> {
    let connections = (0..watchers / EACH).map(|_| {
        let mut client = stage.server.client();
        async move {
            let mut watches = Vec::new();
            for _ in 0..EACH {
                let mut watching = Watching::start(&mut client, from_now()).await;
                watching.until(Notice::CaughtUp).await;
                watches.push(watching);
            }
            watches
        }
    });
    join_all(connections).await.into_iter().flatten().collect()
}

/// Long enough for a round of checkpoints.
const CHECKPOINTS: Duration = Duration::from_secs(12);

/// What an idle watcher costs the server, in bytes.
pub async fn cost(stage: &Stage, watchers: usize) -> usize {
    let memory = stage.watch_memory();
    let watches = idle(stage, watchers).await;
    tokio::time::sleep(CHECKPOINTS).await;
    let growth = memory.growth();
    drop(watches);
    growth / watchers
}

async fn scenario(size: Size) {
    let watchers = size.of(500, 10_000);
    let stage = Stage::new(size, 100, &[]).await;
    let memory = stage.watch_memory();
    let mut watches = idle(&stage, watchers).await;
    tokio::time::sleep(size.of(Duration::ZERO, CHECKPOINTS)).await;
    let growth = memory.growth();
    let mut slowest = Duration::ZERO;
    for round in 0..size.of(2, 5) {
        let stage_to = if round % 2 == 0 { LeadStage::Won } else { LeadStage::New };
        let reading: Vec<_> = watches
            .into_iter()
            .map(|mut watching| {
                tokio::spawn(async move {
                    let changes = watching.changes(1).await;
                    assert_eq!(changes[0].lead_id, super::stage::lead_id(7));
                    (watching, Instant::now())
                })
            })
            .collect();
        let mut client = stage.server.client();
        client.override_stage(override_to(&super::stage::lead_id(7), stage_to)).await.expect("moved");
        let answered = Instant::now();
        let received: Vec<(Watching, Instant)> =
            join_all(reading).await.into_iter().map(|read| read.expect("no panic")).collect();
        let last = received.iter().map(|(_, at)| *at).max().expect("watchers");
        slowest = slowest.max(last.saturating_duration_since(answered));
        watches = received.into_iter().map(|(watching, _)| watching).collect();
    }
    assert_eq!(watches.len(), watchers, "each got each change");
    if size == Size::Full {
        say(format_args!(
            "{watchers} idle watchers on {} connections cost {:.1} MiB: {} bytes each",
            watchers / EACH,
            growth as f64 / f64::from(1 << 20),
            growth / watchers
        ));
        say(format_args!("one change reached all of them within {slowest:.0?} of its answer, at worst of five"));
        promise("10,000 idle watchers cost less than 100 MB", growth < 100_000_000);
        promise("one change reaches 10,000 watchers in under a second", slowest < Duration::from_secs(1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_watchers_are_woken() {
    scenario(Size::Small).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: make campaign"]
async fn full_size_idle_watchers_are_woken() {
    scenario(Size::Full).await;
}
