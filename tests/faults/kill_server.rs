//! kill -9 of the server under load: every acknowledged write is there, each request has one effect.

use crate::support::checker::check;
use crate::support::cluster::fresh_database;
use crate::support::load::{
    Told, acknowledged, assert_retryable, create_leads, leads, request, retry_all, send, until_failure,
};
use crate::support::process::Process;
use futures::stream::{FuturesUnordered, StreamExt};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;
use tonic::Code;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_with_the_server() {
    let url = fresh_database().await;
    let mut entries = 0;
    let mut told: Vec<Told> = Vec::new();
    let leads = leads(32);
    let mut server = Process::serving(&url, &[]).await;
    create_leads(&mut server.client(), &leads).await;
    for round in 0..3 {
        let (done, enough) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let clients: FuturesUnordered<_> = leads
            .iter()
            .map(|lead_id| {
                let (client, lead_id) = (server.client(), lead_id.clone());
                let (done, enough) = (Arc::clone(&done), Arc::clone(&enough));
                tokio::spawn(async move {
                    let mut told = until_failure(client.clone(), lead_id.clone(), 10).await;
                    if done.fetch_add(1, Ordering::Relaxed) == 16 {
                        enough.notify_one();
                    }
                    told.extend(until_failure(client, lead_id, 100_000).await);
                    told
                })
            })
            .collect();
        // Half of the clients have had ten answers each, and all of them are at it.
        crate::support::wait::within("the load", enough.notified()).await;
        server.kill().await;
        let round_told: Vec<Told> =
            clients.map(|told| told.expect("no panic")).collect::<Vec<_>>().await.into_iter().flatten().collect();
        assert!(acknowledged(&round_told) >= 160, "round {round} was under load");
        assert_retryable(&round_told, &[Code::Unavailable, Code::Unknown, Code::Cancelled, Code::Internal]);
        told.extend(round_told);
        server = Process::serving(&url, &[]).await;
        check(&url).await;
        retry_all(&mut server.client(), &told).await;
        entries = told.len() + leads.len();
        assert_eq!(check(&url).await.entries, entries as i64, "each request has just one effect");
    }
    send(&mut server.client(), request(&leads[0], 0)).await.answer.expect("and on it goes");
    assert_eq!(check(&url).await.entries, entries as i64 + 1);
}
