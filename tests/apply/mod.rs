//! `lead-pipeline apply`: the program itself, against a server.

mod path;
pub mod program;
mod real;

use crate::support::wait::eventually;
use lead_pipeline::proto::lead_pipeline_client::LeadPipelineClient;
use lead_pipeline::proto::{GetLeadRequest, ListLeadsRequest, Stage};
use path::Path;
use program::{apply, gzip, start};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::Ordering;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tonic::transport::Channel;

pub const JOURNEYS: &str = include_str!("journeys.ndjson");

/// What a first run over the journeys counts, and a second one.
const FIRST: [(&str, u64); 5] = [("created", 3), ("moved", 9), ("no change", 3), ("replayed", 0), ("retries", 0)];
const SECOND: [(&str, u64); 5] = [("created", 0), ("moved", 0), ("no change", 0), ("replayed", 15), ("retries", 0)];

/// The journeys with leads of their own: tests may share a server.
fn journeys(prefix: &str) -> String {
    JOURNEYS.replace("\"small-", &format!("\"{prefix}-"))
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

async fn client(address: &str) -> LeadPipelineClient<Channel> {
    LeadPipelineClient::connect(address.to_owned()).await.expect("the server is there")
}

async fn lead(address: &str, lead_id: &str) -> Option<(Stage, i32)> {
    let request = GetLeadRequest { lead_id: lead_id.into() };
    let lead = client(address).await.get_lead(request).await.ok()?.into_inner().lead.expect("a lead");
    Some((lead.stage(), lead.version))
}

/// Waits until there is a lead.
async fn appears(address: &str, lead_id: &str) {
    eventually("a lead", async || lead(address, lead_id).await).await;
}

/// Checks where the leads of the journeys are.
async fn assert_ends(address: &str, prefix: &str) {
    let ends = [(1, Stage::Won, 6), (2, Stage::Engaged, 8), (3, Stage::Lost, 2)];
    for (number, stage, version) in ends {
        let lead_id = format!("{prefix}-{number}");
        assert_eq!(lead(address, &lead_id).await, Some((stage, version)), "{lead_id}");
    }
}

/// How many leads of these agents are in each stage.
async fn count_by_stage(client: &mut LeadPipelineClient<Channel>, agents: &[&str]) -> BTreeMap<String, usize> {
    let mut stages = BTreeMap::new();
    for agent in agents {
        let mut request = ListLeadsRequest { agent_id: (*agent).into(), page_size: 1000, ..Default::default() };
        loop {
            let page = client.list_leads(request.clone()).await.expect("a page").into_inner();
            for lead in page.leads {
                *stages.entry(lead.stage().as_str_name().to_owned()).or_default() += 1;
            }
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
    }
    stages
}

fn rejects(folder: &TempDir, name: &str) -> Vec<Value> {
    let text = fs::read_to_string(folder.path().join(name)).expect("a file of rejected lines");
    let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    lines.sort_by_key(|line| line["line"].as_u64());
    lines
}

#[tokio::test]
async fn a_plain_file_is_applied_once() {
    let (server, folder) = (crate::support::server::server().await, folder());
    let address = format!("http://{}", server.address());
    fs::write(folder.path().join("calls"), journeys("plain")).expect("a file");
    apply(folder.path(), &address, &["calls"]).await.applied(&FIRST);
    assert_ends(&address, "plain").await;
    // Without its scheme an address is the same.
    apply(folder.path(), address.trim_start_matches("http://"), &["calls"]).await.applied(&SECOND);
    assert_ends(&address, "plain").await;
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing was rejected");
}

#[tokio::test]
async fn gzip_is_known_by_its_content() {
    let (server, folder) = (crate::support::server::server().await, folder());
    let address = format!("http://{}", server.address());
    fs::write(folder.path().join("no-suffix"), gzip(journeys("gzip").as_bytes())).expect("a file");
    fs::write(folder.path().join("plain.gz"), journeys("gzip")).expect("a file");
    apply(folder.path(), &address, &["no-suffix"]).await.applied(&FIRST);
    apply(folder.path(), &address, &["plain.gz"]).await.applied(&SECOND);
    assert_ends(&address, "gzip").await;
}

#[tokio::test]
async fn standard_input_is_applied_while_it_comes_in() {
    let (server, folder) = (crate::support::server::server().await, folder());
    let address = format!("http://{}", server.address());
    let text = journeys("stdin");
    let mut run = start(folder.path(), &address, &["-"]);
    let (first, rest) = text.split_at(text.find('\n').expect("lines") + 1);
    run.feed(first.as_bytes()).await;
    appears(&address, "stdin-1").await;
    run.feed(rest.as_bytes()).await;
    run.ended().await.applied(&FIRST);
    assert_ends(&address, "stdin").await;
    let mut run = start(folder.path(), &address, &["-"]);
    run.feed(&gzip(text.as_bytes())).await;
    run.ended().await.applied(&SECOND);
}

#[tokio::test]
async fn rejected_lines_are_kept_with_their_error_and_can_be_applied_again() {
    let (server, folder) = (crate::support::server::server().await, folder());
    let address = format!("http://{}", server.address());
    let lines = [
        r#"{"call":"CreateLead","request":{"lead_id":"bad-1"}}"#,
        "",
        "hello",
        r#"{"call":"ApplyTrigger","request":{"lead_id":"bad-1","trigger":{"checklistCompleted":{}}}}"#,
        r#"{"call":"ApplyTrigger","request":{"lead_id":"bad-1","trigger":{"message_sent":{"x":1}}}}"#,
        r#"{"call":"ApplyTrigger","request":{"lead_id":"bad-1","trigger":{"message_sent":{}}}}"#,
        r#"{"call":"DeleteLead","request":{"lead_id":"bad-1"}}"#,
        r#"{"call":"ApplyTrigger","request":{"lead_id":"bad-2","trigger":{"message_sent":{}}}}"#,
    ];
    let mut bytes = lines.join("\n").into_bytes();
    bytes.extend(b"\n\xff\xfe\n");
    bytes.extend([b'x'].repeat(500));
    fs::write(folder.path().join("calls"), bytes).expect("a file");
    let ended = apply(folder.path(), &address, &["calls", "--line-bytes", "200"]).await.with(1);
    assert_eq!((ended.counts()["created"], ended.counts()["moved"], ended.counts()["refused"]), (1, 1, 7), "{ended:?}");
    assert_eq!(lead(&address, "bad-1").await, Some((Stage::Contacted, 2)));

    let found = rejects(&folder, "calls.rejects.ndjson");
    let short = |line: &Value| json!([line["line"], line["error"]["code"], line["error"]["reason"]]);
    let expected = json!([
        [3, "INVALID_ARGUMENT", "NOT_JSON"],
        [4, "FAILED_PRECONDITION", "TRIGGER_NOT_ALLOWED"],
        [5, "INVALID_ARGUMENT", "REQUEST_UNREADABLE"],
        [7, "INVALID_ARGUMENT", "UNKNOWN_CALL"],
        [8, "NOT_FOUND", "LEAD_NOT_FOUND"],
        [9, "INVALID_ARGUMENT", "NOT_UTF8"],
        [10, "INVALID_ARGUMENT", "LINE_TOO_LONG"],
    ]);
    assert_eq!(found.iter().map(short).collect::<Value>(), expected);
    assert_eq!(found[0]["text"], "hello");
    assert_eq!(found[1]["request"]["trigger"], json!({"checklistCompleted": {}}));
    assert_eq!(found[1]["request"]["request_id"], found[1]["error"]["metadata"]["request_id"]);
    assert_eq!(found[1]["error"]["metadata"]["stage"], "STAGE_NEW");

    // What hindered one is put right; the file is applied as it is, and the next file of rejects has only the others.
    let create = r#"{"call":"CreateLead","request":{"lead_id":"bad-2"}}"#;
    fs::write(folder.path().join("create"), create).expect("a file");
    apply(folder.path(), &address, &["create"]).await.applied(&[("created", 1)]);
    let again = apply(folder.path(), &address, &["calls.rejects.ndjson", "--rejects", "again"]).await;
    assert_eq!((again.code, again.counts()["moved"], again.counts()["refused"]), (Some(1), 1, 6), "{again:?}");
    assert_eq!(lead(&address, "bad-2").await, Some((Stage::Contacted, 2)));
    assert_eq!(rejects(&folder, "again").len(), 6);
}

#[tokio::test]
async fn rejects_of_an_earlier_run_do_not_stay() {
    let (server, folder) = (crate::support::server::server().await, folder());
    fs::write(folder.path().join("calls"), journeys("stale")).expect("a file");
    fs::write(folder.path().join("calls.rejects.ndjson"), "stale").expect("a file");
    apply(folder.path(), &format!("http://{}", server.address()), &["calls"]).await.applied(&FIRST);
    assert!(!folder.path().join("calls.rejects.ndjson").exists());
}

#[tokio::test]
async fn a_cut_gzip_is_applied_as_far_as_it_goes_and_fails() {
    let (server, folder) = (crate::support::server::server().await, folder());
    let address = format!("http://{}", server.address());
    let bytes = gzip(journeys("cut").as_bytes());
    fs::write(folder.path().join("cut"), &bytes[..bytes.len() - 9]).expect("a file");
    let ended = apply(folder.path(), &address, &["cut"]).await.with(1);
    let ended = ended.saying("can't read cut on after line").saying("cut off");
    assert_eq!(ended.counts()["refused"], 0, "{ended:?}");
    assert!(lead(&address, "cut-1").await.is_some());
}

#[tokio::test]
async fn arguments_that_make_no_sense_are_refused() {
    let folder = folder();
    fs::write(folder.path().join("calls"), JOURNEYS).expect("a file");
    let cases: [(&[&str], i32, &str); 6] = [
        (&[], 2, "FILE"),
        (&["calls", "--in-flight", "0"], 2, "must be from 1 to 65536"),
        (&["calls", "--timeout", "soon"], 2, "like 250ms, 10s or 2m"),
        (&["calls", "--rejects", "calls"], 2, "would replace the input"),
        (&["none"], 1, "can't read none"),
        (&["."], 1, "can't read .: is a directory"),
    ];
    for (arguments, code, words) in cases {
        apply(folder.path(), "127.0.0.1:1", arguments).await.with(code).saying(words);
    }
    apply(folder.path(), "https://127.0.0.1:1", &["calls"]).await.with(2);
}

#[tokio::test]
async fn a_server_that_is_down_is_waited_for_and_a_broken_connection_costs_nothing() {
    let (server, folder) = (crate::support::server::server().await, folder());
    let address = format!("http://{}", server.address());
    let text: String = (0..40).map(|number| journeys(&format!("path{number}"))).collect();
    fs::write(folder.path().join("calls"), text).expect("a file");

    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let way = listener.local_addr().expect("its address");
    drop(listener);
    let mut run = start(folder.path(), &way.to_string(), &["calls", "--connections", "2", "--in-flight", "16"]);
    run.says("doesn't take calls now").await;
    let listener = TcpListener::bind(way).await.expect("the port is still free");
    let path = Path { listener, server: server.address(), cuts: 4, cut_after: 20_000 };
    let cut = path.open();
    run.says("takes calls again").await;
    let ended = run.ended().await.with(0);

    assert_eq!(cut.load(Ordering::Relaxed), 4, "{ended:?}");
    assert!(ended.counts()["retries"] > 0, "{ended:?}");
    for number in 0..40 {
        assert_ends(&address, &format!("path{number}")).await;
    }
}

#[tokio::test]
async fn a_server_that_never_answers_ends_the_run() {
    let folder = folder();
    fs::write(folder.path().join("calls"), JOURNEYS).expect("a file");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("its address").to_string();
    let arguments = ["calls", "--retry-for", "300ms", "--timeout", "100ms"];
    apply(folder.path(), &address, &arguments).await.with(1).saying("gave up");
    // Each lead's first call may have been applied: the lines are kept with the id that they were sent under.
    let found = rejects(&folder, "calls.rejects.ndjson");
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found.iter().all(|line| line["error"]["code"] == "DEADLINE_EXCEEDED"), "{found:?}");
}

#[tokio::test]
async fn an_interrupted_run_and_a_second_one_end_the_same() {
    const JOURNEYS: usize = 1000;
    let (server, folder) = (crate::support::server::server().await, folder());
    let address = format!("http://{}", server.address());
    let text: String = (0..JOURNEYS).map(|number| journeys(&format!("int{number}"))).collect();
    fs::write(folder.path().join("calls"), text).expect("a file");
    let run = start(folder.path(), &address, &["calls"]);
    appears(&address, "int10-2").await;
    run.send(Signal::INT);
    let ended = run.ended().await.with(130).saying("interrupted");
    let counts = ended.counts();
    let done = counts["created"] + counts["moved"] + counts["no change"];
    assert!(done > 0 && done < 15 * JOURNEYS as u64, "{ended:?}");
    assert!(!folder.path().join("calls.rejects.ndjson").exists(), "{ended:?}");

    let second = apply(folder.path(), &address, &["calls"]).await;
    let rest = 15 * JOURNEYS as u64 - done;
    second.applied(&[("replayed", done)]);
    let counts = second.counts();
    assert_eq!(counts["created"] + counts["moved"] + counts["no change"], rest, "{second:?}");
    for number in (0..JOURNEYS).step_by(50) {
        assert_ends(&address, &format!("int{number}")).await;
    }
}

#[tokio::test]
async fn a_second_interrupt_ends_at_once() {
    let folder = folder();
    fs::write(folder.path().join("calls"), JOURNEYS).expect("a file");
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = silent.local_addr().expect("its address").to_string();
    let mut run = start(folder.path(), &address, &["calls", "--timeout", "1h"]);
    let connection = silent.accept().await.expect("a connection");
    run.send(Signal::INT);
    run.says("stopping").await;
    run.send(Signal::INT);
    run.ended().await.with(130).saying("calls have no answer");
    drop(connection);
}
