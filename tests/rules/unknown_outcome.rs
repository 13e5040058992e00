//! The connection to Postgres fails in the middle of a write: the write has one effect, and nobody is told otherwise.

use crate::support::checker::{Sound, check};
use crate::support::cluster::fresh_database;
use crate::support::errors::failed;
use crate::support::proxy::{Proxy, Trap};
use crate::support::requests::{created, message_sent, trigger};
use crate::support::server::{Server, server_on, server_with};
use crate::support::wait::within;
use lead_pipeline::proto::ApplyTriggerRequest;
use tonic::Code;

/// In a message to Postgres it stands only in the write, not in the read before it.
const WORD: &str = "springs-the-trap";

fn request() -> ApplyTriggerRequest {
    ApplyTriggerRequest { reason: WORD.into(), ..trigger("lead-1", message_sent()) }
}

async fn behind(proxy: &Proxy, flags: &[&str]) -> Server {
    let server = server_on(proxy.url(), flags).await;
    created(&mut server.client(), "lead-1").await;
    server
}

/// One call whose write meets the trap: it is settled, and it isn't a replay.
async fn settles(trap: Trap) {
    let url = fresh_database().await;
    let proxy = Proxy::before(&url).await;
    let server = behind(&proxy, &[]).await;
    proxy.trap(WORD, trap);
    let answer = server.client().apply_trigger(request()).await.expect("settled").into_inner();
    proxy.sprung().await;
    assert!(!answer.replayed, "it is the caller's first attempt, and its own effect");
    assert_eq!((answer.changes.len(), answer.changes[0].version), (1, 2));
    assert_eq!(check(&url).await, Sound { leads: 1, entries: 2 });
}

#[tokio::test]
async fn a_write_that_postgres_never_got_is_sent_again() {
    settles(Trap::BeforeIt).await;
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_has_one_effect() {
    settles(Trap::BeforeItsAnswer).await;
}

#[tokio::test]
async fn a_write_whose_answer_does_not_come_in_time_is_of_unknown_outcome() {
    let url = fresh_database().await;
    let proxy = Proxy::before(&url).await;
    let server = behind(&proxy, &["--write-patience=300ms", "--statement-patience=1s"]).await;
    proxy.trap(WORD, Trap::StallItsAnswer);
    let request = request();
    let mut client = server.client();
    failed(client.apply_trigger(request.clone()).await)
        .is(Code::Unavailable, "OUTCOME_UNKNOWN")
        .says("request_id", &request.request_id)
        .asks_to_retry(true);
    proxy.restore();
    let again = async {
        loop {
            if let Ok(answer) = client.apply_trigger(request.clone()).await {
                break answer.into_inner();
            }
        }
    };
    let answer = within("the retry", again).await;
    assert!(answer.replayed, "the first attempt had been applied");
    assert_eq!(answer.lead.expect("the lead").version, 2);
    assert_eq!(check(&url).await, Sound { leads: 1, entries: 2 });
}

#[tokio::test]
async fn whoever_falls_silent_with_the_lock_is_ended() {
    let server = server_with(&["--lock-patience=100ms"]).await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    let mut holder = server.database().await;
    holder.lock_partition_of("lead-1").await;
    let answer = within("the answer", client.apply_trigger(request())).await.expect("the holder is ended");
    assert_eq!(answer.into_inner().lead.expect("the lead").version, 2);
    sqlx::raw_sql("select 1").execute(&mut holder.0).await.expect_err("its session is gone");
    assert_eq!(check(server.database_url()).await, Sound { leads: 1, entries: 2 });
}
