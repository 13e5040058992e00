//! A client that locked the head row and fell silent is ended after the lock patience.

use crate::support::checker::{Sound, check};
use crate::support::requests::{applied, created, message_sent};
use crate::support::server::server_with;
use crate::support::wait::within;
use sqlx::Connection;

#[tokio::test]
async fn a_silent_holder_of_the_lock_is_ended() {
    let server = server_with(&["--lock-patience=100ms"]).await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    let mut silent = server.database().await;
    silent.lock_partition_of("lead-1").await;
    within("the write", applied(&mut client, "lead-1", message_sent())).await;
    silent.0.ping().await.expect_err("its session was ended");
    assert_eq!(check(server.database_url()).await, Sound { leads: 1, entries: 2 });
}

#[tokio::test]
async fn a_holder_that_is_at_work_is_left_alone() {
    let server = server_with(&["--lock-patience=20ms"]).await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    let mut busy = server.database().await;
    busy.lock_partition_of("lead-1").await;
    // At work for many times the patience: what it waits for is its own statement, not its client.
    let working = async {
        busy.run("select pg_sleep(0.5); commit").await;
        busy
    };
    let (mut busy, _) = tokio::join!(working, applied(&mut client, "lead-1", message_sent()));
    busy.0.ping().await.expect("it was left alone");
    check(server.database_url()).await;
}
