//! CreateLead: always NEW, one entry, an id that exists is a replay or ALREADY_EXISTS.

use crate::support::checker::{Sound, check};
use crate::support::errors::failed;
use crate::support::requests::{actor, applied, create, created, history, lead, message_sent, new_id, person};
use crate::support::server::server;
use lead_pipeline::proto::cause::Kind as Cause;
use lead_pipeline::proto::{
    Actor, ActorKind, Cause as CauseMessage, ChannelState, Channels, ContactFailures, ContactPoint, ConversationMode,
    CreateLeadRequest, Creation, DeadReason, Lead, Stage, StageChange, StageKind,
};
use tonic::Code;

/// A new lead, as the database's time makes it.
fn new_lead(lead_id: &str, lead: &Lead) -> Lead {
    let open = ChannelState::Open.into();
    Lead {
        lead_id: lead_id.into(),
        agent_id: "default".into(),
        stage: Stage::New.into(),
        stage_kind: StageKind::Active.into(),
        conversation_mode: ConversationMode::FirstTouch.into(),
        version: 1,
        dead_reason: DeadReason::Unspecified.into(),
        channels: Some(Channels { email: open, sms: open, voice: open }),
        stage_entered_at: lead.created_at,
        furthest_stage: Stage::New.into(),
        meeting: None,
        created_at: lead.created_at,
        last_outreach_at: None,
        last_reply_at: None,
        contact_failures: Some(ContactFailures::default()),
        next_follow_up_at: None,
    }
}

#[tokio::test]
async fn a_lead_is_new_with_both_contact_points_by_default() {
    let server = server().await;
    let request = CreateLeadRequest { lead_id: "lead-1".into(), ..Default::default() };
    let response = server.client().create_lead(request).await.expect("created").into_inner();
    let lead = response.lead.expect("a lead");
    assert!(lead.created_at.is_some());
    assert_eq!(lead, new_lead("lead-1", &lead));
    assert!(!response.replayed);
    assert_eq!(response.request_id.len(), 36, "the server makes a request_id and returns it");
    let [change] = response.changes.as_slice() else { panic!("one entry: {:?}", response.changes) };
    let both = vec![ContactPoint::Email.into(), ContactPoint::Phone.into()];
    let expected = StageChange {
        lead_id: "lead-1".into(),
        agent_id: "default".into(),
        partition: change.partition,
        position: 1,
        version: 1,
        from_stage: Stage::Unspecified.into(),
        to_stage: Stage::New.into(),
        cause: Some(CauseMessage { kind: Some(Cause::Creation(Creation { contact_points: both })) }),
        actor: Some(actor(ActorKind::Service, "unknown")),
        reason: String::new(),
        request_id: response.request_id,
        occurred_at: None,
        recorded_at: lead.created_at,
        conversation_mode: ConversationMode::FirstTouch.into(),
        dead_reason: DeadReason::Unspecified.into(),
        stage_kind: StageKind::Active.into(),
        revival_id: String::new(),
    };
    assert_eq!(*change, expected);
    assert_eq!(history(&mut server.client(), "lead-1").await, vec![expected]);
    assert_eq!(check(server.database_url()).await, Sound { leads: 1, entries: 1 });
}

#[tokio::test]
async fn everything_that_is_given_is_kept() {
    let server = server().await;
    let request = CreateLeadRequest {
        lead_id: "Lead_1.a:b-c".into(),
        agent_id: "anna".into(),
        contact_points: vec![ContactPoint::Phone.into()],
        request_id: new_id(),
        actor: Some(person()),
        reason: "web form: „größer“ 🎉".into(),
    };
    let response = server.client().create_lead(request.clone()).await.expect("created").into_inner();
    assert_eq!(response.request_id, request.request_id);
    let lead = response.lead.expect("a lead");
    assert_eq!((lead.lead_id.as_str(), lead.agent_id.as_str()), ("Lead_1.a:b-c", "anna"));
    let (absent, open) = (ChannelState::Absent.into(), ChannelState::Open.into());
    assert_eq!(lead.channels, Some(Channels { email: absent, sms: open, voice: open }));
    let change = &history(&mut server.client(), "Lead_1.a:b-c").await[0];
    assert_eq!((&change.reason, &change.actor), (&request.reason, &request.actor));
    assert_eq!(change.request_id, request.request_id);
}

#[tokio::test]
async fn without_a_lead_id_the_request_id_serves_as_the_id() {
    let server = server().await;
    let request_id = new_id();
    let request = CreateLeadRequest { request_id: request_id.to_uppercase(), ..Default::default() };
    let response = server.client().create_lead(request).await.expect("created").into_inner();
    assert_eq!(response.lead.expect("a lead").lead_id, request_id, "in lower case");
    let response = server.client().create_lead(CreateLeadRequest::default()).await.expect("created").into_inner();
    assert_eq!(response.lead.expect("a lead").lead_id, response.request_id, "also one that the server made");
}

#[tokio::test]
async fn an_id_that_exists_is_already_exists() {
    let server = server().await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    applied(&mut client, "lead-1", message_sent()).await;
    let again = create("lead-1");
    failed(client.create_lead(again.clone()).await)
        .is(Code::AlreadyExists, "LEAD_ALREADY_EXISTS")
        .says("lead_id", "lead-1")
        .says("request_id", &again.request_id)
        .asks_to_retry(false);
    assert_eq!(lead(&mut client, "lead-1").await.version, 2, "nothing was changed");
    check(server.database_url()).await;
}

#[tokio::test]
async fn every_field_is_checked_and_named() {
    let server = server().await;
    let mut client = server.client();
    let wrong = CreateLeadRequest {
        lead_id: "a b".into(),
        agent_id: "x".repeat(65),
        contact_points: vec![ContactPoint::Email.into(), ContactPoint::Email.into(), 0, 7],
        request_id: "{0199d2a0-5b3e-7c1a-9f00-2f6c8f1f0a11}".into(),
        actor: Some(Actor { kind: ActorKind::System.into(), id: "a b".into() }),
        reason: "r".repeat(501),
    };
    let fields = [
        "lead_id",
        "agent_id",
        "contact_points[1]",
        "contact_points[2]",
        "contact_points[3]",
        "request_id",
        "actor.kind",
        "actor.id",
        "reason",
    ];
    failed(client.create_lead(wrong).await).names(&fields).asks_to_retry(false);
    let half = CreateLeadRequest { actor: Some(Actor::default()), ..create("lead-1") };
    let sent = half.request_id.clone();
    failed(client.create_lead(half).await).names(&["actor.kind", "actor.id"]).says("request_id", &sent);
    for request_id in ["0199d2a05b3e7c1a9f002f6c8f1f0a11", "0199d2a0-5b3e-7c1a-9f00-2f6c8f1f0a1g", "x"] {
        let request = CreateLeadRequest { request_id: request_id.into(), ..Default::default() };
        failed(client.create_lead(request).await).names(&["request_id"]);
    }
    assert_eq!(check(server.database_url()).await, Sound { leads: 0, entries: 0 });
}

#[tokio::test]
async fn limits_are_met_exactly() {
    let server = server().await;
    let mut client = server.client();
    let longest = CreateLeadRequest {
        agent_id: "a".repeat(64),
        actor: Some(actor(ActorKind::AiAgent, &"@".repeat(128))),
        reason: "ü".repeat(500),
        ..create(&"l".repeat(64))
    };
    client.create_lead(longest).await.expect("the longest of everything is accepted");
    failed(client.create_lead(create(&"l".repeat(65))).await).names(&["lead_id"]);
    let request = CreateLeadRequest { actor: Some(actor(ActorKind::AiAgent, &"@".repeat(129))), ..create("lead-2") };
    failed(client.create_lead(request).await).names(&["actor.id"]);
    check(server.database_url()).await;
}
