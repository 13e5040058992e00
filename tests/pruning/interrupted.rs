//! A prune that is cut off, and run again.

use super::program::{entries, now, prune, prune_all, start, until_waiting};
use crate::support::checker::{Sound, check};
use crate::support::load::{create_leads, leads, request, send};
use crate::support::server::{Server, server};
use crate::support::wait::eventually;
use rustix::process::Signal;

/// A server with a history: 40 leads, of 11 entries each.
async fn with_history() -> Server {
    let server = server().await;
    let mut client = server.client();
    let leads = leads(40);
    create_leads(&mut client, &leads).await;
    for lead_id in &leads {
        for number in 0..10 {
            send(&mut client, request(lead_id, number)).await.answer.expect("accepted");
        }
    }
    server
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_the_middle_it_is_run_again() {
    let server = with_history().await;
    let (url, mut database) = (server.database_url(), server.database().await);
    for round in 0..3 {
        // It can't come to its end: the next partition is locked.
        let lock = format!("begin; select from heads where partition = {} for update", round + 1);
        database.run(&lock).await;
        let before = now(url).await;
        let kept = entries(url).await;
        let run = start(&["--database-url", url, "--before", &before, "--yes", "--chunk=1"]);
        eventually("some of it to be pruned", async || (entries(url).await < kept).then_some(())).await;
        let session = "select coalesce(max(pid), 0) from pg_stat_activity where datname = current_database()
                       and query like '-- One chunk of a prune%' and pid <> pg_backend_pid()";
        let mut looker = server.database().await;
        let session =
            eventually("its session", async || Some(looker.number(session).await).filter(|session| *session > 0)).await;
        run.send(Signal::KILL);
        assert_eq!(run.ended().await.code, None, "killed");
        database.unlock().await;
        // Its session ends with the statement that was under way.
        let sessions = format!("select count(*) from pg_stat_activity where pid = {session}");
        eventually("its session to end", async || (database.number(&sessions).await == 0).then_some(())).await;
        let kept = entries(url).await;
        assert!(kept > 0, "it was killed in the middle");
        assert_eq!(check(url).await, Sound { leads: 40, entries: kept });
    }
    let kept = entries(url).await;
    assert_eq!(prune_all(url).await, kept, "the rest");
    assert_eq!(check(url).await, Sound { leads: 40, entries: 0 });
    assert_eq!(database.number("select count(*) from pruned_requests").await, 440);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_ends_it_between_two_statements() {
    let server = with_history().await;
    let (url, mut database, mut looks) = (server.database_url(), server.database().await, server.database().await);
    let before = now(url).await;
    database.run("begin; select from heads where partition = 2 for update").await;
    let arguments = ["--database-url", url, "--before", &before, "--yes", "--chunk=1", "--output=json"];
    let mut run = start(&arguments);
    until_waiting(&mut looks, 1).await;
    run.send(Signal::INT);
    run.says("stopping after this statement").await;
    database.unlock().await;
    let ended = run.ended().await.with(130);
    assert!(ended.stderr.starts_with("lead-pipeline: stopping after this statement"), "{ended:?}");
    let document = ended.document();
    assert_eq!(document["pruned"]["complete"], false, "{document}");
    let pruned = document["pruned"]["entries"].as_i64().expect("a number");
    let kept = 440 - pruned;
    assert!(pruned > 0 && kept > 0, "{document}");
    assert_eq!(check(url).await, Sound { leads: 40, entries: kept }, "it says what it did");
    let rest = prune(url, &["--before", &before, "--yes", "--output=json"]).await.document();
    assert_eq!((rest["pruned"]["entries"].as_i64(), entries(url).await), (Some(kept), 0));
}
