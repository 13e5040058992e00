//! Several servers: a watch takes the next one when its own goes away, dies or was never there.

use super::program::{positions, start, watch};
use super::stall::Way;
use crate::support::cluster::fresh_database;
use crate::support::process::Process;
use crate::support::requests::{created, overridden};
use crate::support::server::server;
use lead_pipeline::proto::Stage;
use rustix::process::Signal;
use std::net::{SocketAddr, TcpListener};

/// An address where nobody listens.
pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port")
}

#[tokio::test]
async fn a_server_that_is_not_there_is_passed_over() {
    let (server, folder) = (server().await, tempfile::tempdir().expect("a folder"));
    created(&mut server.client(), "lead-1").await;
    let addresses = format!("{},{}", free_address(), server.address());
    let ended = watch(folder.path(), &addresses, &["--from", "beginning", "--until-caught-up"]).await.with(0);
    assert_eq!(ended.lines().len(), 1);
    ended.saying("can't be watched now, trying again: ").saying(&format!("watching {}\n", server.address()));
}

#[tokio::test]
async fn a_server_that_comes_later_is_waited_for() {
    let (url, folder, address) = (fresh_database().await, tempfile::tempdir().expect("a folder"), free_address());
    let mut run = start(folder.path(), &address.to_string(), &["--from", "beginning", "--count", "1"]);
    run.says("can't be watched now, trying again").await;
    let listen = format!("--listen={address}");
    let mut server = Process::spawn(&url, &["--testing", &listen]);
    server.serves().await;
    created(&mut server.client(), "lead-1").await;
    run.ended().await.with(0).saying("0 reconnects");
}

#[tokio::test]
async fn a_server_that_goes_away_or_dies_is_replaced_by_a_replica() {
    let (url, folder) = (fresh_database().await, tempfile::tempdir().expect("a folder"));
    let flags = ["--partitions=1"];
    let first = Process::serving(&url, &flags).await;
    let second = Process::serving(&url, &flags).await;
    let third = Process::serving(&url, &flags).await;
    let addresses = [&first, &second, &third].map(|server| server.address().to_string());
    let arguments = ["-o", "jsonl", "--address", &addresses[1], "--address", &addresses[2]];
    let mut run = start(folder.path(), &addresses[0], &arguments);
    run.says("caught up").await;
    created(&mut first.client(), "lead-1").await;
    run.line().await;
    first.terminate();
    overridden(&mut third.client(), "lead-1", Stage::Won).await;
    run.line().await;
    run.says(&format!("{} is going away", addresses[0])).await;
    run.says(&format!("watching {} again", addresses[1])).await;
    second.kill().await;
    overridden(&mut third.client(), "lead-1", Stage::New).await;
    run.line().await;
    run.send(Signal::INT);
    let ended = run.ended().await.with(130).saying("2 rec");
    let ended = ended.saying("watched 3 changes, 1 partition, positions 1..3 covered without a gap");
    assert_eq!(positions(&ended.stdout), [(0, 1), (0, 2), (0, 3)]);
}

#[tokio::test]
async fn a_server_that_falls_silent_is_left() {
    let (server, folder) = (server().await, tempfile::tempdir().expect("a folder"));
    let way = Way::to(&server.address()).await;
    let addresses = format!("{},{}", way.address(), server.address());
    let mut run = start(folder.path(), &addresses, &["--checkpoint-interval", "1s"]);
    run.says("caught up").await;
    way.stall();
    created(&mut server.client(), "lead-1").await;
    run.says("was silent for 2s, trying again").await;
    run.line().await;
    run.send(Signal::INT);
    run.ended().await.with(130).saying("watched 1 change").saying("1 reconnect");
}
