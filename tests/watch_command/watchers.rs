//! `lead-pipeline watchers`: who watches, as a table and as JSON.

use super::program::start;
use crate::support::command::Run;
use crate::support::requests::created;
use crate::support::server::server_with;

#[tokio::test]
async fn a_watch_is_listed_with_its_name_and_filter() {
    let (server, folder) = (server_with(&["--partitions=1"]).await, tempfile::tempdir().expect("a folder"));
    let address = server.address();
    created(&mut server.client(), "lead-1").await;
    let arguments = ["--client-name", "night shift", "--filter", "to-stage=won,lost", "--include-unchanged"];
    let mut run = start(folder.path(), &address, &arguments);
    run.says("caught up").await;
    let list = async |form| Run::start(&folder, &["watchers", "--address", &address, "-o", form]).ended().await.with(0);
    let table = list("table").await;
    let table = table.lines();
    assert!(table[0].starts_with("ID  CLIENT       PEER"), "{table:?}");
    assert!(table[1].starts_with("1   night shift  127.0.0.1:"), "{table:?}");
    assert!(table[1].ends_with("  0:1        to-stage=WON,LOST (unchanged too)"), "{table:?}");
    let json = list("json").await.document();
    assert_eq!(json["watchers"][0]["clientName"], "night shift");
    assert_eq!(json["watchers"][0]["positions"][0]["position"], "1");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let ended = Run::start(&folder, &["watchers", "--address", "127.0.0.1:1"]).ended().await.with(1);
    ended.saying("http://127.0.0.1:1 doesn't list its watches: ");
}
