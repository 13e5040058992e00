//! A snapshot from the command line: each lead once, also if the watch dies in the middle of it.

use super::program::{positions, start, watch};
use crate::support::load::{create_leads, leads};
use crate::support::requests::{applied, created, message_sent, overridden};
use crate::support::server::{Server, server_with};
use crate::support::wait::eventually;
use lead_pipeline::proto::Stage;
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const LEADS: usize = 200;

const SNAPSHOT: [&str; 8] = ["--from", "snapshot", "-o", "jsonl", "--cursor-file", "cursor", "--output-file", "out"];

/// A server with many pages of leads.
async fn with_pages() -> (Server, TempDir) {
    let server = server_with(&["--partitions=2", "--snapshot-page=10"]).await;
    create_leads(&mut server.client(), &leads(LEADS)).await;
    (server, tempfile::tempdir().expect("a folder"))
}

/// The ids of the leads in a file, and its other lines.
fn read(path: &Path) -> (Vec<String>, Vec<String>) {
    let text = fs::read_to_string(path).expect("the output");
    let (mut leads, mut changes) = (Vec::new(), Vec::new());
    for line in text.lines() {
        let value: Value = serde_json::from_str(line).expect("JSON");
        match value["lead"]["leadId"].as_str() {
            Some(lead_id) => leads.push(lead_id.to_owned()),
            None => changes.push(line.to_owned()),
        }
    }
    (leads, changes)
}

fn assert_each_once(found: &[String]) {
    assert_eq!(found.len(), LEADS, "nothing twice");
    assert_eq!(found.iter().collect::<BTreeSet<_>>(), leads(LEADS).iter().collect(), "nothing missing");
}

#[tokio::test]
async fn leads_come_as_they_stand_and_then_their_changes() {
    let (server, folder) = (server_with(&["--partitions=1"]).await, tempfile::tempdir().expect("a folder"));
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    applied(&mut client, "lead-1", message_sent()).await;
    let mut run = start(folder.path(), &server.address(), &["--from", "snapshot"]);
    assert!(run.line().await.ends_with("Z  lead-1  in CONTACTED  version 2, agent default"));
    run.says("the snapshot is complete, with 1 lead since this start").await;
    overridden(&mut client, "lead-1", Stage::Won).await;
    assert!(run.line().await.contains("  lead-1  CONTACTED -> WON  "));
    run.send(Signal::INT);
    let words = "watched 1 lead and 1 change, 1 partition, positions 3 covered without a gap or a duplicate";
    run.ended().await.with(130).saying(words);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_goes_on_in_the_middle_after_any_kill() {
    let (server, folder) = with_pages().await;
    let out = folder.path().join("out");
    let size = || fs::metadata(&out).map_or(0, |file| file.len());
    for growth in [1, 1, 5_000, 1, 9_000] {
        let (before, run) = (size(), start(folder.path(), &server.address(), &SNAPSHOT));
        eventually("a page, or all", async || {
            (size() > before + growth || size() > 0 && read_lines(&out) >= LEADS).then_some(())
        })
        .await;
        run.send(Signal::KILL);
        run.ended().await;
    }
    overridden(&mut server.client(), "lead-7", Stage::Won).await;
    let arguments = [&SNAPSHOT[..], &["--until-caught-up"]].concat();
    watch(folder.path(), &server.address(), &arguments).await.with(0).saying("without a gap or a duplicate");
    let (found, _) = read(&out);
    assert_each_once(&found);
}

fn read_lines(path: &Path) -> usize {
    fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

#[tokio::test]
async fn in_the_middle_of_a_snapshot_the_filter_stays() {
    let (server, folder) = with_pages().await;
    let (out, count) = (folder.path().join("out"), ["--count", "30"]);
    watch(folder.path(), &server.address(), &[&SNAPSHOT[..], &count].concat()).await.with(0);
    assert_eq!(read(&out).0.len(), 30);
    let other = [&SNAPSHOT[..], &["--filter", "agent=anna"]].concat();
    let refused = watch(folder.path(), &server.address(), &other).await.with(3);
    refused.saying("CURSOR_INVALID: ").saying("the snapshot was begun with no filter; or remove ");
    // A change of a lead that was sent comes in between, one of another lead with its lead.
    let first = read(&out).0[0].clone();
    overridden(&mut server.client(), &first, Stage::Won).await;
    let rest = [&SNAPSHOT[..], &["--until-caught-up"]].concat();
    watch(folder.path(), &server.address(), &rest).await.with(0).saying("watched 170 leads and 1 change");
    let (found, changes) = read(&out);
    assert_each_once(&found);
    assert_eq!(positions(&changes.join("\n")).len(), 1);
    // Behind it another filter may follow.
    watch(folder.path(), &server.address(), &[&other[..], &["--until-caught-up"]].concat()).await.with(0);
}
