//! OverrideStage: any stage to any stage, by a person, whatever the lead is.

use crate::support::checker::{Sound, check};
use crate::support::errors::failed;
use crate::support::requests::{
    actor, all_used_up, applied, created, history, lead, meeting, opted_out, overridden, override_to, person, trigger,
};
use crate::support::server::server;
use lead_pipeline::proto::cause::Kind as Cause;
use lead_pipeline::proto::trigger::Kind;
use lead_pipeline::proto::{
    ActorKind, AttemptFailure, Channel, ChannelState, Channels, ContactAttemptFailed, ContactFailures, ContactPoint,
    CreateLeadRequest, DeadReason, Outcome, Override, OverrideStageRequest, Stage,
};
use tonic::Code;

const STAGES: [Stage; 13] = [
    Stage::New,
    Stage::Contacted,
    Stage::Engaged,
    Stage::Qualified,
    Stage::Scheduled,
    Stage::MeetingCompleted,
    Stage::Nurture,
    Stage::Exhausted,
    Stage::Won,
    Stage::Lost,
    Stage::BadPhone,
    Stage::BadContact,
    Stage::MovedCompany,
];

#[tokio::test]
async fn any_stage_can_be_set_from_any_stage() {
    let server = server().await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    for from in STAGES {
        for to in STAGES {
            overridden(&mut client, "lead-1", from).await;
            let response = client.override_stage(override_to("lead-1", to)).await.expect("always").into_inner();
            let expected = if from == to { Outcome::NoChange } else { Outcome::Moved };
            assert_eq!(response.outcome(), expected, "{from:?} to {to:?}");
            let [change] = response.changes.as_slice() else { panic!("one entry, of NO_CHANGE too") };
            assert_eq!((change.from_stage(), change.to_stage()), (from, to));
            assert_eq!(response.lead.expect("a lead").stage(), to);
        }
    }
    assert_eq!(check(server.database_url()).await, Sound { leads: 1, entries: 1 + 2 * 13 * 13 });
}

#[tokio::test]
async fn a_dead_lead_may_be_overridden_and_stays_dead() {
    let server = server().await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    applied(&mut client, "lead-1", opted_out()).await;
    let lead = overridden(&mut client, "lead-1", Stage::Won).await;
    assert_eq!((lead.stage(), lead.dead_reason()), (Stage::Won, DeadReason::OptedOut));
    assert_eq!(lead.furthest_stage(), Stage::Won, "overrides count");
    check(server.database_url()).await;
}

#[tokio::test]
async fn the_actor_must_be_a_person() {
    let server = server().await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    let by = |actor| OverrideStageRequest { actor, ..override_to("lead-1", Stage::Won) };
    failed(client.override_stage(by(None)).await).names(&["actor"]);
    for kind in [ActorKind::AiAgent, ActorKind::Service, ActorKind::System] {
        failed(client.override_stage(by(Some(actor(kind, "x")))).await).names(&["actor.kind"]);
    }
    failed(client.override_stage(by(Some(actor(ActorKind::Person, "")))).await).names(&["actor.id"]);
    assert_eq!(lead(&mut client, "lead-1").await.version, 1);
}

#[tokio::test]
async fn scheduled_sets_the_meeting_that_is_given_or_none() {
    let server = server().await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    let to = |stage, meeting| OverrideStageRequest { meeting, ..override_to("lead-1", stage) };
    let given = client.override_stage(to(Stage::Scheduled, Some(meeting("m-1")))).await.expect("set").into_inner();
    assert_eq!(given.lead.expect("a lead").meeting, Some(meeting("m-1")));
    let cause = given.changes[0].cause.clone().and_then(|cause| cause.kind);
    let expected = Override { meeting: Some(meeting("m-1")), reopen_channels: false };
    assert_eq!(cause, Some(Cause::Override(expected)));
    let none = client.override_stage(to(Stage::Scheduled, None)).await.expect("set").into_inner();
    assert_eq!(none.outcome(), Outcome::NoChange);
    assert_eq!(none.lead.expect("a lead").meeting, None, "the one given, which is none");
    failed(client.override_stage(to(Stage::Won, Some(meeting("m-1")))).await).names(&["meeting"]);
    let half = lead_pipeline::proto::Meeting { ends_at: None, ..meeting("m-1") };
    failed(client.override_stage(to(Stage::Scheduled, Some(half))).await).names(&["meeting.ends_at"]);
    check(server.database_url()).await;
}

#[tokio::test]
async fn channel_marks_stay_unless_they_are_reopened() {
    let server = server().await;
    let mut client = server.client();
    let request = CreateLeadRequest {
        contact_points: vec![ContactPoint::Phone.into()],
        ..crate::support::requests::create("lead-1")
    };
    client.create_lead(request).await.expect("created");
    let (channel, failure) = (Channel::Sms.into(), AttemptFailure::AttemptFailed.into());
    applied(&mut client, "lead-1", Kind::ContactAttemptFailed(ContactAttemptFailed { channel, failure })).await;
    applied(&mut client, "lead-1", all_used_up()).await;
    let (absent, used_up, open) = (ChannelState::Absent.into(), ChannelState::UsedUp.into(), ChannelState::Open.into());
    let kept = overridden(&mut client, "lead-1", Stage::Engaged).await;
    assert_eq!(kept.channels, Some(Channels { email: absent, sms: used_up, voice: used_up }));
    assert_eq!(kept.contact_failures, Some(ContactFailures { email: 0, phone: 1 }));
    let request = OverrideStageRequest { reopen_channels: true, ..override_to("lead-1", Stage::Engaged) };
    let reopened = client.override_stage(request).await.expect("set").into_inner().lead.expect("a lead");
    assert_eq!(reopened.channels, Some(Channels { email: absent, sms: open, voice: open }), "of what the lead has");
    assert_eq!(reopened.contact_failures, Some(ContactFailures::default()));
    check(server.database_url()).await;
}

#[tokio::test]
async fn every_field_is_checked_and_named() {
    let server = server().await;
    let mut client = server.client();
    let wrong = OverrideStageRequest {
        lead_id: "ü".into(),
        stage: 14,
        meeting: None,
        reopen_channels: true,
        request_id: "x".into(),
        expected_version: Some(-1),
        occurred_at: Some(prost_types::Timestamp { seconds: i64::MAX, nanos: 0 }),
        actor: Some(actor(ActorKind::Person, "a/b")),
        reason: "r".repeat(501),
        validate_only: false,
    };
    let fields = ["lead_id", "stage", "request_id", "expected_version", "occurred_at", "actor.id", "reason"];
    failed(client.override_stage(wrong).await).names(&fields);
    failed(client.override_stage(override_to("lead-1", Stage::Unspecified)).await).names(&["stage"]);
    failed(client.override_stage(override_to("lead-1", Stage::Won)).await).is(Code::NotFound, "LEAD_NOT_FOUND");
}

#[tokio::test]
async fn validate_only_and_expected_version_hold_for_overrides() {
    let server = server().await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    let request = OverrideStageRequest { validate_only: true, ..override_to("lead-1", Stage::Won) };
    let response = client.override_stage(request).await.expect("valid").into_inner();
    assert_eq!((response.changes[0].version, response.changes[0].position), (0, 0));
    let would_be = response.lead.expect("a lead");
    assert_eq!((would_be.stage(), would_be.version), (Stage::Won, 1));
    assert_eq!(lead(&mut client, "lead-1").await.stage(), Stage::New);
    let at = |version| OverrideStageRequest { expected_version: Some(version), ..override_to("lead-1", Stage::Won) };
    failed(client.override_stage(at(2)).await).is(Code::Aborted, "VERSION_MISMATCH").says("current_version", "1");
    client.override_stage(at(1)).await.expect("at its version");
    let last = history(&mut client, "lead-1").await.pop().expect("an entry");
    assert_eq!(last.actor, Some(person()));
    let refused = trigger("lead-1", crate::support::requests::message_sent());
    failed(client.apply_trigger(refused).await).is(Code::FailedPrecondition, "TRIGGER_NOT_ALLOWED");
    check(server.database_url()).await;
}
