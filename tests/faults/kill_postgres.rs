//! kill -9 of Postgres under load: the server settles what it sent or says that it can't know, and finds the new one.

use crate::support::checker::check;
use crate::support::errors::assert_fit_for_callers;
use crate::support::folder::Folder;
use crate::support::load::{Told, acknowledged, create_leads, leads, request, retry_all, send};
use crate::support::process::Process;
use crate::support::server::Client;
use crate::support::wait::within;
use crate::support::watcher::{Watching, from_beginning};
use futures::stream::{FuturesUnordered, StreamExt};
use lead_pipeline::store::embedded::{EmbeddedPostgres, Settings};
use rustix::process::{Pid, Signal, kill_process};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::sync::Notify;
use tonic::Code;

/// What all clients of the load share.
#[derive(Default)]
struct Load {
    answered: AtomicUsize,
    enough: Notify,
    over: AtomicBool,
}

/// Writes on one lead, through failures, until the load is over.
async fn write(mut client: Client, lead_id: String, load: Arc<Load>) -> Vec<Told> {
    let mut told: Vec<Told> = Vec::new();
    while !load.over.load(Ordering::Acquire) {
        told.push(send(&mut client, request(&lead_id, told.len())).await);
        if load.answered.fetch_add(1, Ordering::Relaxed) == 500 {
            load.enough.notify_one();
        }
        assert!(told.len() < 100_000, "the load has an end");
    }
    told
}

/// Kills the postmaster and everything it started, and waits until another one accepts connections.
async fn kill(postgres: &EmbeddedPostgres) {
    let mut running = postgres.running();
    let pid = running.borrow_and_update().expect("it runs");
    kill_process(Pid::from_raw(pid.cast_signed()).expect("a process"), Signal::KILL).expect("killed");
    within("Postgres to run again", running.wait_for(|now| now.is_some_and(|now| now != pid))).await.expect("watched");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_with_the_database() {
    let folder = Folder::new().expect("a folder");
    let settings = Settings { shared_buffers_mib: 128, ..Settings::new(folder.path()) };
    assert!(settings.durable);
    let postgres = EmbeddedPostgres::start(settings).await.expect("Postgres starts");
    postgres.ensure_database("pipeline").await.expect("a database");
    let url = postgres.url("pipeline");
    let server = Process::serving(&url, &["--write-patience=30s"]).await;
    let mut client = server.client();
    let leads = leads(16);
    create_leads(&mut client, &leads).await;
    let load = Arc::new(Load::default());
    let clients: FuturesUnordered<_> =
        leads.iter().map(|lead_id| tokio::spawn(write(server.client(), lead_id.clone(), Arc::clone(&load)))).collect();
    within("the load", load.enough.notified()).await;
    kill(&postgres).await;
    // A write that waited through it all is answered now: the server has found the new Postgres by itself.
    send(&mut client, request(&leads[0], 0)).await.answer.expect("the server finds the database again");
    load.over.store(true, Ordering::Release);
    let told: Vec<Told> =
        clients.map(|told| told.expect("no panic")).collect::<Vec<_>>().await.into_iter().flatten().collect();
    assert!(acknowledged(&told) >= 400, "{} calls of {} were acknowledged", acknowledged(&told), told.len());
    for status in told.iter().filter_map(|told| told.answer.as_ref().err()) {
        assert_eq!(status.code(), Code::Unavailable, "{status:?}");
        assert_fit_for_callers(status);
    }
    check(&url).await;
    retry_all(&mut client, &told).await;
    let sound = check(&url).await;
    assert_eq!(sound.entries as usize, leads.len() + 1 + told.len(), "each request has just one effect");
    let mut watching = Watching::start(&mut client, from_beginning()).await;
    watching.until(lead_pipeline::proto::Notice::CaughtUp).await;
    assert_eq!(watching.through.values().sum::<i64>(), sound.entries, "and a watcher sees them all");
    drop(server);
    postgres.stop().await.expect("Postgres stops");
}
