//! Readers that stop for a minute under full load, and then go on: each gets everything, and nobody else notices.

use super::figures::{promise, rate, say};
use super::load::{Acknowledged, Load, calls};
use super::stage::{AGENTS, Size, Stage, agent};
use super::subscriber::Subscriber;
use crate::support::wait::eventually;
use crate::support::watcher::{Watching, from_now};
use futures::stream::{FuturesUnordered, StreamExt};
use lead_pipeline::proto::{Notice, WatchFilter, WatchStageChangesRequest};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Of so many readers one watches everything; the others watch one agent's leads.
const ONE_IN: usize = 100;

async fn scenario(size: Size) {
    let readers = size.of(20, 1000);
    // So little of the log stays in memory when the test is small that the readers fall behind it.
    let flags: &[&str] = size.of(&["--ring-entries=64"], &[]);
    let stage = Stage::new(size, size.of(10_000, 100_000), flags).await;
    // In small size so many writes fill every reader's window; in full size it is a matter of time.
    let pause = async |full| match size {
        Size::Full => tokio::time::sleep(full).await,
        Size::Small => {
            let enough = stage.next.load(Ordering::Relaxed) + 4_000;
            let look = async || (stage.next.load(Ordering::Relaxed) >= enough).then_some(());
            eventually("thousands of writes", look).await;
        }
    };

    let live = Subscriber::start(&mut stage.server.client()).await;
    let (start, load) = (Instant::now(), Load::full(&stage, 64));
    if size == Size::Full {
        tokio::time::sleep(Duration::from_secs(15)).await;
    }

    let (memory, began) = (stage.watch_memory(), Instant::now());
    let mut stalled = Vec::new();
    for number in 0..readers {
        let mut client = if number % 20 == 0 { stage.narrow_client() } else { continue };
        for number in number..(number + 20).min(readers) {
            let agents = if number % ONE_IN == 0 { vec![] } else { vec![agent(number)] };
            let filter = Some(WatchFilter { agent_ids: agents, ..Default::default() });
            let request = WatchStageChangesRequest { filter, ..from_now() };
            stalled.push((number, Watching::start(&mut client, request).await));
        }
    }
    let all_stand = Instant::now();
    pause(Duration::from_mins(1)).await;
    let ended = Instant::now();
    let writes = load.finish().await;
    let growth = memory.growth();
    let received = live.finish().await;

    let resumed = Instant::now();
    let delivered = go_on(&stage, stalled, &writes).await;
    if size == Size::Small {
        return;
    }
    let took = resumed.elapsed();
    let (delays, calls) = (received.delays(&writes), calls(&writes));
    let (alone, beside) = (start + Duration::from_secs(1)..began, all_stand..ended);
    let (before, during) = (delays.within(alone.clone()), delays.within(beside.clone()));
    let all = calls.within(beside.clone()).count();
    say(format_args!("full load beside {readers} stalled readers: {:.0} changes/s", rate(all, ended - all_stand)));
    say(format_args!("a live reader's delay before: {before}"));
    say(format_args!("a live reader's delay beside: {during}"));
    say(format_args!("a call before: {}", calls.within(alone)));
    say(format_args!("a call beside: {}", calls.within(beside)));
    say(format_args!("they cost the server {:.1} MiB", growth as f64 / f64::from(1 << 20)));
    say(format_args!("then each read everything, in order, once: {delivered} changes in {:.1} s", took.as_secs_f64()));
    promise("1,000 stalled readers cost the server less than 200 MB", growth < 200_000_000);
    promise(
        "and no other reader's latency (p99 within 1.5 x and 2 ms)",
        during.usual_p99() <= before.usual_p99().mul_f64(1.5) + Duration::from_millis(2),
    );
}

/// The readers go on, all at once: each reads up to the heads, and has just what its filter lets through of what was
/// written since its start.
async fn go_on(stage: &Stage, stalled: Vec<(usize, Watching)>, writes: &[Acknowledged]) -> usize {
    let heads = stage.heads().await;
    let mut by_agent: BTreeMap<usize, Vec<(i32, i64)>> = BTreeMap::new();
    for write in writes {
        by_agent.entry(write.lead % AGENTS).or_default().push((write.partition, write.position));
    }
    let reading: FuturesUnordered<_> = stalled
        .into_iter()
        .map(|(number, mut watching)| {
            let heads = heads.clone();
            tokio::spawn(async move {
                let start = watching.through.clone();
                let mut seen = Vec::new();
                while heads.iter().any(|(partition, head)| watching.through[partition] < *head) {
                    let response = watching.next().await.expect("the stream goes on");
                    seen.extend(response.changes.iter().map(|change| (change.partition, change.position)));
                }
                watching.until(Notice::CaughtUp).await;
                (number, start, seen, watching.notices)
            })
        })
        .collect();
    let mut delivered = 0;
    let results: Vec<_> = reading.map(|read| read.expect("no panic")).collect().await;
    let told = results.iter().filter(|(_, _, _, notices)| notices.contains(&Notice::FellBehind)).count();
    assert!(told * 2 > results.len(), "most readers were told that they fell behind: {told}");
    for (number, start, mut seen, _) in results {
        delivered += seen.len();
        let agents: Vec<usize> = if number % ONE_IN == 0 { (0..AGENTS).collect() } else { vec![number % AGENTS] };
        let expected = agents.iter().filter_map(|agent| by_agent.get(agent)).flatten();
        let mut expected: Vec<_> = expected.filter(|(partition, at)| *at > start[partition]).copied().collect();
        expected.sort_unstable();
        seen.sort_unstable();
        assert!(seen == expected, "reader {number}: {} changes instead of {}", seen.len(), expected.len());
    }
    delivered
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stalled_readers_get_everything() {
    scenario(Size::Small).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: make campaign"]
async fn full_size_stalled_readers_get_everything() {
    scenario(Size::Full).await;
}
