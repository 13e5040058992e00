//! A foreign transaction that stays open for a minute on the same database delays no change.

use super::figures::{promise, rate, say};
use super::load::{Load, calls};
use super::stage::{Size, Stage};
use super::subscriber::Subscriber;
use crate::support::server::Database;
use crate::support::watcher::{Watching, from_beginning};
use std::time::{Duration, Instant};

async fn scenario(size: Size) {
    let stage = Stage::new(size, size.of(1_000, 100_000), &[]).await;
    let part = size.of(Duration::from_millis(300), Duration::from_secs(20));
    let subscriber = Subscriber::start(&mut stage.server.client()).await;
    let (start, load) = (Instant::now(), Load::steady(&stage, size.of(200, 2_000)));
    tokio::time::sleep(part).await;
    let mut foreign = Database::connect(&stage.url).await;
    foreign.run("create table foreign_table (x int)").await;
    // With a snapshot that sees the leads as they are now, and with an id of its own.
    foreign
        .run("begin isolation level repeatable read; select count(*) from leads; insert into foreign_table values (1)")
        .await;
    let opened = Instant::now();
    tokio::time::sleep(3 * part).await;
    let closed = Instant::now();
    foreign.run("commit").await;
    let writes = load.finish().await;
    // Everything that was acknowledged arrives.
    let heads = stage.heads().await;
    let mut all = Watching::start(&mut stage.server.client(), from_beginning()).await;
    let count = all.through(&heads).await.len();
    assert_eq!(count, stage.leads + writes.len(), "every write is a change");
    let delays = subscriber.finish().await.delays(&writes);
    if size == Size::Small {
        return;
    }
    let calls = calls(&writes);
    let (alone, last) = (start + Duration::from_secs(1)..opened, closed.checked_sub(part).unwrap_or(closed)..closed);
    let (before, last) = (calls.within(alone.clone()), calls.within(last));
    let (delay_before, delay_during) = (delays.within(alone), delays.within(opened..closed));
    let during = calls.within(opened..closed).count();
    say(format_args!("beside a transaction that is open for a minute: {:.0} changes/s", rate(during, closed - opened)));
    say(format_args!("a call before: {before}"));
    say(format_args!("a call in the last third of the minute: {last}"));
    say(format_args!("a subscriber's delay before: {delay_before}"));
    say(format_args!("a subscriber's delay during: {delay_during}"));
    let slack = Duration::from_millis(2);
    promise("a foreign transaction delays no change (p99 within 1.5 x and 2 ms)", {
        delay_during.usual_p99() <= delay_before.usual_p99().mul_f64(1.5) + slack
    });
    promise("nor a call (p99 within 1.5 x and 2 ms)", last.usual_p99() <= before.usual_p99().mul_f64(1.5) + slack);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_transaction_delays_nobody() {
    scenario(Size::Small).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: make campaign"]
async fn full_size_a_foreign_transaction_delays_nobody() {
    scenario(Size::Full).await;
}
