//! Many workers on two replicas: none is handed what another holds, and what a dropped one held comes back.

use super::revivals::{revive, summary};
use super::{complete, leased, time_of};
use crate::support::checker::check;
use crate::support::load::{create_leads, leads};
use crate::support::requests::overridden;
use crate::support::server::{Client, replica_of, server};
use crate::support::wait::{eventually, within};
use lead_pipeline::proto::{FollowUp, LeaseFollowUpsRequest, OutreachMode, Stage};
use prost_types::Duration;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::task::JoinSet;

const LEADS: usize = 2000;
const LEASE: i64 = 60;

/// What the workers were handed, and what they completed.
#[derive(Default)]
struct Book {
    /// For each lead when each of its leases began and ended, by the database's time.
    leases: HashMap<String, Vec<(i64, i64)>>,
    completed: HashMap<String, usize>,
}

/// Takes and completes until there is nothing.
async fn work(mut client: Client, book: Arc<Mutex<Book>>) {
    let request = LeaseFollowUpsRequest {
        max_follow_ups: 20,
        lease_duration: Some(Duration { seconds: LEASE, nanos: 0 }),
        ..Default::default()
    };
    loop {
        let got = leased(&mut client, request.clone()).await;
        if got.is_empty() {
            return;
        }
        note(&mut book.lock().expect("no panic"), &got);
        for follow_up in got {
            assert_eq!(complete(&mut client, &follow_up).await.expect("it is this worker's"), None);
            let lead_id = follow_up.lead.expect("a lead").lead_id;
            *book.lock().expect("no panic").completed.entry(lead_id).or_default() += 1;
        }
    }
}

fn note(book: &mut Book, got: &[FollowUp]) {
    for follow_up in got {
        let end = time_of(follow_up.lease_expires_at);
        let lead_id = follow_up.lead.as_ref().expect("a lead").lead_id.clone();
        book.leases.entry(lead_id).or_default().push((end - LEASE * 1_000_000, end));
    }
}

async fn exhausted(client: Client, leads: &[String]) {
    let mut tasks = JoinSet::new();
    for part in leads.chunks(leads.len().div_ceil(16)).map(<[String]>::to_vec) {
        let mut client = client.clone();
        tasks.spawn(async move {
            for lead_id in part {
                overridden(&mut client, &lead_id, Stage::Exhausted).await;
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.expect("no panic");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_workers_take_each_once_and_lose_none() {
    let server = server().await;
    let replica = replica_of(&server).await;
    let mut client = server.client();
    let leads = leads(LEADS);
    for part in leads.chunks(1000) {
        create_leads(&mut client, part).await;
    }
    exhausted(client.clone(), &leads).await;
    assert_eq!(summary(&mut client, revive("default", OutreachMode::Blended)).await.revived, LEADS as i64);

    let book = Arc::new(Mutex::new(Book::default()));
    let clients = [server.client(), replica.client()];
    let mut workers = JoinSet::new();
    let dropped: Vec<_> =
        (0..16).map(|number| workers.spawn(work(clients[number % 2].clone(), Arc::clone(&book)))).step_by(4).collect();
    let done = || book.lock().expect("no panic").completed.len();
    eventually("some of the work", async || (done() >= LEADS / 4).then_some(())).await;
    dropped.iter().for_each(tokio::task::AbortHandle::abort);
    let ended = async {
        while let Some(ended) = workers.join_next().await {
            assert!(ended.as_ref().err().is_none_or(tokio::task::JoinError::is_cancelled), "{ended:?}");
        }
    };
    within("the workers", ended).await;
    // What the dropped ones held comes back.
    server.database().await.move_time(LEASE + 1).await;
    within("the last worker", work(replica.client(), Arc::clone(&book))).await;

    assert_eq!(server.database().await.number("select count(*) from leads where follow_up_at is not null").await, 0);
    sound(&book.lock().expect("no panic"));
    check(server.database_url()).await;
}

fn sound(book: &Book) {
    assert!(book.completed.values().all(|count| *count == 1), "completed twice");
    // Each dropped worker may have completed one whose answer it didn't wait for.
    assert!(book.completed.len() >= LEADS - 4, "{}", book.completed.len());
    for (lead_id, leases) in &book.leases {
        let mut leases = leases.clone();
        leases.sort_unstable();
        assert!(leases.windows(2).all(|two| two[0].1 <= two[1].0), "{lead_id} was two workers': {leases:?}");
    }
}
