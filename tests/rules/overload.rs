//! More than the queue holds: RESOURCE_EXHAUSTED with RetryInfo, nothing applied, and nobody else disturbed.

use crate::support::checker::{Sound, check};
use crate::support::errors::failed;
use crate::support::requests::{create, created, message_sent, trigger};
use crate::support::server::server_with;
use crate::support::wait::{eventually, within};
use futures::stream::{FuturesUnordered, StreamExt};
use tonic::Code;

#[tokio::test]
async fn what_does_not_fit_the_queue_is_told_to_come_again() {
    let server = server_with(&["--partitions=1", "--write-queue=1", "--write-batch=1", "--lock-patience=24h"]).await;
    let client = server.client();
    created(&mut client.clone(), "lead-1").await;
    let (mut holder, mut looker) = (server.database().await, server.database().await);
    holder.lock_partition_of("lead-1").await;
    let send = |lead_id: String| {
        let mut client = client.clone();
        let request = create(&lead_id);
        tokio::spawn(async move { (request.clone(), client.create_lead(request).await) })
    };
    let first = send("first".into());
    eventually("the writer to wait", async || (looker.waiting().await == 1).then_some(())).await;
    // One of these waits in the queue; the others find it full.
    let mut calls: FuturesUnordered<_> = (0..5).map(|number| send(format!("lead-{number}-{number}"))).collect();
    let mut refused = Vec::new();
    while refused.len() < 4 {
        let answer = within("a refusal", calls.next()).await.expect("an answer").expect("no panic");
        let (request, result) = answer;
        failed(result)
            .is(Code::ResourceExhausted, "OVERLOADED")
            .says("request_id", &request.request_id)
            .asks_to_retry(true);
        refused.push(request);
    }
    holder.unlock().await;
    let (_, queued) = within("the queued call", calls.next()).await.expect("an answer").expect("no panic");
    queued.expect("what was queued is done");
    within("the first call", first).await.expect("no panic").1.expect("what was sent is done");
    assert_eq!(check(server.database_url()).await, Sound { leads: 3, entries: 3 });
    for request in refused {
        let answer = client.clone().create_lead(request).await.expect("with the same id, later").into_inner();
        assert!(!answer.replayed, "nothing had been applied");
    }
    client.clone().apply_trigger(trigger("lead-1", message_sent())).await.expect("others go on");
    assert_eq!(check(server.database_url()).await, Sound { leads: 7, entries: 8 });
}

#[tokio::test]
async fn a_partition_that_is_held_up_does_not_hold_up_the_others() {
    let server = server_with(&["--partitions=2", "--lock-patience=24h"]).await;
    let mut client = server.client();
    let in_partition = |partition| {
        let mut names = (0..).map(|number| format!("lead-{number}"));
        names.find(|name| lead_pipeline::store::partition_of(name, 2) == partition).expect("a name for each")
    };
    let (held, free) = (in_partition(0), in_partition(1));
    created(&mut client, &held).await;
    created(&mut client, &free).await;
    let mut holder = server.database().await;
    holder.lock_partition_of(&held).await;
    let (mut waiting, request) = (client.clone(), trigger(&held, message_sent()));
    let waiting = tokio::spawn(async move { waiting.apply_trigger(request).await });
    client.apply_trigger(trigger(&free, message_sent())).await.expect("the other partition goes on");
    crate::support::requests::lead(&mut client, &held).await;
    holder.unlock().await;
    within("the held call", waiting).await.expect("no panic").expect("accepted");
    check(server.database_url()).await;
}
