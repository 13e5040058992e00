//! A write that waits for its partition's head row looks with a snapshot from before the wait. Meanwhile its request may
//! be pruned, or even be recorded and pruned: it has one effect all the same.

use super::program::{now, start, until_waiting};
use crate::support::checker::{Sound, check};
use crate::support::cluster::fresh_database;
use crate::support::requests::{created, lead, message_sent, trigger};
use crate::support::server::{Client, Database, Server, replica_of, server, server_on};
use lead_pipeline::proto::{ApplyTriggerRequest, ApplyTriggerResponse, Outcome, Stage};
use lead_pipeline::store::partition_of;
use tokio::task::JoinHandle;

fn send(client: &Client, request: &ApplyTriggerRequest) -> JoinHandle<ApplyTriggerResponse> {
    let (mut client, request) = (client.clone(), request.clone());
    tokio::spawn(async move { client.apply_trigger(request).await.expect("an answer").into_inner() })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_pruned_while_its_retry_waits_is_replayed() {
    let server = server().await;
    let replica = replica_of(&server).await;
    let (url, mut client) = (server.database_url(), server.client());
    created(&mut client, "lead-1").await;
    let request = trigger("lead-1", message_sent());
    client.apply_trigger(request.clone()).await.expect("accepted");
    let before = now(url).await;
    // Each of them knows the lead as it is: the retries go straight to the write.
    for mut client in [client.clone(), replica.client()] {
        let other = trigger("lead-1", message_sent());
        client.apply_trigger(other).await.expect("accepted");
    }
    let (mut database, mut looks) = (server.database().await, server.database().await);
    database.lock_partition_of("lead-1").await;
    let prune = start(&["--database-url", url, "--before", &before, "--yes"]);
    until_waiting(&mut looks, 1).await;
    let retries = [send(&client, &request), send(&replica.client(), &request)];
    until_waiting(&mut looks, 3).await;
    database.unlock().await;
    prune.ended().await.with(0);
    for retry in retries {
        let answer = retry.await.expect("no panic");
        assert_eq!((answer.replayed, answer.outcome()), (true, Outcome::Moved), "{answer:?}");
        assert_eq!(answer.lead.expect("a lead").version, 4);
    }
    assert_eq!(check(url).await, Sound { leads: 1, entries: 2 });
}

/// The digest that the service gives this request, as a literal of SQL: the content alone decides it.
async fn digest(request: &ApplyTriggerRequest) -> String {
    let twin = server_on(&fresh_database().await, &[]).await;
    let mut client = twin.client();
    created(&mut client, &request.lead_id).await;
    client.apply_trigger(request.clone()).await.expect("accepted");
    let query = "select quote_literal(digest::text) || '::bytea' from entries where version = 2";
    let digest = sqlx::query_scalar(query).fetch_one(&mut twin.database().await.0).await.expect("a digest");
    twin.stop().await;
    digest
}

/// Records a request as another replica would, and prunes it, both at once and within the open transaction.
async fn record_and_prune(database: &mut Database, request: &ApplyTriggerRequest, digest: &str) {
    let partition = partition_of(&request.lead_id, 4);
    let (lead_id, request_id, contacted) = (&request.lead_id, &request.request_id, Stage::Contacted as i32);
    database
        .run(&format!(
            "update leads set version = version + 1, tag = 4242, stage = {contacted}, furthest_stage = {contacted}
             where lead_id = '{lead_id}';
             insert into pruned_requests values
                 ({partition}, '{request_id}', '{lead_id}', {digest}, true),
                 ({partition}, gen_random_uuid(), '{lead_id}', '', true);
             delete from entries where partition = {partition};
             update heads set position = position + 1, tag = 4242, floor = position + 1, floor_tag = 4242
             where partition = {partition}"
        ))
        .await;
}

async fn waits_while_it_is_recorded_and_pruned(server: &Server) {
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    let request = trigger("lead-1", message_sent());
    let digest = digest(&request).await;
    let (mut database, mut looks) = (server.database().await, server.database().await);
    database.lock_partition_of("lead-1").await;
    let waits = send(&client, &request);
    until_waiting(&mut looks, 1).await;
    record_and_prune(&mut database, &request, &digest).await;
    database.run("commit").await;
    let answer = waits.await.expect("no panic");
    assert_eq!((answer.replayed, answer.outcome(), answer.changes.len()), (true, Outcome::Moved, 0), "{answer:?}");
    assert_eq!(lead(&mut client, "lead-1").await.version, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_recorded_and_pruned_while_its_twin_waits_is_replayed() {
    let server = server().await;
    waits_while_it_is_recorded_and_pruned(&server).await;
    assert_eq!(check(server.database_url()).await, Sound { leads: 1, entries: 0 });
}
