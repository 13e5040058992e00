//! Arguments that make no sense are refused, with what would make some.

use super::program::watch;
use std::fs;

#[tokio::test]
async fn arguments_that_make_no_sense_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let cases: [(&[&str], &str); 12] = [
        (&["--filter", "stage=WON"], "the keys are lead=, agent=, from-stage=, to-stage= and origin="),
        (&["--filter", "to-stage=WOM"], "the stages are NEW, CONTACTED, ENGAGED, QUALIFIED, SCHEDULED"),
        (&["--filter", "origin=robot"], "must be manual (a person's override) or automatic (all else)"),
        (&["--filter", "origin=manual", "--filter", "origin=automatic"], "both manual and automatic"),
        (&["--filter", "lead="], "lead= lacks a value"),
        (&["-o", "xml"], "text, jsonl"),
        (&["--output-file", "file"], "--cursor-file"),
        (&["--checkpoint-interval", "10ms"], "must be from 1s to 24h"),
        (&["--client-name", "ÄÖÜ"], "printable ASCII"),
        (&["--count", "0"], "--count"),
        (&["--from", ""], "must be now, beginning, snapshot or a cursor"),
        (&["--address", "a:1,nowhere"], "must be HOST:PORT"),
    ];
    for (arguments, words) in cases {
        // The text is wrapped where the terminal ends.
        let ended = watch(folder.path(), "127.0.0.1:1", arguments).await.with(2);
        let said = ended.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
}

#[tokio::test]
async fn files_that_cannot_be_used_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("damaged"), "{\"version\":1,").expect("a file");
    fs::write(folder.path().join("mine"), "mine").expect("a file");
    let cases: [(&[&str], i32, &str); 5] = [
        (&["--cursor-file", "damaged"], 3, "is damaged or none of this program"),
        (&["--cursor-file", "."], 1, "isn't a file"),
        (&["--cursor-file", "none/cursor"], 1, "there is no folder"),
        (&["--cursor-file", "cursor", "--output-file", "mine"], 1, "has content that the cursor file doesn't know"),
        (&["--record", "none/history"], 1, "can't write --record none/history"),
    ];
    for (arguments, code, words) in cases {
        watch(folder.path(), "127.0.0.1:1", arguments).await.with(code).saying(words);
    }
    assert_eq!(fs::read_to_string(folder.path().join("mine")).expect("the file"), "mine");
}

#[tokio::test]
async fn what_the_server_refuses_is_a_wrong_argument() {
    let (server, folder) = (crate::support::server::server().await, tempfile::tempdir().expect("a folder"));
    let ended = watch(folder.path(), &server.address(), &["--filter", "lead=a b"]).await.with(2);
    let ended = ended.saying("the server refuses the watch: filter.lead_ids");
    assert!(ended.stdout.is_empty(), "{ended:?}");
}
