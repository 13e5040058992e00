//! grpcurl, which knows of the service only what reflection tells it: what a person with a terminal sees.

use super::{in_checkout, missing, run, skipped};
use crate::support::server::server;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Stdio;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStdout, Command};

const SERVICE: &str = "leadpipeline.v1.LeadPipeline";
/// grpcurl's exit code for a status is 64 and the status's number.
const STATUS: i32 = 64;

/// What a call came to.
struct Answer {
    code: i32,
    out: String,
    err: String,
}

impl Answer {
    /// The response of a call that went well.
    fn response(&self) -> Value {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("no JSON ({error}): {}", self.out))
    }

    /// Asserts that the call failed with this status, as grpcurl prints and returns it, and with these words.
    #[track_caller]
    fn failed(&self, number: i32, name: &str, words: &[&str]) {
        let text = format!("{}{}", self.out, self.err);
        assert_eq!(self.code, STATUS + number, "{text}");
        assert!(self.err.contains(&format!("Code: {name}")), "{text}");
        for word in words {
            assert!(text.contains(word), "no {word} in: {text}");
        }
    }
}

/// grpcurl: the one that `make` brought, or the system's.
fn program() -> PathBuf {
    let ours = in_checkout(".tools/bin/grpcurl");
    if ours.exists() { ours } else { "grpcurl".into() }
}

async fn grpcurl(arguments: &[&str]) -> Answer {
    let output = run(Command::new(program()).args(["-plaintext", "-max-time", "60"]).args(arguments)).await;
    Answer {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

async fn call(address: &str, method: &str, request: &Value) -> Answer {
    grpcurl(&["-d", &request.to_string(), address, &format!("{SERVICE}/{method}")]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn reflection_tells_what_there_is() {
    if skipped() {
        return;
    }
    let server = server().await;
    let address = server.address();
    let listed = grpcurl(&[&address, "list"]).await.out;
    for service in [SERVICE, "grpc.health.v1.Health"] {
        assert!(listed.lines().any(|line| line == service), "no {service} in: {listed}");
    }
    let service = grpcurl(&[&address, "describe", SERVICE]).await.out;
    for method in ["CreateLead", "ApplyTrigger", "OverrideStage", "WatchStageChanges"] {
        assert!(service.contains(&format!("rpc {method} (")), "no {method} in: {service}");
    }
    let message = grpcurl(&[&address, "describe", "leadpipeline.v1.ApplyTriggerRequest"]).await.out;
    assert!(message.contains("expected_version"), "{message}");
    let health = json!({ "service": SERVICE }).to_string();
    let health = grpcurl(&["-d", &health, &address, "grpc.health.v1.Health/Check"]).await.response();
    assert_eq!(health["status"], "SERVING");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_is_worked_by_hand() {
    if skipped() {
        return;
    }
    let server = server().await;
    let address = server.address();
    let lead = json!({ "lead_id": "lead-1", "agent_id": "anna" });
    let created = call(&address, "CreateLead", &lead).await.response();
    assert_eq!(created["lead"]["stage"], "STAGE_NEW");
    let sent = json!({ "lead_id": "lead-1", "trigger": { "message_sent": {} } });
    let sent = call(&address, "ApplyTrigger", &sent).await.response();
    assert_eq!(sent["outcome"], "OUTCOME_MOVED");
    assert_eq!(sent["changes"][0]["toStage"], "STAGE_CONTACTED");
    let won =
        json!({ "lead_id": "lead-1", "stage": "STAGE_WON", "actor": { "kind": "ACTOR_KIND_PERSON", "id": "mia" } });
    let won = call(&address, "OverrideStage", &won).await.response();
    assert_eq!(won["lead"]["conversationMode"], "CONVERSATION_MODE_STOP");
    let read = call(&address, "GetLead", &json!({ "lead_id": "lead-1" })).await.response();
    assert_eq!(read["lead"], won["lead"]);
    assert_eq!(read["lead"]["version"], 3);
    let history = call(&address, "ListStageChanges", &json!({ "lead_id": "lead-1" })).await.response();
    let stages: Vec<_> = history["changes"].as_array().into_iter().flatten().map(|change| &change["toStage"]).collect();
    assert_eq!(stages, ["STAGE_NEW", "STAGE_CONTACTED", "STAGE_WON"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_tell_a_person_what_is_wrong() {
    if skipped() {
        return;
    }
    let server = server().await;
    let address = server.address();
    let lead = json!({ "lead_id": "lead-1" });
    call(&address, "CreateLead", &lead).await.response();
    call(&address, "CreateLead", &lead).await.failed(6, "AlreadyExists", &["LEAD_ALREADY_EXISTS", "lead-1"]);
    let too_early = json!({ "lead_id": "lead-1", "trigger": { "checklist_completed": {} } });
    let too_early = call(&address, "ApplyTrigger", &too_early).await;
    too_early.failed(9, "FailedPrecondition", &["TRIGGER_NOT_ALLOWED", "leadpipeline", "message_sent"]);
    let old = json!({ "lead_id": "lead-1", "trigger": { "message_sent": {} }, "expected_version": 7 });
    call(&address, "ApplyTrigger", &old).await.failed(10, "Aborted", &["VERSION_MISMATCH", "current_version"]);
    let nobody = json!({ "lead_id": "nobody" });
    call(&address, "GetLead", &nobody).await.failed(5, "NotFound", &["LEAD_NOT_FOUND", "nobody"]);
    let empty = call(&address, "ApplyTrigger", &json!({})).await;
    empty.failed(3, "InvalidArgument", &["INVALID_REQUEST", "lead_id", "trigger"]);
}

/// A watch from the beginning of anna's changes, and what it prints.
fn watch(address: &str) -> (Child, ChildStdout) {
    let request = json!({ "beginning": {}, "filter": { "agent_ids": ["anna"] } }).to_string();
    let mut watch = Command::new(program())
        .args(["-plaintext", "-max-time", "60", "-d", &request, address, &format!("{SERVICE}/WatchStageChanges")])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("{}", missing("grpcurl", &error)));
    let printed = watch.stdout.take().expect("its output is piped");
    (watch, printed)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_prints_what_happens() {
    if skipped() {
        return;
    }
    let server = server().await;
    let address = server.address();
    call(&address, "CreateLead", &json!({ "lead_id": "lead-1", "agent_id": "anna" })).await.response();
    let (_watch, mut printed) = watch(&address);
    let mut text = String::new();
    until(&mut printed, &mut text, "STAGE_NEW").await;
    let sent = json!({ "lead_id": "lead-1", "trigger": { "message_sent": {} } });
    call(&address, "ApplyTrigger", &sent).await.response();
    until(&mut printed, &mut text, "STAGE_CONTACTED").await;
    assert!(text.contains("\"cursor\""), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revival_is_told_and_seen_and_its_follow_up_worked() {
    if skipped() {
        return;
    }
    let server = server().await;
    let address = server.address();
    call(&address, "CreateLead", &json!({ "lead_id": "lead-1", "agent_id": "anna" })).await.response();
    let narrow = json!({ "agent_id": "anna", "outreach_mode": "OUTREACH_MODE_SMS_ONLY" });
    assert_eq!(call(&address, "ReviveForMode", &narrow).await.code, 0);
    let used_up = json!({ "lead_id": "lead-1", "trigger": { "channel_used_up": { "channel": "CHANNEL_SMS" } } });
    assert_eq!(call(&address, "ApplyTrigger", &used_up).await.response()["lead"]["stage"], "STAGE_EXHAUSTED");
    let (_watch, mut printed) = watch(&address);
    let mut text = String::new();
    until(&mut printed, &mut text, "STAGE_EXHAUSTED").await;
    let blended = json!({ "agent_id": "anna", "outreach_mode": "OUTREACH_MODE_BLENDED" });
    let told = call(&address, "ReviveForMode", &blended).await;
    assert_eq!(told.code, 0, "{}", told.err);
    let told: Vec<Value> =
        serde_json::Deserializer::from_str(&told.out).into_iter().map(|one| one.expect("JSON")).collect();
    let last = &told.last().expect("a summary")["revival"];
    assert_eq!((&last["state"], &last["revived"]), (&json!("REVIVAL_STATE_FINISHED"), &json!("1")));
    let revival_id = last["revivalId"].as_str().expect("an id");
    until(&mut printed, &mut text, &format!("\"revivalId\": \"{revival_id}\"")).await;
    let read = call(&address, "GetRevival", &json!({ "revival_id": revival_id })).await.response();
    assert_eq!(&read["revival"], last);
    let leased = call(&address, "LeaseFollowUps", &json!({ "agent_id": "anna" })).await.response();
    let leased = &leased["followUps"][0];
    assert_eq!(leased["lead"]["leadId"], "lead-1");
    let done = json!({ "follow_up_id": leased["followUpId"], "lease_token": leased["leaseToken"] });
    call(&address, "CompleteFollowUp", &done).await.response();
    let lost = json!({ "follow_up_id": leased["followUpId"], "lease_token": revival_id });
    call(&address, "CompleteFollowUp", &lost).await.failed(10, "Aborted", &["LEASE_LOST", "follow_up_id"]);
    let funnel = call(&address, "GetFunnel", &json!({ "agent_id": "anna" })).await.response();
    assert_eq!(funnel["stages"][1]["leads"], "1", "{funnel}");
}

/// Reads until the text has a word. The stream ends by itself in a minute.
async fn until(stream: &mut (impl AsyncReadExt + Unpin), text: &mut String, word: &str) {
    while !text.contains(word) {
        let mut bytes = [0; 4096];
        let count = stream.read(&mut bytes).await.expect("grpcurl's output can be read");
        assert!(count > 0, "the watch ended without {word}: {text}");
        text.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
}
