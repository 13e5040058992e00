//! A deadline that passes leaves nothing applied, or exactly one effect: the retry tells which.

use crate::support::checker::{Sound, check};
use crate::support::errors::failed;
use crate::support::raw::RawClient;
use crate::support::requests::{create, created, lead, message_sent, trigger};
use crate::support::server::{Client, server, server_with};
use crate::support::wait::{eventually, within};
use prost::Message;
use tonic::Code;

/// The headers of a call with a deadline.
fn timeout(timeout: &str) -> [(&'static str, &str); 1] {
    [("grpc-timeout", timeout)]
}

#[tokio::test]
async fn a_deadline_that_passes_in_the_queue_leaves_nothing_applied() {
    let server = server_with(&["--partitions=1", "--write-batch=1", "--lock-patience=24h"]).await;
    let client = server.client();
    created(&mut client.clone(), "lead-1").await;
    let (mut holder, mut looker) = (server.database().await, server.database().await);
    holder.lock_partition_of("lead-1").await;
    let mut first = client.clone();
    let first = tokio::spawn(async move { first.create_lead(create("first")).await });
    eventually("the writer to wait", async || (looker.waiting().await == 1).then_some(())).await;
    let request = trigger("lead-1", message_sent());
    let raw = RawClient::connect(server.address().parse().expect("an address")).await;
    let late = raw.send("ApplyTrigger", &timeout("50m"), framed(&request)).await;
    failed(Err::<(), _>(late.status))
        .is(Code::DeadlineExceeded, "DEADLINE_EXCEEDED")
        .says("request_id", &request.request_id);
    holder.unlock().await;
    within("the first call", first).await.expect("no panic").expect("created");
    assert_eq!(lead(&mut client.clone(), "lead-1").await.version, 1, "it was dropped before deciding");
    let answer = client.clone().apply_trigger(request).await.expect("accepted").into_inner();
    assert!(!answer.replayed);
    assert_eq!(check(server.database_url()).await, Sound { leads: 2, entries: 3 });
}

fn framed(request: &impl Message) -> bytes::Bytes {
    crate::support::raw::framed(&request.encode_to_vec())
}

#[tokio::test]
async fn a_deadline_that_passes_in_the_database_leaves_the_outcome_unknown() {
    let server = server_with(&["--partitions=1", "--lock-patience=24h"]).await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    let mut holder = server.database().await;
    holder.lock_partition_of("lead-1").await;
    let request = trigger("lead-1", message_sent());
    let raw = RawClient::connect(server.address().parse().expect("an address")).await;
    let late = raw.send("ApplyTrigger", &timeout("100m"), framed(&request)).await;
    failed(Err::<(), _>(late.status))
        .is(Code::Unavailable, "OUTCOME_UNKNOWN")
        .says("request_id", &request.request_id)
        .asks_to_retry(true);
    holder.unlock().await;
    let answer = client.apply_trigger(request).await.expect("the retry settles it").into_inner();
    assert!(answer.replayed, "it had been sent, and the database went on with it");
    assert_eq!(check(server.database_url()).await, Sound { leads: 1, entries: 2 });
}

/// One call with a deadline of so many microseconds, then the same without one.
async fn hurried(client: &mut Client, raw: &RawClient, number: u32) {
    let request = trigger("lead-1", message_sent());
    let answer = raw.send("ApplyTrigger", &timeout(&format!("{}u", number * 50)), framed(&request)).await;
    let acknowledged = answer.code() == Code::Ok;
    if !acknowledged {
        let codes = [Code::DeadlineExceeded, Code::Unavailable, Code::Cancelled];
        assert!(codes.contains(&answer.code()), "{answer:?}");
    }
    let answer = client.apply_trigger(request).await.expect("the retry").into_inner();
    assert!(answer.replayed || !acknowledged, "what was acknowledged is recorded");
}

#[tokio::test]
async fn tiny_deadlines_have_one_effect_or_none() {
    let server = server().await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    let raw = RawClient::connect(server.address().parse().expect("an address")).await;
    for number in 0..60 {
        hurried(&mut client, &raw, number).await;
    }
    assert_eq!(check(server.database_url()).await, Sound { leads: 1, entries: 61 });
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_one_effect_or_none() {
    let server = server().await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    for number in 0..60 {
        let (mut leaving, request) = (client.clone(), trigger("lead-1", message_sent()));
        let call = leaving.apply_trigger(request.clone());
        tokio::select! {
            biased;
            _ = call => (),
            // Each caller waits a little longer before it resets its stream.
            () = async { for _ in 0..number { tokio::task::yield_now().await } } => (),
        }
        client.apply_trigger(request).await.expect("the retry");
    }
    assert_eq!(check(server.database_url()).await, Sound { leads: 1, entries: 61 });
}

#[tokio::test]
async fn a_deadline_that_is_none_is_passed_over() {
    let server = server().await;
    created(&mut server.client(), "lead-1").await;
    let raw = RawClient::connect(server.address().parse().expect("an address")).await;
    for text in ["", "S", "999999999S", "10x", "-1S", "99999999H", "1.5S"] {
        let request = trigger("lead-1", message_sent());
        let answer = raw.send("ApplyTrigger", &timeout(text), framed(&request)).await;
        assert_eq!(answer.code(), Code::Ok, "{text:?}: {answer:?}");
    }
}
