//! A watch that is killed goes on where it was: with an output file each change is there once, however often it dies.

use super::program::{positions, start, watch};
use crate::support::cluster::fresh_database;
use crate::support::load::{create_leads, leads, request, send};
use crate::support::process::Process;
use crate::support::requests::{created, overridden};
use crate::support::server::server_with;
use crate::support::wait::eventually;
use lead_pipeline::proto::Stage;
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Small responses, so that there are many moments to be killed at.
const SERVER: [&str; 2] = ["--partitions=2", "--response-entries=3"];

const OUTPUT: [&str; 9] =
    ["--from", "beginning", "--include-unchanged", "-o", "jsonl", "--cursor-file", "cursor", "--output-file", "out"];

/// Every change there is, from one watch that wasn't disturbed.
async fn whole_history(folder: &Path, address: &str) -> BTreeSet<(i64, i64)> {
    let arguments = ["--from", "beginning", "--include-unchanged", "-o", "jsonl", "--until-caught-up"];
    let all = positions(&watch(folder, address, &arguments).await.with(0).stdout);
    let distinct: BTreeSet<_> = all.iter().copied().collect();
    assert_eq!(distinct.len(), all.len());
    distinct
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
}

/// Checks that a file has these changes, each once, and each partition's in order.
fn assert_exact(path: &Path, expected: &BTreeSet<(i64, i64)>) {
    let text = fs::read_to_string(path).expect("the output");
    assert!(text.ends_with('\n'), "no line is cut");
    let found = positions(&text);
    for partition in [0, 1] {
        let own: Vec<_> = found.iter().filter(|place| place.0 == partition).collect();
        assert!(own.is_sorted(), "in order");
    }
    assert_eq!(found.len(), expected.len(), "nothing twice");
    assert_eq!(&found.into_iter().collect::<BTreeSet<_>>(), expected, "nothing missing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_output_file_has_each_change_once_after_any_kill_of_the_watch() {
    let (server, folder) = (server_with(&SERVER).await, tempfile::tempdir().expect("a folder"));
    let (out, leads) = (folder.path().join("out"), leads(8));
    let mut client = server.client();
    create_leads(&mut client, &leads).await;
    for number in 0..200 {
        send(&mut client, request(&leads[number % 8], number)).await.answer.expect("applied");
    }
    // Killed once the file has grown by so many bytes: in the middle of a write, before the cursor, behind it.
    let mut kills = 0;
    for growth in [1, 1, 700, 1, 2_000, 333, 5_000, 1, 9_000, 1_234].into_iter().cycle().take(20) {
        let (before, run) = (size(&out), start(folder.path(), &server.address(), &OUTPUT));
        let grown = eventually("the file to grow", async || {
            // What was cut off is no growth.
            let grown = size(&out) > before + growth;
            (grown || size(&out) > 0 && is_whole(&out, 208)).then_some(grown)
        });
        let grown = grown.await;
        run.send(Signal::KILL);
        assert_eq!(run.ended().await.code, None, "killed");
        kills += u32::from(grown);
    }
    assert!(kills >= 3, "killed {kills} times on its way");
    let arguments = [&OUTPUT[..], &["--until-caught-up"]].concat();
    watch(folder.path(), &server.address(), &arguments).await.with(0).saying("without a gap or a duplicate");
    assert_exact(&out, &whole_history(folder.path(), &server.address()).await);
}

/// Whether a file has so many lines, and maybe more.
fn is_whole(path: &Path, lines: usize) -> bool {
    fs::read_to_string(path).is_ok_and(|text| text.lines().count() >= lines)
}

#[tokio::test]
async fn what_has_no_cursor_yet_is_cut_off() {
    let (server, folder) = (server_with(&SERVER).await, tempfile::tempdir().expect("a folder"));
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    let arguments = [&OUTPUT[..], &["--until-caught-up"]].concat();
    watch(folder.path(), &server.address(), &arguments).await.with(0);
    let path = folder.path().join("out");
    let mut text = fs::read_to_string(&path).expect("the output");
    text.push_str("{\"change\": {\"partition\": 1, \"posi");
    fs::write(&path, text).expect("as a killed watch would leave it");
    overridden(&mut client, "lead-1", Stage::Won).await;
    watch(folder.path(), &server.address(), &arguments).await.with(0).saying("watched 1 change");
    assert_exact(&path, &whole_history(folder.path(), &server.address()).await);
    // A file that lost something isn't written on.
    fs::write(&path, "").expect("written");
    watch(folder.path(), &server.address(), &arguments).await.with(1).saying("and the cursor stands behind");
    let elsewhere = ["--cursor-file", "cursor", "--output-file", "another", "--until-caught-up"];
    watch(folder.path(), &server.address(), &elsewhere).await.with(0);
    assert_eq!(size(&folder.path().join("another")), 0, "the new file has what follows");
}

#[tokio::test]
async fn standard_output_loses_nothing_and_another_filter_may_follow() {
    let (server, folder) = (server_with(&SERVER).await, tempfile::tempdir().expect("a folder"));
    let mut client = server.client();
    let cursor = ["--cursor-file", "cursor", "-o", "jsonl"];
    let mut run = start(folder.path(), &server.address(), &cursor);
    run.says("caught up").await;
    created(&mut client, "lead-1").await;
    let first = run.line().await;
    run.send(Signal::KILL);
    run.ended().await;
    overridden(&mut client, "lead-1", Stage::Won).await;
    let arguments = [&cursor[..], &["--until-caught-up", "--from", "beginning"]].concat();
    let again = watch(folder.path(), &server.address(), &arguments).await.with(0);
    let lines = again.lines();
    assert!(lines.last().expect("the override").contains("STAGE_WON"), "{again:?}");
    assert!(lines.len() == 1 || lines[0] == first, "at most what was printed last: {again:?}");
    overridden(&mut client, "lead-1", Stage::New).await;
    overridden(&mut client, "lead-1", Stage::Lost).await;
    let filtered = [&cursor[..], &["--until-caught-up", "--filter", "to-stage=LOST"]].concat();
    let filtered = watch(folder.path(), &server.address(), &filtered).await.with(0);
    assert_eq!(filtered.lines().len(), 1, "{filtered:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_under_load_costs_nothing() {
    let (url, folder) = (fresh_database().await, tempfile::tempdir().expect("a folder"));
    let listen = format!("--listen={}", super::servers::free_address());
    let flags = ["--testing", &listen, SERVER[0], SERVER[1]];
    let mut server = Process::spawn(&url, &flags);
    let address = server.serves().await.to_string();
    let (out, leads) = (folder.path().join("out"), leads(8));
    create_leads(&mut server.client(), &leads).await;
    let mut run = start(folder.path(), &address, &OUTPUT);
    eventually("the watch to begin", async || fs::metadata(&out).is_ok_and(|out| out.len() > 0).then_some(())).await;
    for round in 0..3 {
        let mut client = server.client();
        for number in 0..50 {
            send(&mut client, request(&leads[number % 8], round * 50 + number)).await.answer.expect("applied");
        }
        server.kill().await;
        run.says("can't be watched now, trying again").await;
        server = Process::spawn(&url, &flags);
        server.serves().await;
        run.says("again, without a gap").await;
    }
    let expected = whole_history(folder.path(), &address).await;
    assert_eq!(expected.len(), 158);
    eventually("all changes", async || is_whole(&out, 158).then_some(())).await;
    run.send(Signal::INT);
    run.ended().await.with(130).saying("without a gap or a duplicate, 3 reconnects");
    assert_exact(&out, &expected);
}
