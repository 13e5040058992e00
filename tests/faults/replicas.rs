//! Two replicas write the same ten leads as fast as they can: no deadlock, no lost write.

use crate::support::checker::{Sound, check};
use crate::support::cluster::fresh_database;
use crate::support::load::{Told, acknowledged, create_leads, leads, request, retry_all, send};
use crate::support::process::Process;
use crate::support::requests::lead;
use crate::support::server::{Client, Database};
use futures::future::join_all;
use std::collections::BTreeSet;

/// Writers at each replica, and the calls of each.
const WRITERS: usize = 16;
const CALLS: usize = 50;

/// One writer: every call on the next lead.
async fn write(mut client: Client, leads: &[String], first: usize) -> Vec<Told> {
    let mut told = Vec::new();
    for number in 0..CALLS {
        let lead_id = &leads[(first + number) % leads.len()];
        told.push(send(&mut client, request(lead_id, first + number)).await);
    }
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_on_the_same_ten_leads_lose_nothing() {
    let url = fresh_database().await;
    let flags = ["--partitions=4"];
    let (one, other) = tokio::join!(Process::serving(&url, &flags), Process::serving(&url, &flags));
    let leads = leads(10);
    create_leads(&mut one.client(), &leads).await;
    let writers = (0..2 * WRITERS).map(|number| {
        let client = if number % 2 == 0 { one.client() } else { other.client() };
        write(client, &leads, number)
    });
    let told: Vec<Told> = join_all(writers).await.into_iter().flatten().collect();
    let calls = 2 * WRITERS * CALLS;
    assert_eq!(acknowledged(&told), calls, "none fails");
    assert!(told.iter().all(|told| told.answer.as_ref().is_ok_and(|(_, replayed)| !replayed)), "none is a replay");
    let entries: BTreeSet<_> = told
        .iter()
        .flat_map(|told| told.answer.iter().flat_map(|(changes, _)| changes))
        .map(|change| (change.lead_id.clone(), change.version))
        .collect();
    assert_eq!(entries.len(), calls, "each acknowledged its own version of its lead");
    let sound = check(&url).await;
    assert_eq!(sound, Sound { leads: 10, entries: (10 + calls) as i64 }, "what is recorded is what was acknowledged");
    let mut database = Database::connect(&url).await;
    let deadlocks = "select deadlocks from pg_stat_database where datname = current_database()";
    assert_eq!(database.number(deadlocks).await, 0);
    for lead_id in &leads {
        let (a, b) = (lead(&mut one.client(), lead_id).await, lead(&mut other.client(), lead_id).await);
        assert_eq!(a, b, "both read the same");
    }
    retry_all(&mut other.client(), &told[..100]).await;
    assert_eq!(check(&url).await, sound, "retries add nothing");
}
