//! `lead-pipeline verify` itself: exit codes and what it prints; and `apply --record`, whose histories it reads.

use super::scene::{Scene, scene};
use crate::apply::JOURNEYS;
use crate::apply::program::apply;
use crate::support::cluster::fresh_database;
use crate::support::command::{Ended, Run};
use crate::support::server::{Database, server};
use std::fs;
use std::path::Path;

async fn verify(url: &str, arguments: &[&str]) -> Ended {
    Run::start_with(&[("DATABASE_URL", url)], ".", &[&["verify"], arguments].concat()).ended().await
}

/// Applies the journeys, with a history.
async fn recorded(folder: &Path, address: &str, arguments: &[&str]) {
    let arguments = [&["calls", "--record", "history"], arguments].concat();
    apply(folder, address, &arguments).await.with(0);
}

#[tokio::test]
async fn a_recorded_file_is_verified_and_a_lost_write_is_printed() {
    let (server, folder) = (server().await, tempfile::tempdir().expect("a folder"));
    let address = format!("http://{}", server.address());
    fs::write(folder.path().join("calls"), JOURNEYS).expect("a file");
    recorded(folder.path(), &address, &[]).await;
    // A second run is recorded behind the first: replays.
    recorded(folder.path(), &address, &[]).await;
    let history = folder.path().join("history");
    let history = history.to_str().expect("UTF-8");
    let lines = fs::read_to_string(history).expect("a history");
    assert_eq!(lines.lines().count(), 2 * JOURNEYS.lines().count());
    let url = server.database_url().to_owned();

    let sound = verify(&url, &[history]).await.with(0);
    let counts = "0 findings: 16 entries of 3 leads (3 folded) in 4 partitions; 30 calls acknowledged";
    assert!(sound.stdout.starts_with(counts), "{sound:?}");

    let cut = r#"{"call":"CreateLead","request":{"lead_id":"small-1"}"#;
    let created = lines.lines().find(|line| line.starts_with(r#"{"call":"CreateLead","request":{"lead_id":"small-1""#));
    let made_up = created.expect("its creation").replace("\"small-1\"", "\"nobody\"");
    fs::write(history, format!("{lines}{made_up}\n{cut}")).expect("written");
    let unsound = verify(&url, &["-o", "json", history]).await.with(1);
    let lines = unsound.stdout.lines();
    let printed: Vec<serde_json::Value> = lines.map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(printed[0]["kind"], "write_lost", "{printed:?}");
    assert_eq!(printed[0]["where"], format!("{history}:31"));
    let summary = &printed.last().expect("a summary")["summary"];
    assert_eq!(
        (summary["findings"].as_u64(), summary["cut_lines"].as_u64()),
        (Some(printed.len() as u64 - 1), Some(1))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn findings_are_limited_and_counted() {
    let Scene { url, .. } = scene().await;
    let url = crate::support::cluster::copy_of(url).await;
    Database::connect(&url).await.run("update leads set email_failures = 7").await;
    let ended = verify(&url, &["--findings", "3"]).await.with(1);
    assert_eq!(ended.stdout.matches("lead_differs: lead lead-").count(), 3, "{ended:?}");
    assert!(ended.lines().last().is_some_and(|line| line.starts_with("10 findings: ")), "{ended:?}");
}

#[tokio::test]
async fn what_cannot_be_checked_is_said() {
    let empty = fresh_database().await;
    let folder = tempfile::tempdir().expect("a folder");
    let history = folder.path().join("history");
    fs::write(&history, "{\"call\": \"GetLead\", \"request\": {}, \"response\": {}}\n").expect("written");
    let history = history.to_str().expect("UTF-8");
    let served = server().await;
    for (url, arguments, said) in [
        (empty.as_str(), vec![], "no such server has served it yet"),
        ("mysql://x:secret@y/z", vec![], "postgres://"),
        (served.database_url(), vec![history], "history:1: call is \"GetLead\""),
        (served.database_url(), vec!["/none/such"], "can't read /none/such"),
    ] {
        let ended = verify(url, &arguments).await.with(2).saying(said);
        assert!(!ended.stderr.contains("secret"), "{ended:?}");
    }
}
