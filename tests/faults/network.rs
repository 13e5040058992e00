//! The network between server and Postgres fails in the middle of a write: the outcome is settled, or told as unknown,
//! and a request has one effect all the same.

use crate::support::checker::{Sound, check};
use crate::support::cluster::fresh_database;
use crate::support::errors::failed;
use crate::support::proxy::{Proxy, Trap};
use crate::support::requests::{create, created, lead, message_sent, trigger};
use crate::support::server::{Client, Server, server_on};
use crate::support::wait::{eventually, within};
use crate::support::watcher::{Watching, from_beginning, keys};
use lead_pipeline::proto::{ApplyTriggerRequest, Outcome};
use tonic::Code;

/// A server behind a network, with a lead.
async fn behind_a_network(flags: &[&str]) -> (Server, Proxy) {
    let proxy = Proxy::before(&fresh_database().await).await;
    let server = server_on(proxy.url(), flags).await;
    created(&mut server.client(), "lead-1").await;
    (server, proxy)
}

/// A request whose write can be told from everything else that passes the network.
fn marked() -> ApplyTriggerRequest {
    ApplyTriggerRequest { reason: "the marked write".into(), ..trigger("lead-1", message_sent()) }
}

#[tokio::test]
async fn an_unknown_outcome_is_settled_by_sending_again() {
    for trap in [Trap::BeforeIt, Trap::BeforeItsAnswer] {
        let (server, proxy) = behind_a_network(&[]).await;
        let mut client = server.client();
        let mut watching = Watching::start(&mut client, from_beginning()).await;
        watching.changes(1).await;
        let request = marked();
        proxy.trap("the marked write", trap);
        let answer = within("the answer", client.apply_trigger(request.clone())).await.expect("settled").into_inner();
        proxy.sprung().await;
        assert!(!answer.replayed, "it is this call's own effect: {trap:?}");
        assert_eq!((answer.outcome(), answer.changes.len()), (Outcome::Moved, 1));
        assert_eq!(answer.lead, Some(lead(&mut client, "lead-1").await));
        assert_eq!(keys(&watching.changes(1).await), [("lead-1".into(), 2)], "watchers get it once");
        assert!(client.apply_trigger(request).await.expect("a replay").into_inner().replayed);
        assert_eq!(check(server.database_url()).await, Sound { leads: 1, entries: 2 }, "{trap:?}");
    }
}

#[tokio::test]
async fn a_creation_whose_answer_is_lost_is_settled_too() {
    for trap in [Trap::BeforeIt, Trap::BeforeItsAnswer] {
        let (server, proxy) = behind_a_network(&[]).await;
        let mut client = server.client();
        let request = create("marked-lead");
        proxy.trap("marked-lead", trap);
        let answer = within("the answer", client.create_lead(request)).await.expect("settled").into_inner();
        proxy.sprung().await;
        assert!(!answer.replayed, "{trap:?}");
        check(server.database_url()).await;
    }
}

#[tokio::test]
async fn when_no_answer_comes_the_caller_is_told_that_the_outcome_is_unknown() {
    let (server, proxy) = behind_a_network(&["--write-patience=500ms"]).await;
    let mut client = server.client();
    let request = marked();
    proxy.trap("the marked write", Trap::StallItsAnswer);
    failed(within("an answer", client.apply_trigger(request.clone())).await)
        .is(Code::Unavailable, "OUTCOME_UNKNOWN")
        .says("request_id", &request.request_id)
        .asks_to_retry(true);
    assert!(was_applied(&proxy, &request).await);
    proxy.restore();
    replayed_again(&client, &request).await;
    assert_eq!(check(server.database_url()).await, Sound { leads: 1, entries: 2 });
}

/// Whether the database has recorded a request, asked in the one way that proves it: the request is sent again, by way
/// of a server that nothing stands in the way of.
async fn was_applied(proxy: &Proxy, request: &ApplyTriggerRequest) -> bool {
    let server = server_on(proxy.direct_url(), &[]).await;
    let answer = within("the retry", server.client().apply_trigger(request.clone())).await;
    let replayed = answer.expect("settled").into_inner().replayed;
    server.stop().await;
    replayed
}

/// Sends a request that is recorded, as callers are told to, until its server is back at the database.
async fn replayed_again(client: &Client, request: &ApplyTriggerRequest) {
    let send = async || match client.clone().apply_trigger(request.clone()).await {
        Ok(answer) => Some(answer.into_inner().replayed),
        Err(status) => {
            assert_eq!(status.code(), Code::Unavailable, "{status:?}");
            None
        }
    };
    assert!(eventually("the server to be back", send).await, "it was recorded before");
}

#[tokio::test]
async fn a_lost_answer_stays_unknown_though_every_later_attempt_fails_at_once() {
    let (server, proxy) = behind_a_network(&["--write-patience=500ms", "--connect-timeout=100ms"]).await;
    let mut client = server.client();
    let request = marked();
    proxy.trap("the marked write", Trap::CutItsAnswer);
    failed(within("an answer", client.apply_trigger(request.clone())).await)
        .is(Code::Unavailable, "OUTCOME_UNKNOWN")
        .says("request_id", &request.request_id)
        .asks_to_retry(true);
    assert!(was_applied(&proxy, &request).await);
    proxy.restore();
    replayed_again(&client, &request).await;
    assert_eq!(check(server.database_url()).await, Sound { leads: 1, entries: 2 });
}

#[tokio::test]
async fn what_could_not_be_sent_is_told_as_not_applied() {
    let (server, proxy) = behind_a_network(&["--write-patience=300ms", "--connect-timeout=100ms"]).await;
    let mut client = server.client();
    proxy.cut();
    // The first may have been sent into the closing connection; the second finds none.
    let first = trigger("lead-1", message_sent());
    let failure = failed(within("an answer", client.apply_trigger(first.clone())).await).asks_to_retry(true);
    assert_eq!(failure.status.code(), Code::Unavailable);
    let second = trigger("lead-1", message_sent());
    failed(within("an answer", client.apply_trigger(second.clone())).await)
        .is(Code::Unavailable, "UNAVAILABLE")
        .says("request_id", &second.request_id)
        .asks_to_retry(true);
    assert!(!was_applied(&proxy, &second).await);
    was_applied(&proxy, &first).await;
    proxy.restore();
    replayed_again(&client, &second).await;
    replayed_again(&client, &first).await;
    assert_eq!(check(server.database_url()).await, Sound { leads: 1, entries: 3 });
}

#[tokio::test]
async fn a_stop_with_a_silent_database_tells_what_is_unknown() {
    let (server, proxy) = behind_a_network(&["--stop-grace=200ms", "--write-patience=24h"]).await;
    let mut client = server.client();
    let request = marked();
    proxy.trap("the marked write", Trap::StallItsAnswer);
    let (mut waiting, sent) = (client.clone(), request.clone());
    let waiting = tokio::spawn(async move { waiting.apply_trigger(sent).await });
    proxy.sprung().await;
    let url = server.database_url().to_owned();
    within("the stop", server.stop()).await;
    failed(within("an answer", waiting).await.expect("no panic"))
        .is(Code::Unavailable, "OUTCOME_UNKNOWN")
        .says("request_id", &request.request_id);
    proxy.restore();
    let server = server_on(&url, &[]).await;
    client = server.client();
    assert!(client.apply_trigger(request).await.expect("the retry").into_inner().replayed);
    check(&url).await;
}
