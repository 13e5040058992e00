//! A request_id has exactly one effect on a lead, for ever; and the same id with other content is told.

use crate::support::checker::{Sound, check};
use crate::support::errors::failed;
use crate::support::requests::{
    actor, all_used_up, applied, booked, checklist_completed, create, created, lead, meeting, message_sent, new_id,
    overridden, override_to, person, replied, time, trigger,
};
use crate::support::server::{Client, replica_of, server};
use futures::future::join_all;
use lead_pipeline::proto::trigger::Kind;
use lead_pipeline::proto::{
    ActorKind, ApplyTriggerRequest, Channel, ContactPoint, CreateLeadRequest, LeadReplied, Outcome,
    OverrideStageRequest, Stage,
};
use tonic::Code;

#[tokio::test]
async fn a_retry_returns_the_recorded_changes_and_the_lead_as_it_is_now() {
    let server = server().await;
    let stranger = replica_of(&server).await;
    let mut client = server.client();
    let (creation, move_it, override_it) =
        (create("lead-1"), trigger("lead-1", message_sent()), override_to("lead-1", Stage::Qualified));
    let first = client.create_lead(creation.clone()).await.expect("created").into_inner();
    let second = client.apply_trigger(move_it.clone()).await.expect("accepted").into_inner();
    let third = client.override_stage(override_it.clone()).await.expect("set").into_inner();
    overridden(&mut client, "lead-1", Stage::Won).await;
    let now = Some(lead(&mut client, "lead-1").await);
    for mut client in [client, stranger.client()] {
        let again = client.create_lead(creation.clone()).await.expect("a replay").into_inner();
        assert_eq!((again.replayed, &again.changes, &again.lead), (true, &first.changes, &now));
        assert_eq!(again.request_id, creation.request_id);
        let again = client.apply_trigger(move_it.clone()).await.expect("a replay").into_inner();
        assert_eq!((again.replayed, &again.changes, &again.lead), (true, &second.changes, &now));
        assert_eq!(again.outcome(), Outcome::Moved, "the recorded outcome");
        let again = client.override_stage(override_it.clone()).await.expect("a replay").into_inner();
        assert_eq!((again.replayed, &again.changes, &again.lead), (true, &third.changes, &now));
    }
    assert_eq!(check(server.database_url()).await, Sound { leads: 1, entries: 4 });
}

#[tokio::test]
async fn an_upper_case_id_is_the_same_id() {
    let server = server().await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    let request = trigger("lead-1", message_sent());
    let upper = ApplyTriggerRequest { request_id: request.request_id.to_uppercase(), ..request.clone() };
    let first = client.apply_trigger(upper.clone()).await.expect("accepted").into_inner();
    assert_eq!((&first.request_id, first.replayed), (&request.request_id, false), "returned in lower case");
    assert!(client.apply_trigger(request).await.expect("a replay").into_inner().replayed);
    let reused = ApplyTriggerRequest { reason: "other".into(), ..upper.clone() };
    failed(client.apply_trigger(reused).await)
        .is(Code::AlreadyExists, "REQUEST_ID_REUSED")
        .says("request_id", &upper.request_id.to_lowercase())
        .says("lead_id", "lead-1")
        .asks_to_retry(false);
}

#[tokio::test]
async fn the_same_id_on_another_lead_is_free() {
    let server = server().await;
    let mut client = server.client();
    let request_id = new_id();
    for lead_id in ["lead-1", "lead-2", "lead-3"] {
        let creation = CreateLeadRequest { request_id: request_id.clone(), ..create(lead_id) };
        assert!(!client.create_lead(creation).await.expect("created").into_inner().replayed);
    }
    let request_id = new_id();
    for lead_id in ["lead-1", "lead-2", "lead-3"] {
        let request = ApplyTriggerRequest { request_id: request_id.clone(), ..trigger(lead_id, message_sent()) };
        assert!(!client.apply_trigger(request).await.expect("accepted").into_inner().replayed);
    }
    assert_eq!(check(server.database_url()).await, Sound { leads: 3, entries: 6 });
}

#[tokio::test]
async fn a_creation_without_a_lead_id_is_replayed_by_its_request_id() {
    let server = server().await;
    let mut client = server.client();
    let request = CreateLeadRequest { request_id: new_id(), ..Default::default() };
    let first = client.create_lead(request.clone()).await.expect("created").into_inner();
    let again = client.create_lead(request.clone()).await.expect("a replay").into_inner();
    assert_eq!((again.replayed, again.lead, again.changes), (true, first.lead, first.changes));
    let named = CreateLeadRequest { lead_id: request.request_id.clone(), ..request };
    failed(client.create_lead(named).await).is(Code::AlreadyExists, "REQUEST_ID_REUSED");
    assert_eq!(check(server.database_url()).await, Sound { leads: 1, entries: 1 });
}

#[tokio::test]
async fn what_is_refused_or_only_validated_does_not_use_up_the_id() {
    let server = server().await;
    let mut client = server.client();
    let request_id = new_id();
    let with = |request| ApplyTriggerRequest { request_id: request_id.clone(), ..request };
    failed(client.apply_trigger(with(trigger("lead-1", message_sent()))).await).is(Code::NotFound, "LEAD_NOT_FOUND");
    created(&mut client, "lead-1").await;
    failed(client.apply_trigger(with(trigger("lead-1", replied()))).await)
        .is(Code::FailedPrecondition, "TRIGGER_NOT_ALLOWED");
    failed(client.apply_trigger(with(trigger("lead-1", Kind::LeadReplied(LeadReplied { channel: 9 })))).await)
        .names(&["trigger.lead_replied.channel"]);
    let validated = ApplyTriggerRequest { validate_only: true, ..with(trigger("lead-1", all_used_up())) };
    client.apply_trigger(validated).await.expect("valid");
    let stale = ApplyTriggerRequest { expected_version: Some(9), ..with(trigger("lead-1", all_used_up())) };
    failed(client.apply_trigger(stale).await).is(Code::Aborted, "VERSION_MISMATCH");
    let accepted = client.apply_trigger(with(trigger("lead-1", message_sent()))).await.expect("accepted").into_inner();
    assert!(!accepted.replayed);
    let validated = ApplyTriggerRequest { validate_only: true, ..with(trigger("lead-1", message_sent())) };
    let replay = client.apply_trigger(validated).await.expect("a replay").into_inner();
    assert!(replay.replayed, "validate_only is no content");
    assert_eq!(check(server.database_url()).await, Sound { leads: 1, entries: 2 });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_request_many_times_at_once_has_one_effect() {
    let one = server().await;
    let other = replica_of(&one).await;
    let clients = [one.client(), other.client()];
    let creation = create("lead-1");
    let creations = (0..40).map(|number| {
        let (mut client, request) = (clients[number % 2].clone(), creation.clone());
        async move { client.create_lead(request).await.expect("created or a replay").into_inner().replayed }
    });
    let replayed = join_all(creations).await;
    assert_eq!(replayed.iter().filter(|replayed| !**replayed).count(), 1, "one of them did it");
    let request = trigger("lead-1", message_sent());
    let triggers = (0..40).map(|number| {
        let (mut client, request) = (clients[number % 2].clone(), request.clone());
        async move { client.apply_trigger(request).await.expect("accepted or a replay").into_inner() }
    });
    let answers = join_all(triggers).await;
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    assert!(answers.iter().all(|answer| answer.changes == answers[0].changes), "the same entry for all");
    assert_eq!(check(one.database_url()).await, Sound { leads: 1, entries: 2 });
}

/// Sends `request`, then each variant of it under the same id: all of them are other content.
async fn assert_trigger_content(client: &mut Client, request: ApplyTriggerRequest, others: Vec<ApplyTriggerRequest>) {
    client.apply_trigger(request.clone()).await.expect("accepted");
    for other in others {
        assert_eq!(other.request_id, request.request_id);
        failed(client.apply_trigger(other).await).is(Code::AlreadyExists, "REQUEST_ID_REUSED");
    }
    assert!(client.apply_trigger(request).await.expect("a replay").into_inner().replayed);
}

#[tokio::test]
async fn the_content_of_a_trigger_is_every_field_as_sent() {
    let server = server().await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    overridden(&mut client, "lead-1", Stage::Qualified).await;
    let of = |kind| trigger("lead-1", kind).trigger;
    let base = ApplyTriggerRequest {
        occurred_at: Some(time(5)),
        actor: Some(actor(ActorKind::AiAgent, "anna")),
        reason: "why".into(),
        ..trigger("lead-1", booked(meeting("m-1")))
    };
    let mut longer = meeting("m-1");
    longer.ends_at = Some(time(4_102_450_000));
    let mut later = meeting("m-1");
    later.starts_at = Some(time(4_102_444_801));
    let others = vec![
        ApplyTriggerRequest { trigger: of(booked(meeting("m-2"))), ..base.clone() },
        ApplyTriggerRequest { trigger: of(booked(longer)), ..base.clone() },
        ApplyTriggerRequest { trigger: of(booked(later)), ..base.clone() },
        ApplyTriggerRequest { trigger: of(message_sent()), ..base.clone() },
        ApplyTriggerRequest { occurred_at: None, ..base.clone() },
        ApplyTriggerRequest { occurred_at: Some(time(6)), ..base.clone() },
        ApplyTriggerRequest { actor: None, ..base.clone() },
        ApplyTriggerRequest { actor: Some(actor(ActorKind::Service, "anna")), ..base.clone() },
        ApplyTriggerRequest { actor: Some(actor(ActorKind::AiAgent, "ben")), ..base.clone() },
        ApplyTriggerRequest { reason: String::new(), ..base.clone() },
        ApplyTriggerRequest { reason: "why not".into(), ..base.clone() },
    ];
    assert_trigger_content(&mut client, base.clone(), others).await;
    for same in [
        ApplyTriggerRequest { expected_version: Some(1), ..base.clone() },
        ApplyTriggerRequest { validate_only: true, ..base },
    ] {
        assert!(client.apply_trigger(same).await.expect("no content").into_inner().replayed);
    }
    check(server.database_url()).await;
}

#[tokio::test]
async fn the_details_of_a_trigger_are_content_and_defaults_are_not_filled_in() {
    let server = server().await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    applied(&mut client, "lead-1", message_sent()).await;
    let by = |channel: Channel| Kind::LeadReplied(LeadReplied { channel: channel.into() });
    let base = trigger("lead-1", by(Channel::Sms));
    let with = |kind| ApplyTriggerRequest { request_id: base.request_id.clone(), ..trigger("lead-1", kind) };
    let others = vec![with(by(Channel::Voice)), with(replied()), with(checklist_completed()), {
        // What the server would fill in for an absent actor, said aloud.
        let actor = Some(actor(ActorKind::Service, "unknown"));
        ApplyTriggerRequest { actor, ..base.clone() }
    }];
    assert_trigger_content(&mut client, base, others).await;
}

#[tokio::test]
async fn the_content_of_an_override_is_every_field_as_sent() {
    let server = server().await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    let base = OverrideStageRequest {
        meeting: Some(meeting("m-1")),
        occurred_at: Some(time(5)),
        reason: "why".into(),
        ..override_to("lead-1", Stage::Scheduled)
    };
    client.override_stage(base.clone()).await.expect("set");
    for other in [
        OverrideStageRequest { stage: Stage::Won.into(), meeting: None, ..base.clone() },
        OverrideStageRequest { meeting: None, ..base.clone() },
        OverrideStageRequest { meeting: Some(meeting("m-2")), ..base.clone() },
        OverrideStageRequest { reopen_channels: true, ..base.clone() },
        OverrideStageRequest { occurred_at: None, ..base.clone() },
        OverrideStageRequest { actor: Some(actor(ActorKind::Person, "ben")), ..base.clone() },
        OverrideStageRequest { reason: "why not".into(), ..base.clone() },
    ] {
        failed(client.override_stage(other).await).is(Code::AlreadyExists, "REQUEST_ID_REUSED");
    }
    let trigger = ApplyTriggerRequest { request_id: base.request_id.clone(), ..trigger("lead-1", message_sent()) };
    failed(client.apply_trigger(trigger).await).is(Code::AlreadyExists, "REQUEST_ID_REUSED");
    for same in [
        OverrideStageRequest { expected_version: Some(1), ..base.clone() },
        OverrideStageRequest { validate_only: true, ..base },
    ] {
        assert!(client.override_stage(same).await.expect("no content").into_inner().replayed);
    }
    check(server.database_url()).await;
}

#[tokio::test]
async fn the_content_of_a_creation_is_every_field_as_sent() {
    let server = server().await;
    let mut client = server.client();
    let both = vec![ContactPoint::Email.into(), ContactPoint::Phone.into()];
    let base = CreateLeadRequest {
        agent_id: "default".into(),
        contact_points: both,
        actor: Some(person()),
        reason: "why".into(),
        ..create("lead-1")
    };
    client.create_lead(base.clone()).await.expect("created");
    for other in [
        CreateLeadRequest { agent_id: "anna".into(), ..base.clone() },
        CreateLeadRequest { agent_id: String::new(), ..base.clone() },
        CreateLeadRequest { contact_points: vec![], ..base.clone() },
        CreateLeadRequest { contact_points: vec![ContactPoint::Phone.into()], ..base.clone() },
        CreateLeadRequest { actor: None, ..base.clone() },
        CreateLeadRequest { reason: "why not".into(), ..base.clone() },
    ] {
        failed(client.create_lead(other).await).is(Code::AlreadyExists, "REQUEST_ID_REUSED");
    }
    assert!(client.create_lead(base).await.expect("a replay").into_inner().replayed);
    check(server.database_url()).await;
}
