//! `lead-pipeline revive`: what it shows, over restarts, and how it ends.

use super::{free_address, refuses, run, start};
use crate::support::cluster::fresh_database;
use crate::support::command::{Ended, Run};
use crate::support::load::create_leads;
use crate::support::process::Process;
use crate::support::requests::{all_used_up, applied, created, lead, opted_out, overridden, used_up};
use crate::support::server::{Client, Database, server, server_with};
use crate::support::wait::within;
use lead_pipeline::proto::{Channel, OutreachMode, RevivalState, ReviveForModeRequest, Stage};
use rustix::process::Signal;
use serde_json::Value;
use std::net::SocketAddr;

const BLENDED: [&str; 4] = ["revive", "default", "--mode", "blended"];

/// Two leads that BLENDED revives, one that is dead, and one without an open channel; the agent's mode is SMS_ONLY.
async fn a_mixed_lot(client: &mut Client, address: &str) {
    for lead_id in ["r-1", "r-2", "dead", "bad"] {
        created(client, lead_id).await;
    }
    run(&["revive", "default", "--mode", "sms-only"], address, &[]).await.with(0);
    for lead_id in ["r-1", "r-2"] {
        assert_eq!(applied(client, lead_id, used_up(Channel::Sms)).await.stage(), Stage::Exhausted);
    }
    applied(client, "bad", used_up(Channel::Email)).await;
    applied(client, "bad", used_up(Channel::Voice)).await;
    applied(client, "bad", all_used_up()).await;
    applied(client, "dead", opted_out()).await;
    overridden(client, "dead", Stage::Exhausted).await;
}

/// The id of the revival that it says it has accepted.
fn revival_id(ended: &Ended) -> &str {
    let told = ended.stderr.split_once("revival ").and_then(|(_, rest)| rest.split_once(" of default is accepted"));
    told.unwrap_or_else(|| panic!("no revival: {ended:?}")).0
}

/// The arguments of the command that it says attaches again.
fn again(ended: &Ended) -> Vec<&str> {
    let command =
        ended.stderr.split_once(": lead-pipeline revive").unwrap_or_else(|| panic!("no command: {ended:?}")).1;
    let line = command.lines().next().expect("a line");
    ["revive"].into_iter().chain(line.split_whitespace()).collect()
}

#[tokio::test]
async fn the_counts_are_told_first_dry_then_for_good() {
    let server = server().await;
    let (mut client, address) = (server.client(), server.address());
    a_mixed_lot(&mut client, &address).await;
    let counts = "\
revived                   2
skipped: dead             1
skipped: no open channel  1
skipped: moved on         0
default, BLENDED: ";
    let dry = run(&BLENDED, &address, &["--dry-run"]).await.with(0);
    assert_eq!(dry.stdout, format!("{counts}would be revived so: nothing was changed\n"));
    assert_eq!(lead(&mut client, "r-1").await.stage(), Stage::Exhausted);
    let ended = run(&BLENDED, &address, &["--actor-id", "mia"]).await.with(0);
    assert!(ended.stdout.starts_with(&format!("{counts}finished after ")), "{ended:?}");
    assert!(!revival_id(&ended).is_empty());
    assert_eq!(lead(&mut client, "r-1").await.stage(), Stage::Contacted);
    assert_eq!(lead(&mut client, "dead").await.stage(), Stage::Exhausted);
}

#[tokio::test]
async fn as_json_it_is_the_last_response() {
    let server = server().await;
    let (mut client, address) = (server.client(), server.address());
    a_mixed_lot(&mut client, &address).await;
    let request_id = "0199d2a0-5b3e-7c1a-9f00-2f6c8f1f0a11";
    let arguments = ["-o", "json", "--request-id", request_id, "--actor-id", "anna", "--actor-kind", "ai-agent"];
    let first = run(&BLENDED, &address, &arguments).await.with(0);
    let told = first.document();
    assert_eq!(told["requestId"], request_id);
    let revival = &told["revival"];
    assert_eq!(revival["revivalId"], revival_id(&first));
    assert_eq!((&revival["state"], &revival["revived"]), (&"REVIVAL_STATE_FINISHED".into(), &"2".into()));
    assert_eq!(revival["actor"], serde_json::json!({ "kind": "ACTOR_KIND_AI_AGENT", "id": "anna" }));
    // The same request is attached to what it did, another one with its id is refused.
    let again = run(&BLENDED, &address, &arguments).await.with(0).saying("was accepted before");
    assert_eq!((&again.document()["revival"], &again.document()["replayed"]), (revival, &Value::Bool(true)));
    let other = run(&BLENDED, &address, &["--request-id", request_id]).await.with(1);
    assert!(other.saying("refuses the revival: request_id").stdout.is_empty());
}

#[tokio::test]
async fn an_agent_that_nobody_has_named_is_made() {
    let server = server().await;
    let ended = run(&["revive", "new", "--mode", "VOICE_ONLY"], &server.address(), &[]).await.with(0);
    assert!(ended.stdout.starts_with("revived                   0\n"), "{ended:?}");
    assert!(ended.stdout.contains("new, VOICE_ONLY: finished"), "{ended:?}");
}

#[tokio::test]
async fn wrong_arguments_are_refused_with_what_is_allowed() {
    let cases: [(&[&str], &str); 6] = [
        (&["--mode", "fax"], "the modes are sms-only, email-only, voice-only and blended"),
        (&[], "--mode <MODE>"),
        (&["--mode", "blended", "--request-id", "7"], "--request-id"),
        (&["--mode", "blended", "--actor-kind", "person"], "--actor-id"),
        (&["--mode", "blended", "--actor-id", "mia", "--actor-kind", "robot"], "person, ai-agent, service"),
        (&["--mode", "blended", "-o", "xml"], "table, json"),
    ];
    refuses(&["revive", "anna"], &cases).await;
    let server = server().await;
    let wrong = run(&["revive", "an agent", "--mode", "blended"], &server.address(), &[]).await.with(2);
    wrong.saying("refuses the revival: agent_id");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_waited_for_as_long_as_is_said() {
    let address = free_address().to_string();
    let ended = run(&BLENDED, &address, &["--retry-for", "0s"]).await.with(1).saying("is away for too long: ");
    let ended = ended.saying("whether it was accepted isn't known");
    assert!(ended.stdout.is_empty(), "{ended:?}");
    assert_eq!(again(&ended)[..4], BLENDED);
}

/// A server at an address, and a revival of its leads that waits, as a partition of theirs is locked; until `unlock`.
struct Waiting {
    server: Process,
    url: String,
    address: SocketAddr,
    lock: Database,
    run: Run,
}

const FAST: &str = "--timer-interval=5ms";

async fn served(url: &str, address: SocketAddr) -> Process {
    let mut server = Process::spawn(url, &["--testing", FAST, &format!("--listen={address}")]);
    server.serves().await;
    server
}

async fn waiting(arguments: &[&str]) -> Waiting {
    let (url, address) = (fresh_database().await, free_address());
    let server = served(&url, address).await;
    a_mixed_lot(&mut server.client(), &address.to_string()).await;
    let mut lock = Database::connect(&url).await;
    lock.lock_partition_of("r-1").await;
    let mut run = start(&BLENDED, &address.to_string(), arguments);
    run.says("of default is accepted").await;
    Waiting { server, url, address, lock, run }
}

#[tokio::test]
async fn it_attaches_again_when_the_server_has_died() {
    let Waiting { server, url, address, mut lock, mut run } = waiting(&["-o", "json"]).await;
    server.kill().await;
    run.says("is away, trying again: ").await;
    let _server = served(&url, address).await;
    run.says("tells of it again").await;
    lock.unlock().await;
    // What the dead one held comes free.
    lock.move_time(60).await;
    let ended = run.ended().await.with(0);
    let told = ended.document();
    assert_eq!((&told["revival"]["revivalId"], &told["replayed"]), (&revival_id(&ended).into(), &Value::Bool(true)));
    assert_eq!((&told["revival"]["revived"], &told["revival"]["skippedDead"]), (&"2".into(), &"1".into()));
}

#[tokio::test]
async fn a_signal_ends_the_command_and_not_the_revival() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let Waiting { server, mut lock, run, .. } = waiting(&["--actor-id", "mia"]).await;
        run.send(signal);
        let ended = run.ended().await.with(code).saying("interrupted: the revival goes on; see it with: ");
        assert!(ended.stdout.is_empty(), "{ended:?}");
        lock.unlock().await;
        let attached = Run::start(std::env::temp_dir(), &again(&ended)).ended().await.with(0);
        let attached = attached.saying(&format!("revival {} of default was accepted before", revival_id(&ended)));
        assert!(attached.stdout.starts_with("revived                   2\n"), "{attached:?}");
        drop(server);
    }
}

#[tokio::test]
async fn one_that_a_newer_one_has_ended_is_no_success() {
    // One lead at a time, so that the older one is still at work when the newer one comes.
    let server = server_with(&[FAST, "--revival-batch=1"]).await;
    let mut client = server.client();
    let leads: Vec<String> = (0..200).map(|number| format!("lead-{number}")).collect();
    create_leads(&mut client, &leads).await;
    for lead_id in &leads {
        overridden(&mut client, lead_id, Stage::Exhausted).await;
    }
    let mut lock = server.database().await;
    lock.lock_partition_of("lead-0").await;
    let mut older = start(&BLENDED, &server.address(), &[]);
    older.says("of default is accepted").await;
    let mode = OutreachMode::EmailOnly.into();
    let newer = ReviveForModeRequest { agent_id: "default".into(), outreach_mode: mode, ..Default::default() };
    let mut newer = client.revive_for_mode(newer).await.expect("accepted").into_inner();
    lock.unlock().await;
    let mut last = None;
    while let Some(response) = within("its end", newer.message()).await.expect("no error") {
        last = response.revival;
    }
    assert_eq!(last.expect("told").state(), RevivalState::Finished);
    let ended = older.ended().await.with(1).saying("superseded: default was given a mode anew");
    assert!(ended.stdout.contains("\nnot looked at") && ended.stdout.contains("BLENDED: superseded"), "{ended:?}");
}

#[tokio::test]
async fn nobody_has_to_read_the_counts() {
    let server = server_with(&[FAST]).await;
    let mut run = start(&["revive", "anna", "--mode", "blended"], &server.address(), &[]);
    run.close();
    run.ended().await.with(0);
}
