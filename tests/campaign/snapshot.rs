//! The snapshot of many leads: its pace, the server's memory, and what it costs the changes beside it.

use super::figures::{promise, rate, say};
use super::load::{Load, calls};
use super::stage::{Size, Stage};
use crate::support::watcher::{Watching, from_snapshot};
use lead_pipeline::proto::Notice;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Reads a whole snapshot and what comes with it; each lead once, and each change newer than what was seen.
async fn read(stage: &Stage) -> (HashMap<String, i32>, Duration) {
    let began = Instant::now();
    let mut watching = Watching::start_snapshot(&mut stage.server.client(), from_snapshot()).await;
    let mut versions: HashMap<String, i32> = HashMap::with_capacity(stage.leads);
    while !watching.notices.contains(&Notice::SnapshotComplete) {
        let response = watching.next().await.expect("the stream goes on");
        for change in response.changes {
            let seen = versions.insert(change.lead_id, change.version);
            assert!(seen.is_none_or(|seen| seen < change.version), "a change was seen before");
        }
        for lead in response.leads {
            assert_eq!(versions.insert(lead.lead_id, lead.version), None, "a lead came twice");
        }
    }
    (versions, began.elapsed())
}

async fn scenario(size: Size) {
    let leads = size.of(10_000, 1_000_000);
    let writes = size.of(300, 3_000);
    let stage = Stage::new(size, leads, &[]).await;

    let memory = stage.watch_memory();
    let (versions, took) = read(&stage).await;
    assert_eq!(versions.len(), leads, "every lead came");
    let (alone, growth) = (rate(leads, took), memory.growth());
    drop(memory);

    let baseline = size.of(Duration::from_millis(200), Duration::from_secs(15));
    let (start, load) = (Instant::now(), Load::steady(&stage, writes));
    tokio::time::sleep(baseline).await;
    let (memory, began) = (stage.watch_memory(), Instant::now());
    let (versions, took) = read(&stage).await;
    let (growth_beside, ended) = (memory.growth(), began + took);
    drop(memory);
    tokio::time::sleep(baseline).await;
    let end = Instant::now();
    let calls = calls(&load.finish().await);
    assert_eq!(versions.len(), leads, "every lead came");
    if size == Size::Small {
        return;
    }

    let (without, during) = (calls.within(start..began).and(calls.within(ended..end)), calls.within(began..ended));
    let pace = rate(during.count(), took);
    let (beside, mib) = (rate(leads, took), growth.max(growth_beside) >> 20);
    say(format_args!("snapshot of {leads} leads alone: {alone:.0} leads/s"));
    say(format_args!("beside {writes} changes/s: {beside:.0} leads/s; the changes went on at {pace:.0}/s"));
    say(format_args!("a change before and after: {without}"));
    say(format_args!("a change during: {during}"));
    say(format_args!("the server's memory grew by {} MiB alone, {} MiB beside", growth >> 20, growth_beside >> 20));
    promise("the server's memory grows by less than 64 MB", mib < 61);
    promise("alone, 50,000 leads a second or better", alone >= 50_000.0);
    promise("beside 3,000 changes a second, 10,000 leads a second or better", beside >= 10_000.0);
    promise("the changes keep their pace", pace >= 0.97 * f64::from(writes));
    promise("their p99 at most doubles", during.usual_p99() <= 2 * without.usual_p99());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_beside_changes() {
    scenario(Size::Small).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: make campaign"]
async fn full_size_a_snapshot_beside_changes() {
    scenario(Size::Full).await;
}
