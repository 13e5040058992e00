//! SIGTERM under load: watchers are told first, every call is answered, what was acknowledged is there, exit code 0.

use crate::support::checker::check;
use crate::support::cluster::fresh_database;
use crate::support::errors::failed;
use crate::support::load::{Told, acknowledged, assert_retryable, create_leads, leads, retry_all, until_failure};
use crate::support::process::Process;
use crate::support::watcher::{Watching, after, from_now, keys};
use futures::stream::{FuturesUnordered, StreamExt};
use lead_pipeline::proto::{Notice, WatchStageChangesRequest};
use tonic::Code;
use tonic_types::StatusExt;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_under_load_answers_everyone() {
    let url = fresh_database().await;
    let leads = leads(32);
    let server = Process::serving(&url, &[]).await;
    create_leads(&mut server.client(), &leads).await;
    let everything = WatchStageChangesRequest { include_unchanged: true, ..from_now() };
    let mut watching = Watching::start(&mut server.client(), everything.clone()).await;
    let client = server.client();
    let clients: FuturesUnordered<_> =
        leads.iter().map(|lead_id| tokio::spawn(until_failure(client.clone(), lead_id.clone(), 100_000))).collect();
    let mut seen = Vec::new();
    while seen.len() < 500 {
        seen.extend(watching.next().await.expect("the stream goes on").changes);
    }
    server.terminate();
    seen.extend(watching.until(Notice::GoingAway).await);
    failed(Err::<(), _>(watching.end().await)).is(Code::Unavailable, "UNAVAILABLE").asks_to_retry(true);
    let told: Vec<Told> =
        clients.map(|told| told.expect("no panic")).collect::<Vec<_>>().await.into_iter().flatten().collect();
    // CANCELLED is the client library's word for a call that it had not put on the wire yet.
    assert_retryable(&told, &[Code::Unavailable, Code::Cancelled]);
    let ended = server.ended().await;
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    let acknowledged = acknowledged(&told);
    let sound = check(&url).await;
    assert!(sound.entries as usize >= acknowledged + leads.len(), "what was acknowledged is there");
    let server = Process::serving(&url, &[]).await;
    let resumed = WatchStageChangesRequest { start: after(&watching.cursor).start, ..everything };
    let mut resumed = Watching::start(&mut server.client(), resumed).await;
    seen.extend(resumed.until(Notice::CaughtUp).await);
    assert_eq!(seen.len(), sound.entries as usize - leads.len(), "the cursor continues without a gap or a double");
    let mut distinct = keys(&seen);
    distinct.dedup();
    assert_eq!(distinct.len(), seen.len());
    let applied = retry_all(&mut server.client(), &told).await;
    assert_eq!(sound.entries as usize, acknowledged + leads.len() + applied.len(), "no other was applied");
    for told in applied {
        let status = told.answer.as_ref().expect_err("not acknowledged");
        let reason = status.get_details_error_info().map(|info| info.reason);
        assert_eq!(reason.as_deref(), Some("OUTCOME_UNKNOWN"), "told as not applied, and applied: {status:?}");
    }
    check(&url).await;
}

#[tokio::test]
async fn a_server_that_waits_for_its_database_stops_too() {
    let server = Process::spawn("postgres://nobody@127.0.0.1:1/none", &["--listen=127.0.0.1:0"]);
    server.logged("waiting for the database").await;
    server.terminate();
    let ended = server.ended().await;
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
}
