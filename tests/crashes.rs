//! Crashes under load: whatever was acknowledged is there afterwards, and every request has one effect.

use crate::support::checker::check;
use crate::support::cluster::fresh_database;
use crate::support::errors::failed;
use crate::support::folder::Folder;
use crate::support::process::Process;
use crate::support::requests::{create, message_sent, new_id, trigger};
use crate::support::server::{Database, client_at, replica_of, server};
use crate::support::wait::{eventually, within};
use lead_pipeline::proto::ApplyTriggerRequest;
use lead_pipeline::store::embedded::{EmbeddedPostgres, Settings};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::HashSet;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tonic::Code;

const LEADS: usize = 10;
const CALLERS: usize = 16;
const CALLS: usize = 60;

/// A lead's id.
fn lead(number: usize) -> String {
    format!("lead-{number}")
}

/// An address that a server can come back to.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port")
}

async fn create_leads(address: SocketAddr) {
    let mut client = client_at(address);
    for number in 0..LEADS {
        client.create_lead(create(&lead(number))).await.expect("a new lead");
    }
}

/// Callers that send their calls one after the other, each again and again with the same id until it is answered.
/// Returns the ids; `answered` counts along.
fn callers(addresses: &[SocketAddr], answered: &Arc<AtomicUsize>) -> JoinSet<Vec<String>> {
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let (address, answered) = (addresses[caller % addresses.len()], Arc::clone(answered));
        callers.spawn(async move {
            let mut ids = Vec::new();
            for call in 0..CALLS {
                let request = ApplyTriggerRequest {
                    request_id: new_id(),
                    ..trigger(&lead((caller * 7 + call) % LEADS), message_sent())
                };
                until_answered(address, &request).await;
                answered.fetch_add(1, Ordering::AcqRel);
                ids.push(request.request_id);
            }
            ids
        });
    }
    callers
}

async fn until_answered(address: SocketAddr, request: &ApplyTriggerRequest) {
    let mut client = client_at(address);
    let answer = async {
        while let Err(status) = client.apply_trigger(request.clone()).await {
            // What a caller may send again: the server or its database was away.
            let away = [Code::Unavailable, Code::Unknown, Code::Cancelled, Code::Internal];
            assert!(away.contains(&status.code()), "{status:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    within("an answer", answer).await;
}

/// Waits until so many calls are answered.
async fn reached(answered: &AtomicUsize, count: usize) {
    eventually("answers", async || (answered.load(Ordering::Acquire) >= count).then_some(())).await;
}

/// Everything that was acknowledged is recorded, once, and the database is sound.
async fn nothing_is_lost(url: &str, mut callers: JoinSet<Vec<String>>) {
    let mut acknowledged = HashSet::new();
    while let Some(ids) = within("the callers", callers.join_next()).await {
        acknowledged.extend(ids.expect("a caller that ends well"));
    }
    assert_eq!(acknowledged.len(), CALLERS * CALLS);
    check(url).await;
    let mut database = Database::connect(url).await;
    for request_id in acknowledged {
        let query = format!("select count(*) from entries where request_id = '{request_id}'");
        assert_eq!(database.number(Box::leak(query.into_boxed_str())).await, 1, "{request_id}");
    }
    let entries = database.number("select count(*) from entries").await;
    assert_eq!(entries as usize, LEADS + CALLERS * CALLS, "nothing else was recorded");
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_of_the_server_loses_nothing_acknowledged() {
    let url = fresh_database().await;
    let address = free_address();
    let listen = format!("--listen={address}");
    let start = async || {
        let mut process = Process::spawn(&url, &["--testing", &listen]);
        process.serves().await;
        process
    };
    let mut process = start().await;
    create_leads(address).await;
    let answered = Arc::new(AtomicUsize::new(0));
    let callers = callers(&[address], &answered);
    for kill in 1..=3 {
        reached(&answered, kill * CALLERS * CALLS / 5).await;
        process.kill().await;
        process = start().await;
    }
    nothing_is_lost(&url, callers).await;
    process.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_of_postgres_loses_nothing_acknowledged() {
    let folder = Folder::new().expect("a temporary folder");
    let settings = Settings { max_connections: 40, shared_buffers_mib: 64, ..Settings::new(folder.path()) };
    let postgres = EmbeddedPostgres::start(settings).await.expect("Postgres starts");
    postgres.ensure_database("crash").await.expect("a database");
    let url = postgres.url("crash");
    // Not --testing: this Postgres is as durable as the one users get.
    let mut process = Process::spawn(&url, &["--listen=127.0.0.1:0"]);
    let address = process.serves().await;
    create_leads(address).await;
    let answered = Arc::new(AtomicUsize::new(0));
    let callers = callers(&[address], &answered);
    for kill in 1..=2 {
        reached(&answered, kill * CALLERS * CALLS / 4).await;
        postgres.ensure_running().await.expect("it is watched over");
        let pid = postgres.running().borrow().expect("it runs");
        kill_process(Pid::from_raw(pid.cast_signed()).expect("a process"), Signal::KILL).expect("it lived");
    }
    nothing_is_lost(&url, callers).await;
    process.kill().await;
    postgres.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_on_the_same_ten_leads_neither_deadlock_nor_lose_a_write() {
    let one = server().await;
    let other = replica_of(&one).await;
    let addresses = [one.address(), other.address()].map(|address| address.parse().expect("an address"));
    create_leads(addresses[0]).await;
    let callers = callers(&addresses, &Arc::new(AtomicUsize::new(0)));
    nothing_is_lost(one.database_url(), callers).await;
    let deadlocks = "select deadlocks from pg_stat_database where datname = current_database()";
    assert_eq!(one.database().await.number(deadlocks).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_under_load_answers_every_call_and_ends_well() {
    let url = fresh_database().await;
    let address = free_address();
    let listen = format!("--listen={address}");
    let mut process = Process::spawn(&url, &["--testing", &listen]);
    process.serves().await;
    create_leads(address).await;
    let answered = Arc::new(AtomicUsize::new(0));
    let callers = callers(&[address], &answered);
    reached(&answered, CALLERS * CALLS / 4).await;
    process.terminate();
    let ended = process.ended().await;
    assert!(ended.status.success(), "{}", ended.stderr);
    let mut process = Process::spawn(&url, &["--testing", &listen]);
    process.serves().await;
    nothing_is_lost(&url, callers).await;
    process.kill().await;
}

#[tokio::test]
async fn a_database_that_can_lose_writes_is_refused() {
    // The tests' own Postgres runs with fsync off.
    let ended = Process::spawn(&fresh_database().await, &["--listen=127.0.0.1:0"]).ended().await;
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stderr.contains("fsync = off"), "{}", ended.stderr);
}

#[tokio::test]
async fn a_database_that_comes_up_later_is_waited_for() {
    let folder = Folder::new().expect("a temporary folder");
    let settings = Settings { shared_buffers_mib: 64, ..Settings::new(folder.path()) };
    let first = EmbeddedPostgres::start(settings.clone()).await.expect("Postgres starts");
    first.ensure_database("late").await.expect("a database");
    let url = first.url("late");
    first.stop().await.expect("it stops");

    let address = free_address();
    let mut process = Process::spawn(&url, &[&format!("--listen={address}")]);
    let status = eventually("a server that waits", || async {
        match client_at(address).create_lead(create("early")).await {
            Err(status) if status.message().contains("database") => Some(status),
            _ => None,
        }
    })
    .await;
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    let second = EmbeddedPostgres::start(settings).await.expect("Postgres starts");
    process.serves().await;
    client_at(address).create_lead(create("late")).await.expect("it serves");
    process.kill().await;
    second.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_the_standby_did_not_confirm_is_of_unknown_outcome() {
    let folder = Folder::new().expect("a temporary folder");
    let settings = Settings { max_connections: 40, shared_buffers_mib: 64, ..Settings::new(folder.path()) };
    let postgres = EmbeddedPostgres::start(settings).await.expect("Postgres starts");
    postgres.ensure_database("standby").await.expect("a database");
    let url = postgres.url("standby");
    let mut process = Process::spawn(&url, &["--listen=127.0.0.1:0"]);
    let mut client = client_at(process.serves().await);
    client.create_lead(create("lead-1")).await.expect("a new lead");
    let mut operator = Database::connect(&url).await;
    // Nobody by that name will ever confirm.
    operator.run("alter system set synchronous_standby_names = 'nobody'").await;
    operator.run("select pg_reload_conf()").await;
    let call = tokio::spawn(async move { client.apply_trigger(trigger("lead-1", message_sent())).await });
    let waiting = "select count(pg_cancel_backend(pid)) from pg_stat_activity where wait_event = 'SyncRep'";
    eventually("a commit that waits", async || (operator.number(waiting).await > 0).then_some(())).await;
    failed(within("the answer", call).await.expect("no panic")).is(Code::Unavailable, "OUTCOME_UNKNOWN");
    process.kill().await;
    postgres.stop().await.expect("it stops");
}
