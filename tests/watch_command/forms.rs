//! What is printed: lines for people, JSON for programs, the history for those who check it.

use super::program::{positions, start, watch};
use crate::support::requests::{applied, create, created, message_sent, overridden, override_to, trigger};
use crate::support::server::{Server, server_with};
use lead_pipeline::proto::Stage;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A server with one partition, and the five entries of two leads, one of them unchanged.
async fn with_history() -> (Server, TempDir) {
    let server = server_with(&["--partitions=1"]).await;
    let mut client = server.client();
    client.create_lead(create("lead-1")).await.expect("created");
    applied(&mut client, "lead-1", message_sent()).await;
    applied(&mut client, "lead-1", message_sent()).await;
    let signed = lead_pipeline::proto::OverrideStageRequest {
        reason: "signed\ntoday".into(),
        reopen_channels: true,
        ..override_to("lead-1", Stage::Won)
    };
    client.override_stage(signed).await.expect("overridden");
    created(&mut client, "lead-2").await;
    (server, tempfile::tempdir().expect("a folder"))
}

/// A line without its time.
fn timeless(line: &str) -> &str {
    let (time, rest) = line.split_once("  ").expect("a time");
    assert!(time.starts_with("20") && time.ends_with('Z') && time.len() == 24, "{line}");
    rest
}

#[tokio::test]
async fn people_get_a_line_a_change() {
    let (server, folder) = with_history().await;
    let ended = watch(folder.path(), &server.address(), &["--from", "beginning", "--until-caught-up"]).await.with(0);
    let lines: Vec<&str> = ended.stdout.lines().map(timeless).collect();
    let expected = [
        "lead-1  (none) -> NEW  created (email, phone)  by service unknown",
        "lead-1  NEW -> CONTACTED  message_sent  by service unknown",
        r#"lead-1  CONTACTED -> WON  override (channels reopened)  by person mia@sales  "signed\ntoday""#,
        "lead-2  (none) -> NEW  created (email, phone)  by service unknown",
    ];
    assert_eq!(lines, expected);
    ended
        .saying("lead-pipeline: caught up: what follows is live\n")
        .saying("watched 4 changes, 1 partition, positions 1..5 covered without a gap or a duplicate, 0 reconnects\n");
}

#[tokio::test]
async fn programs_get_the_contracts_json() {
    let (server, folder) = with_history().await;
    let arguments = ["--from", "beginning", "--until-caught-up", "--include-unchanged", "-o", "jsonl"];
    let ended = watch(folder.path(), &server.address(), &arguments).await.with(0);
    assert_eq!(positions(&ended.stdout), (1..=5).map(|n| (0, n)).collect::<Vec<_>>());
    let third: Value = serde_json::from_str(ended.lines()[3]).expect("JSON");
    assert_eq!(third["change"]["toStage"], "STAGE_WON");
    assert_eq!(third["change"]["actor"], json!({"kind": "ACTOR_KIND_PERSON", "id": "mia@sales"}));
    assert_eq!(third.as_object().map(serde_json::Map::len), Some(1), "the change and nothing else");
}

#[tokio::test]
async fn a_filter_shows_what_it_says() {
    let (server, folder) = with_history().await;
    let cases: [(&[&str], &[i64]); 5] = [
        (&["--filter", "to-stage=won"], &[4]),
        (&["--filter", "lead=lead-2", "--filter", "to-stage=STAGE_NEW"], &[5]),
        (&["--filter", "from-stage=new,contacted"], &[2, 4]),
        (&["--filter", "origin=automatic", "--filter", "lead=lead-1"], &[1, 2]),
        (&["--filter", "agent=nobody"], &[]),
    ];
    for (filter, expected) in cases {
        let arguments = [&["--from", "beginning", "--until-caught-up", "-o", "jsonl"], filter].concat();
        let ended = watch(folder.path(), &server.address(), &arguments).await.with(0);
        let found: Vec<i64> = positions(&ended.stdout).iter().map(|place| place.1).collect();
        assert_eq!(found, expected, "{filter:?}");
        ended.saying("positions 1..5 covered without a gap");
    }
}

#[tokio::test]
async fn what_happens_now_is_printed_now_and_a_count_ends_it() {
    let (server, folder) = with_history().await;
    let mut client = server.client();
    let mut run = start(folder.path(), &server.address(), &["--count", "2"]);
    run.says("caught up").await;
    overridden(&mut client, "lead-2", Stage::Lost).await;
    assert_eq!(timeless(&run.line().await), "lead-2  NEW -> LOST  override  by person mia@sales");
    overridden(&mut client, "lead-2", Stage::New).await;
    let ended = run.ended().await.with(0).saying("positions 6..7 covered without");
    assert_eq!(ended.lines().len(), 2);
    let three = watch(folder.path(), &server.address(), &["--from", "beginning", "--count", "3"]).await.with(0);
    assert_eq!(three.lines().len(), 3, "exactly, though the response has more");
}

#[tokio::test]
async fn the_history_holds_every_request_and_response() {
    let (server, folder) = with_history().await;
    let path = folder.path().join("history");
    let record = ["--until-caught-up", "--record", "history", "--cursor-file", "cursor"];
    let named = [&record[..], &["--from", "beginning", "--client-name", "auditor 1"]].concat();
    watch(folder.path(), &server.address(), &named).await.with(0);
    let refused = server.client().apply_trigger(trigger("none", message_sent())).await;
    refused.expect_err("there is no such lead");
    watch(folder.path(), &server.address(), &record).await.with(0);
    let text = std::fs::read_to_string(path).expect("the history");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let requests: Vec<&Value> = lines.iter().filter(|line| line.get("request").is_some()).collect();
    assert_eq!(requests.len(), 2, "{text}");
    assert_eq!((&requests[0]["stream"], &requests[0]["request"]["beginning"]), (&json!("auditor 1"), &json!({})));
    assert_eq!(requests[0]["request"]["checkpoint_interval"], "10s");
    assert!(requests[1]["stream"].as_str().expect("a name").starts_with("watch-"), "{text}");
    let last = lines.iter().rev().find_map(|line| line["response"].get("cursor")).expect("a cursor");
    assert_eq!(&requests[1]["request"]["after_cursor"], last);
    let changes = lines.iter().filter_map(|line| line["response"]["changes"].as_array()).flatten();
    assert_eq!(changes.count(), 4);
}
