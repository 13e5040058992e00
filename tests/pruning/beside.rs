//! Prunes beside running servers, and beside each other.

use super::program::{now, prune, prune_all, until_waiting};
use crate::support::checker::{Sound, check};
use crate::support::cluster::fresh_database;
use crate::support::load::{Told, acknowledged, create_leads, leads, request, send};
use crate::support::process::Process;
use crate::support::server::{Client, Database, server};
use futures::future::{join, join_all};
use std::sync::atomic::{AtomicBool, Ordering};

/// Writers at each replica, and the calls of each.
const WRITERS: usize = 16;
const CALLS: usize = 50;

/// One writer: every call on the next lead; now and then it sends an earlier call again.
async fn write(mut client: Client, leads: &[String], first: usize) -> Vec<Told> {
    let mut told: Vec<Told> = Vec::new();
    for number in 0..CALLS {
        let lead_id = &leads[(first + number) % leads.len()];
        told.push(send(&mut client, request(lead_id, first + number)).await);
        if number % 5 == 4 {
            assert_replayed(&mut client, &told[number / 2]).await;
        }
    }
    told
}

/// The retry has the acknowledged changes, or none if they were pruned.
async fn assert_replayed(client: &mut Client, told: &Told) {
    let (acknowledged, _) = told.answer.as_ref().expect("acknowledged");
    let (changes, replayed) = send(client, told.sent.clone()).await.answer.expect("a replay");
    assert!(replayed, "acknowledged and done again: {:?}", told.sent);
    assert!(changes.is_empty() || &changes == acknowledged, "acknowledged and changed: {changes:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_of_two_replicas_nothing_is_lost_or_doubled() {
    let url = fresh_database().await;
    let (one, other) = tokio::join!(Process::serving(&url, &[]), Process::serving(&url, &[]));
    let leads = leads(10);
    create_leads(&mut one.client(), &leads).await;
    let over = AtomicBool::new(false);
    let load = async {
        let writers = (0..2 * WRITERS).map(|number| {
            let client = if number % 2 == 0 { one.client() } else { other.client() };
            write(client, &leads, number)
        });
        let told: Vec<Told> = join_all(writers).await.into_iter().flatten().collect();
        over.store(true, Ordering::Release);
        told
    };
    let prunes = async {
        let (mut runs, mut pruned) = (0, 0);
        while !over.load(Ordering::Acquire) {
            let before = now(&url).await;
            let ended = prune(&url, &["--before", &before, "--yes", "--chunk=7", "--output=json"]).await.with(0);
            pruned += ended.document()["pruned"]["entries"].as_i64().expect("a number");
            runs += 1;
        }
        (runs, pruned)
    };
    let (told, (runs, pruned)) = join(load, prunes).await;
    let calls = (2 * WRITERS * CALLS) as i64;
    assert_eq!(acknowledged(&told) as i64, calls, "none fails");
    assert!(told.iter().all(|told| told.answer.as_ref().is_ok_and(|(_, replayed)| !replayed)), "none is a replay");
    assert!(runs > 1 && pruned > 0, "{runs} prunes took {pruned} entries");
    assert_eq!(check(&url).await, Sound { leads: 10, entries: 10 + calls - pruned });
    let mut database = Database::connect(&url).await;
    assert_eq!(database.number("select sum(position) from heads").await, 10 + calls);
    assert_eq!(database.number("select sum(floor) from heads").await, pruned);
    assert_eq!(database.number("select sum(version) from leads").await, 10 + calls);
    let deadlocks = "select deadlocks from pg_stat_database where datname = current_database()";
    assert_eq!(database.number(deadlocks).await, 0);
    prune_all(&url).await;
    for told in &told {
        assert_replayed(&mut other.client(), told).await;
    }
    assert_eq!(check(&url).await, Sound { leads: 10, entries: 0 }, "retries add nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_at_once_share_the_work() {
    let server = server().await;
    let (url, mut client) = (server.database_url(), server.client());
    let leads = leads(20);
    create_leads(&mut client, &leads).await;
    for number in 0..200 {
        send(&mut client, request(&leads[number % 20], number)).await.answer.expect("accepted");
    }
    let (mut database, mut looks) = (server.database().await, server.database().await);
    let before = now(url).await;
    // Both begin with the first partition, and wait there for each other.
    database.run("begin; select from heads where partition = 0 for update").await;
    let run = |chunk: &'static str| {
        let before = &before;
        async move { prune(url, &["--before", before, "--yes", "--output=json", chunk]).await }
    };
    let unlock = async {
        until_waiting(&mut looks, 2).await;
        database.unlock().await;
    };
    let (one, other, ()) = tokio::join!(run("--chunk=1"), run("--chunk=3"), unlock);
    let mut total = 0;
    for ended in [one, other] {
        let document = ended.with(0).document();
        assert_eq!(document["total"]["entries"], 220, "both planned all of it");
        total += document["pruned"]["entries"].as_i64().expect("a number");
    }
    assert_eq!(total, 220, "each entry went once");
    assert_eq!(check(url).await, Sound { leads: 20, entries: 0 });
}
