//! The order of checks, the same for each write: valid fields, the lead exists, replay, expected_version, dead, table.
//! Each pair of neighbours, by a request that breaks both: through a server that knows the lead, and through one that
//! has never heard of it.

use crate::support::checker::{Sound, check};
use crate::support::errors::failed;
use crate::support::requests::{
    applied, checklist_completed, create, created, message_sent, opted_out, override_to, trigger,
};
use crate::support::server::{Client, replica_of, server};
use lead_pipeline::proto::{ApplyTriggerRequest, CreateLeadRequest, OverrideStageRequest, Stage};
use tonic::Code;

/// A lead with a recorded trigger and a recorded override, then dead in CONTACTED: at version 5.
struct Lead {
    creation: CreateLeadRequest,
    trigger: ApplyTriggerRequest,
    override_stage: OverrideStageRequest,
}

async fn dead_lead(client: &mut Client) -> Lead {
    let lead = Lead {
        creation: create("dead"),
        trigger: trigger("dead", message_sent()),
        override_stage: override_to("dead", Stage::Engaged),
    };
    client.create_lead(lead.creation.clone()).await.expect("created");
    client.apply_trigger(lead.trigger.clone()).await.expect("accepted");
    client.override_stage(lead.override_stage.clone()).await.expect("an override");
    applied(client, "dead", opted_out()).await;
    client.override_stage(override_to("dead", Stage::Contacted)).await.expect("an override");
    lead
}

async fn triggers_are_checked_in_order(client: &mut Client, lead: &Lead) {
    let unknown = ApplyTriggerRequest { reason: "\0".into(), ..trigger("nobody", message_sent()) };
    failed(client.apply_trigger(unknown).await).names(&["reason"]);
    let elsewhere = ApplyTriggerRequest { lead_id: "nobody".into(), ..lead.trigger.clone() };
    failed(client.apply_trigger(elsewhere).await).is(Code::NotFound, "LEAD_NOT_FOUND");
    let invalid_replay = ApplyTriggerRequest { expected_version: Some(0), ..lead.trigger.clone() };
    failed(client.apply_trigger(invalid_replay).await).names(&["expected_version"]);
    let stale_replay = ApplyTriggerRequest { expected_version: Some(77), ..lead.trigger.clone() };
    let replay = client.apply_trigger(stale_replay.clone()).await.expect("the replay comes first").into_inner();
    assert!(replay.replayed, "before the version, the dead mark and the table");
    let reused = ApplyTriggerRequest { reason: "other".into(), ..stale_replay };
    failed(client.apply_trigger(reused).await).is(Code::AlreadyExists, "REQUEST_ID_REUSED");
    let stale = ApplyTriggerRequest { expected_version: Some(4), ..trigger("dead", message_sent()) };
    failed(client.apply_trigger(stale).await).is(Code::Aborted, "VERSION_MISMATCH").says("current_version", "5");
    let refused = ApplyTriggerRequest { expected_version: Some(5), ..trigger("dead", checklist_completed()) };
    failed(client.apply_trigger(refused).await).is(Code::FailedPrecondition, "LEAD_IS_DEAD");
}

async fn overrides_are_checked_in_order(client: &mut Client, lead: &Lead) {
    let unknown = OverrideStageRequest { actor: None, ..override_to("nobody", Stage::Won) };
    failed(client.override_stage(unknown).await).names(&["actor"]);
    let elsewhere = OverrideStageRequest { lead_id: "nobody".into(), ..lead.override_stage.clone() };
    failed(client.override_stage(elsewhere).await).is(Code::NotFound, "LEAD_NOT_FOUND");
    let stale_replay = OverrideStageRequest { expected_version: Some(77), ..lead.override_stage.clone() };
    let replay = client.override_stage(stale_replay.clone()).await.expect("the replay comes first").into_inner();
    assert!(replay.replayed, "before the version");
    let reused = OverrideStageRequest { stage: Stage::Won.into(), ..stale_replay };
    failed(client.override_stage(reused).await).is(Code::AlreadyExists, "REQUEST_ID_REUSED");
    let stale = OverrideStageRequest { expected_version: Some(4), ..override_to("dead", Stage::Won) };
    failed(client.override_stage(stale).await).is(Code::Aborted, "VERSION_MISMATCH");
}

async fn creations_are_checked_in_order(client: &mut Client, lead: &Lead) {
    let invalid = CreateLeadRequest { agent_id: "a b".into(), ..create("dead") };
    failed(client.create_lead(invalid).await).names(&["agent_id"]);
    let replay = client.create_lead(lead.creation.clone()).await.expect("the replay comes first").into_inner();
    assert!(replay.replayed, "before the lead exists");
    let reused = CreateLeadRequest { reason: "other".into(), ..lead.creation.clone() };
    failed(client.create_lead(reused).await).is(Code::AlreadyExists, "REQUEST_ID_REUSED");
    failed(client.create_lead(create("dead")).await).is(Code::AlreadyExists, "LEAD_ALREADY_EXISTS");
    let another_call = CreateLeadRequest { request_id: lead.trigger.request_id.clone(), ..create("dead") };
    failed(client.create_lead(another_call).await).is(Code::AlreadyExists, "REQUEST_ID_REUSED");
}

#[tokio::test]
async fn each_check_comes_before_the_next() {
    let server = server().await;
    let lead = dead_lead(&mut server.client()).await;
    let stranger = replica_of(&server).await;
    for mut client in [server.client(), stranger.client()] {
        triggers_are_checked_in_order(&mut client, &lead).await;
        overrides_are_checked_in_order(&mut client, &lead).await;
        creations_are_checked_in_order(&mut client, &lead).await;
    }
    let sound = check(server.database_url()).await;
    assert_eq!(sound, Sound { leads: 1, entries: 5 }, "nothing that was refused left a trace");
}

#[tokio::test]
async fn validate_only_is_checked_in_the_same_order() {
    let server = server().await;
    let lead = dead_lead(&mut server.client()).await;
    let stranger = replica_of(&server).await;
    for mut client in [server.client(), stranger.client()] {
        let only = |request| ApplyTriggerRequest { validate_only: true, ..request };
        let replay = ApplyTriggerRequest { expected_version: Some(1), ..lead.trigger.clone() };
        let replay = client.apply_trigger(only(replay)).await.expect("a replay").into_inner();
        assert!(replay.replayed && replay.changes[0].position > 0, "the recorded outcome");
        let reused = ApplyTriggerRequest { reason: "other".into(), ..lead.trigger.clone() };
        failed(client.apply_trigger(only(reused)).await).is(Code::AlreadyExists, "REQUEST_ID_REUSED");
        let stale = ApplyTriggerRequest { expected_version: Some(1), ..trigger("dead", opted_out()) };
        failed(client.apply_trigger(only(stale)).await).is(Code::Aborted, "VERSION_MISMATCH");
        failed(client.apply_trigger(only(trigger("dead", message_sent()))).await)
            .is(Code::FailedPrecondition, "LEAD_IS_DEAD");
        failed(client.apply_trigger(only(trigger("nobody", message_sent()))).await)
            .is(Code::NotFound, "LEAD_NOT_FOUND");
    }
    assert_eq!(check(server.database_url()).await.entries, 5);
}

#[tokio::test]
async fn several_commands_on_one_lead_at_once_are_each_checked() {
    let server = server().await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    // All of them may share one batch: each is decided on what the one before it left.
    let calls = (0..20).map(|_| {
        let mut client = client.clone();
        let at = ApplyTriggerRequest { expected_version: Some(1), ..trigger("lead-1", message_sent()) };
        async move { client.apply_trigger(at).await }
    });
    let mut accepted = 0;
    for result in futures::future::join_all(calls).await {
        match result {
            Ok(response) => {
                accepted += 1;
                assert_eq!(response.into_inner().lead.expect("a lead").version, 2);
            }
            Err(status) => {
                failed(Err::<(), _>(status)).is(Code::Aborted, "VERSION_MISMATCH").says("current_version", "2");
            }
        }
    }
    assert_eq!(accepted, 1, "one of those that expected version 1");
    assert_eq!(check(server.database_url()).await.entries, 2);
}
