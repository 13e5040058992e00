//! How a watch ends: by a signal, with its reader, by a cursor that is of no use, by a stream that isn't dense.

use super::program::{start, watch};
use crate::support::requests::{applied, created, message_sent, overridden};
use crate::support::server::{Server, server_with};
use lead_pipeline::proto::Stage;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;
use tempfile::TempDir;

/// A server with one partition and a lead of three entries, and a folder with a cursor file behind them.
async fn with_cursor_file() -> (Server, TempDir) {
    let (server, folder) = (server_with(&["--partitions=1"]).await, tempfile::tempdir().expect("a folder"));
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    applied(&mut client, "lead-1", message_sent()).await;
    overridden(&mut client, "lead-1", Stage::Won).await;
    let arguments = ["--from", "beginning", "--until-caught-up", "--cursor-file", "cursor"];
    watch(folder.path(), &server.address(), &arguments).await.with(0);
    (server, folder)
}

#[tokio::test]
async fn a_signal_ends_it_in_order() {
    let (server, folder) = with_cursor_file().await;
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let mut run = start(folder.path(), &server.address(), &["--cursor-file", "cursor"]);
        run.says("caught up").await;
        overridden(&mut server.client(), "lead-1", if code == 130 { Stage::Lost } else { Stage::New }).await;
        run.line().await;
        run.send(signal);
        run.ended().await.with(code).saying("watched 1 change, 1 partition, positions");
    }
    let rest = watch(folder.path(), &server.address(), &["--cursor-file", "cursor", "--until-caught-up"]).await;
    assert!(rest.with(0).stdout.is_empty(), "all was printed before");
}

#[tokio::test]
async fn it_ends_quietly_with_its_reader() {
    let (server, folder) = with_cursor_file().await;
    // While there is nothing to print.
    let mut run = start(folder.path(), &server.address(), &["--from", "beginning"]);
    run.line().await;
    run.says("caught up").await;
    run.close();
    let ended = run.ended().await.with(0);
    assert!(!ended.stderr.contains("watched"), "{ended:?}");
    // Before there is anything.
    let mut run = start(folder.path(), &server.address(), &["--from", "beginning"]);
    run.close();
    let ended = run.ended().await.with(0);
    assert!(!ended.stderr.contains("watched"), "{ended:?}");
}

#[tokio::test]
async fn a_cursor_of_history_that_was_lost_ends_it() {
    let (server, folder) = with_cursor_file().await;
    server.database().await.run("update entries set tag = tag + 1 where position = 3").await;
    let ended = watch(folder.path(), &server.address(), &["--cursor-file", "cursor"]).await.with(3);
    ended
        .saying("CURSOR_DIVERGED: the database has lost history")
        .saying("/cursor and start anew with --from beginning");
}

#[tokio::test]
async fn history_that_is_lost_while_it_watches_ends_it_too() {
    let (server, folder) = with_cursor_file().await;
    let mut run = start(folder.path(), &server.address(), &["--cursor-file", "cursor"]);
    run.says("caught up").await;
    created(&mut server.client(), "lead-2").await;
    run.line().await;
    let lose = "delete from entries where position = 4; delete from leads where lead_id = 'lead-2';
        update heads set position = 3, tag = (select tag from entries where position = 3)";
    server.database().await.run(lose).await;
    run.ended().await.with(3).saying("CURSOR_DIVERGED").saying("watched 1 change");
}

#[tokio::test]
async fn a_cursor_that_is_none_ends_it() {
    let (server, folder) = with_cursor_file().await;
    let ended = watch(folder.path(), &server.address(), &["--from", "AQAB"]).await.with(3);
    ended.saying("CURSOR_INVALID: ").saying("look where the cursor came from");
}

#[tokio::test]
async fn a_stream_that_does_not_meet_what_was_covered_ends_it() {
    let (server, folder) = with_cursor_file().await;
    let path = folder.path().join("cursor");
    let saved = fs::read_to_string(&path).expect("a cursor file");
    let cases = [
        (2, "a gap in partition 0: covered through 2, and the next range begins after 3"),
        (4, "partition 0 is covered twice: through 4 already, and a range begins after 3"),
    ];
    for (position, words) in cases {
        let mut place: Value = serde_json::from_str(&saved).expect("JSON");
        assert_eq!(place["positions"], json!({"0": 3}));
        place["positions"] = json!({ "0": position });
        fs::write(&path, place.to_string()).expect("written");
        let ended = watch(folder.path(), &server.address(), &["--cursor-file", "cursor"]).await.with(4);
        let ended = ended.saying("stopped: the stream broke its promise").saying(words);
        assert!(!ended.stderr.contains("without a gap"), "{ended:?}");
    }
}
