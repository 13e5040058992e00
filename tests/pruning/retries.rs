//! A request has one effect for ever: the retry of a pruned call has its outcome, the lead as it is now, and no changes.

use super::program::{entries, now, prune, prune_all};
use crate::support::checker::{Sound, check};
use crate::support::errors::failed;
use crate::support::requests::{
    all_used_up, applied, batch, batch_results, create, created, lead, message_sent, new_id, overridden, override_to,
    replied, trigger,
};
use crate::support::server::{Client, replica_of, server, server_with};
use lead_pipeline::proto::{
    ApplyTriggerRequest, ApplyTriggerResponse, CreateLeadRequest, Lead, Outcome, OverrideStageRequest, Stage,
};
use lead_pipeline::store::{Pruner, partition_of};
use std::time::Duration;
use tonic::Code;

/// Fails unless the answer is the replay of what was pruned.
#[track_caller]
fn assert_replay(answer: &ApplyTriggerResponse, outcome: Outcome, now: &Lead) {
    assert!(answer.replayed, "{answer:?}");
    assert_eq!((answer.outcome(), answer.changes.as_slice(), answer.lead.as_ref()), (outcome, &[][..], Some(now)));
}

async fn retry(client: &mut Client, request: &ApplyTriggerRequest) -> ApplyTriggerResponse {
    client.apply_trigger(request.clone()).await.expect("a replay").into_inner()
}

#[tokio::test]
async fn a_trigger_is_replayed_with_its_outcome() {
    let server = server().await;
    let stranger = replica_of(&server).await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    let sent = |kind| trigger("lead-1", kind);
    let (moved, unchanged, exhausted, two_steps) =
        (sent(message_sent()), sent(message_sent()), sent(all_used_up()), sent(replied()));
    for (request, changes) in [(&moved, 1), (&unchanged, 1), (&exhausted, 1), (&two_steps, 2)] {
        let answer = client.apply_trigger(request.clone()).await.expect("accepted").into_inner();
        assert_eq!((answer.changes.len(), answer.replayed), (changes, false));
    }
    assert_eq!(prune_all(server.database_url()).await, 6);
    overridden(&mut client, "lead-1", Stage::Won).await;
    let now = lead(&mut client, "lead-1").await;
    for mut client in [client, stranger.client()] {
        assert_replay(&retry(&mut client, &moved).await, Outcome::Moved, &now);
        assert_replay(&retry(&mut client, &unchanged).await, Outcome::NoChange, &now);
        assert_replay(&retry(&mut client, &exhausted).await, Outcome::Moved, &now);
        assert_replay(&retry(&mut client, &two_steps).await, Outcome::Moved, &now);
        // Neither is content, and the replay comes before the version.
        let other = ApplyTriggerRequest { expected_version: Some(99), validate_only: true, ..moved.clone() };
        assert_replay(&retry(&mut client, &other).await, Outcome::Moved, &now);
    }
    assert_eq!(check(server.database_url()).await, Sound { leads: 1, entries: 1 }, "no retry wrote anything");
}

#[tokio::test]
async fn an_override_is_replayed_with_its_outcome() {
    let server = server().await;
    let stranger = replica_of(&server).await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    let (moved, unchanged) = (override_to("lead-1", Stage::Won), override_to("lead-1", Stage::Won));
    for request in [&moved, &unchanged] {
        client.override_stage(request.clone()).await.expect("set");
    }
    assert_eq!(prune_all(server.database_url()).await, 3);
    let now = overridden(&mut client, "lead-1", Stage::Engaged).await;
    for mut client in [client, stranger.client()] {
        for (request, outcome) in [(&moved, Outcome::Moved), (&unchanged, Outcome::NoChange)] {
            let again = client.override_stage(request.clone()).await.expect("a replay").into_inner();
            assert_eq!((again.replayed, again.outcome(), again.changes.len()), (true, outcome, 0));
            assert_eq!((again.lead.as_ref(), &again.request_id), (Some(&now), &request.request_id));
        }
    }
    assert_eq!(check(server.database_url()).await, Sound { leads: 1, entries: 1 });
}

#[tokio::test]
async fn a_creation_is_replayed_alone_and_in_a_batch() {
    let server = server().await;
    let stranger = replica_of(&server).await;
    let mut client = server.client();
    let named = create("lead-1");
    let nameless = CreateLeadRequest { request_id: new_id(), ..Default::default() };
    let many = batch((2..60).map(|number| create(&format!("lead-{number}"))));
    for request in [&named, &nameless] {
        client.create_lead(request.clone()).await.expect("created");
    }
    client.batch_create_leads(many.clone()).await.expect("created");
    assert_eq!(prune_all(server.database_url()).await, 60);
    let now = applied(&mut client, "lead-1", message_sent()).await;
    for mut client in [client, stranger.client()] {
        let again = client.create_lead(named.clone()).await.expect("a replay").into_inner();
        assert_eq!((again.replayed, again.changes.len(), again.lead.as_ref()), (true, 0, Some(&now)));
        let again = client.create_lead(nameless.clone()).await.expect("a replay").into_inner();
        assert_eq!((again.replayed, again.changes.len()), (true, 0));
        assert_eq!(again.lead.expect("a lead").lead_id, nameless.request_id);
        let results = batch_results(client.batch_create_leads(many.clone()).await.expect("answered"));
        for (result, request) in results.into_iter().zip(&many.requests) {
            let again = result.expect("a replay");
            assert_eq!((again.replayed, again.changes.len(), again.request_id), (true, 0, request.request_id.clone()));
        }
        let foreign = failed(client.create_lead(create("lead-1")).await);
        foreign.is(Code::AlreadyExists, "LEAD_ALREADY_EXISTS");
    }
    assert_eq!(check(server.database_url()).await, Sound { leads: 60, entries: 1 });
}

#[tokio::test]
async fn other_content_under_a_pruned_id_is_told() {
    let server = server().await;
    let stranger = replica_of(&server).await;
    let mut client = server.client();
    let creation = create("lead-1");
    client.create_lead(creation.clone()).await.expect("created");
    let (move_it, set_it) = (trigger("lead-1", message_sent()), override_to("lead-1", Stage::Won));
    client.apply_trigger(move_it.clone()).await.expect("accepted");
    client.override_stage(set_it.clone()).await.expect("set");
    prune_all(server.database_url()).await;
    for mut client in [client, stranger.client()] {
        let other = CreateLeadRequest { reason: "other".into(), ..creation.clone() };
        failed(client.create_lead(other).await).is(Code::AlreadyExists, "REQUEST_ID_REUSED");
        let other = ApplyTriggerRequest { reason: "other".into(), ..move_it.clone() };
        failed(client.apply_trigger(other).await)
            .is(Code::AlreadyExists, "REQUEST_ID_REUSED")
            .says("request_id", &move_it.request_id)
            .asks_to_retry(false);
        let other = OverrideStageRequest { stage: Stage::Lost.into(), ..set_it.clone() };
        failed(client.override_stage(other).await).is(Code::AlreadyExists, "REQUEST_ID_REUSED");
        let other = OverrideStageRequest { request_id: move_it.request_id.clone(), ..set_it.clone() };
        failed(client.override_stage(other).await).is(Code::AlreadyExists, "REQUEST_ID_REUSED");
    }
    assert_eq!(check(server.database_url()).await, Sound { leads: 1, entries: 0 });
}

#[tokio::test]
async fn a_pruned_id_is_free_on_another_lead() {
    let server = server_with(&["--partitions=1"]).await;
    let mut client = server.client();
    for lead_id in ["lead-1", "lead-2"] {
        created(&mut client, lead_id).await;
    }
    let request_id = new_id();
    let with = |lead_id| ApplyTriggerRequest { request_id: request_id.clone(), ..trigger(lead_id, message_sent()) };
    client.apply_trigger(with("lead-1")).await.expect("accepted");
    prune_all(server.database_url()).await;
    let first = client.apply_trigger(with("lead-2")).await.expect("accepted").into_inner();
    assert_eq!((first.replayed, first.changes.len()), (false, 1));
    // One of this id is pruned now, the other isn't: each is told by its lead.
    let (pruned, kept) = (retry(&mut client, &with("lead-1")).await, retry(&mut client, &with("lead-2")).await);
    assert_eq!((pruned.replayed, pruned.changes.len()), (true, 0));
    assert_eq!((kept.replayed, kept.changes), (true, first.changes));
    assert_eq!(check(server.database_url()).await, Sound { leads: 2, entries: 1 });
}

#[tokio::test]
async fn a_chunk_takes_both_entries_of_a_request_or_none() {
    let server = server().await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    applied(&mut client, "lead-1", all_used_up()).await;
    applied(&mut client, "lead-1", replied()).await;
    let url = server.database_url();
    let mut pruner = Pruner::connect(url, Duration::from_secs(10)).await.expect("connects");
    let before = pruner.now().await.expect("the time");
    let stretches = pruner.stretches(before).await.expect("stretches");
    let stretch = stretches[partition_of("lead-1", 4) as usize];
    assert_eq!((stretch.floor, stretch.through), (0, 4));
    for (entries, floor) in [(1, 1), (1, 2), (2, 4), (0, 4)] {
        let pruned = pruner.prune(stretch, 1).await.expect("prunes");
        assert_eq!((pruned.entries, pruned.floor), (entries, floor));
        check(url).await;
    }
}

#[tokio::test]
async fn what_is_kept_is_replayed_with_its_changes() {
    let server = server().await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    let old = trigger("lead-1", message_sent());
    client.apply_trigger(old.clone()).await.expect("accepted");
    let before = now(server.database_url()).await;
    let young = trigger("lead-1", message_sent());
    let first = client.apply_trigger(young.clone()).await.expect("accepted").into_inner();
    prune(server.database_url(), &["--before", &before, "--yes"]).await.with(0);
    assert_eq!(entries(server.database_url()).await, 1);
    assert_eq!(retry(&mut client, &old).await.changes, []);
    assert_eq!(retry(&mut client, &young).await.changes, first.changes);
}
