//! ApplyTrigger: moved, same or refused; what is accepted is recorded, what is refused leaves no trace.

use crate::support::checker::{Sound, check};
use crate::support::errors::failed;
use crate::support::requests::{
    actor, all_used_up, applied, booked, checklist_completed, create, created, history, lead, meeting, message_sent,
    not_interested, opted_out, overridden, replied, time, trigger, used_up,
};
use crate::support::server::server;
use lead_pipeline::proto::trigger::Kind;
use lead_pipeline::proto::{
    ActorKind, ApplyTriggerRequest, Channel, ContactPoint, ConversationMode, CreateLeadRequest, DeadReason,
    ExplainLeadRequest, MeetingTimePassed, Outcome, Stage, StageKind,
};
use tonic::Code;

#[tokio::test]
async fn a_trigger_moves_the_lead_or_leaves_it() {
    let server = server().await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    let moved = client.apply_trigger(trigger("lead-1", message_sent())).await.expect("accepted").into_inner();
    assert_eq!(moved.outcome(), Outcome::Moved);
    let after = moved.lead.expect("a lead");
    assert_eq!((after.stage(), after.version), (Stage::Contacted, 2));
    assert_eq!(after.conversation_mode(), ConversationMode::AwaitReply);
    assert_eq!(after.stage_entered_at, moved.changes[0].recorded_at, "entered when the entry was recorded");
    assert_eq!(after.last_outreach_at, moved.changes[0].recorded_at);
    let same = client.apply_trigger(trigger("lead-1", message_sent())).await.expect("accepted").into_inner();
    assert_eq!(same.outcome(), Outcome::NoChange);
    let [entry] = same.changes.as_slice() else { panic!("a NO_CHANGE entry is recorded: {same:?}") };
    assert_eq!((entry.from_stage(), entry.to_stage(), entry.version), (Stage::Contacted, Stage::Contacted, 3));
    let after_same = same.lead.expect("a lead");
    assert_eq!(after_same.stage_entered_at, after.stage_entered_at, "the stage was not entered again");
    assert_eq!(after_same.last_outreach_at, entry.recorded_at);
    assert_eq!(lead(&mut client, "lead-1").await, after_same, "the answer's lead is the stored one");
    assert_eq!(check(server.database_url()).await, Sound { leads: 1, entries: 3 });
}

#[tokio::test]
async fn a_reply_revives_in_two_entries_of_one_request() {
    let server = server().await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    applied(&mut client, "lead-1", all_used_up()).await;
    let request = trigger("lead-1", replied());
    let response = client.apply_trigger(request.clone()).await.expect("accepted").into_inner();
    assert_eq!(response.outcome(), Outcome::Moved);
    let steps: Vec<_> = response.changes.iter().map(|c| (c.version, c.from_stage(), c.to_stage())).collect();
    let expected = [(3, Stage::Exhausted, Stage::Contacted), (4, Stage::Contacted, Stage::Engaged)];
    assert_eq!(steps, expected);
    assert_eq!(response.changes[0].position + 1, response.changes[1].position);
    assert!(response.changes.iter().all(|change| change.request_id == request.request_id));
    assert_eq!(response.lead.expect("a lead").stage(), Stage::Engaged);
    let again = client.apply_trigger(request).await.expect("a replay").into_inner();
    assert!(again.replayed);
    assert_eq!(again.changes, response.changes, "a replay has both entries");
    check(server.database_url()).await;
}

#[tokio::test]
async fn a_refusal_says_why_and_what_is_accepted_and_leaves_no_trace() {
    let server = server().await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    let request = trigger("lead-1", checklist_completed());
    let refusal = failed(client.apply_trigger(request.clone()).await)
        .is(Code::FailedPrecondition, "TRIGGER_NOT_ALLOWED")
        .says("lead_id", "lead-1")
        .says("stage", "STAGE_NEW")
        .says("request_id", &request.request_id)
        .asks_to_retry(false);
    let explained = client.explain_lead(ExplainLeadRequest { lead_id: "lead-1".into() }).await.expect("explained");
    let mut accepted: Vec<String> =
        explained.into_inner().triggers.into_iter().filter(|t| t.refusal == 0).map(|t| t.trigger).collect();
    accepted.dedup();
    assert_eq!(refusal.metadata()["accepted_triggers"], accepted.join(","), "as ExplainLead says");
    assert!(accepted.contains(&"message_sent".to_owned()) && !accepted.contains(&"checklist_completed".to_owned()));
    assert_eq!(lead(&mut client, "lead-1").await.version, 1);
    assert_eq!(check(server.database_url()).await, Sound { leads: 1, entries: 1 });
}

#[tokio::test]
async fn a_dead_lead_refuses_all_but_a_higher_or_equal_mark() {
    let server = server().await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    let dead = applied(&mut client, "lead-1", not_interested()).await;
    assert_eq!((dead.stage(), dead.dead_reason()), (Stage::Lost, DeadReason::NotInterested));
    assert_eq!(dead.conversation_mode(), ConversationMode::Stop);
    let raised = client.apply_trigger(trigger("lead-1", opted_out())).await.expect("accepted").into_inner();
    assert_eq!(raised.outcome(), Outcome::NoChange);
    assert_eq!(raised.changes[0].dead_reason(), DeadReason::OptedOut);
    let kept = applied(&mut client, "lead-1", not_interested()).await;
    assert_eq!((kept.dead_reason(), kept.version), (DeadReason::OptedOut, 4), "a mark is never lowered");
    let revived = overridden(&mut client, "lead-1", Stage::Engaged).await;
    assert_eq!((revived.stage(), revived.dead_reason()), (Stage::Engaged, DeadReason::OptedOut));
    assert_eq!(revived.conversation_mode(), ConversationMode::Stop, "of a dead lead, whatever its stage");
    failed(client.apply_trigger(trigger("lead-1", replied())).await)
        .is(Code::FailedPrecondition, "LEAD_IS_DEAD")
        .says("lead_id", "lead-1")
        .says("stage", "STAGE_ENGAGED")
        .says("dead_reason", "DEAD_REASON_OPTED_OUT")
        .says("accepted_triggers", "opted_out,blocklisted,not_interested");
    check(server.database_url()).await;
}

#[tokio::test]
async fn a_channel_that_is_absent_is_refused() {
    let server = server().await;
    let mut client = server.client();
    let request = CreateLeadRequest { contact_points: vec![ContactPoint::Email.into()], ..create("lead-1") };
    client.create_lead(request).await.expect("created");
    failed(client.apply_trigger(trigger("lead-1", used_up(Channel::Sms))).await)
        .is(Code::FailedPrecondition, "CHANNEL_ABSENT")
        .says("channel", "CHANNEL_SMS")
        .says("stage", "STAGE_NEW");
    let exhausted = applied(&mut client, "lead-1", used_up(Channel::Email)).await;
    assert_eq!((exhausted.stage(), exhausted.stage_kind()), (Stage::Exhausted, StageKind::Paused));
    check(server.database_url()).await;
}

#[tokio::test]
async fn a_meeting_that_has_not_started_cannot_have_passed() {
    let server = server().await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    overridden(&mut client, "lead-1", Stage::Qualified).await;
    let scheduled = applied(&mut client, "lead-1", booked(meeting("m-1"))).await;
    assert_eq!((scheduled.stage(), &scheduled.meeting), (Stage::Scheduled, &Some(meeting("m-1"))));
    let passed = |id: &str| Kind::MeetingTimePassed(MeetingTimePassed { meeting_id: id.into() });
    failed(client.apply_trigger(trigger("lead-1", passed("m-1"))).await)
        .is(Code::FailedPrecondition, "MEETING_NOT_STARTED")
        .says("starts_at", "2100-01-01T00:00:00Z");
    let other = applied(&mut client, "lead-1", passed("m-2")).await;
    assert_eq!(other.stage(), Stage::Scheduled, "another meeting's time means nothing");
    let mut now = meeting("m-1");
    now.starts_at = Some(time(1));
    assert_eq!(applied(&mut client, "lead-1", booked(now)).await.stage(), Stage::Scheduled, "a reschedule");
    assert_eq!(applied(&mut client, "lead-1", passed("m-1")).await.stage(), Stage::MeetingCompleted);
    check(server.database_url()).await;
}

#[tokio::test]
async fn a_lead_that_is_not_there_is_not_created_by_a_trigger() {
    let server = server().await;
    let request = trigger("nobody", message_sent());
    failed(server.client().apply_trigger(request.clone()).await)
        .is(Code::NotFound, "LEAD_NOT_FOUND")
        .says("lead_id", "nobody")
        .says("request_id", &request.request_id)
        .asks_to_retry(false);
    assert_eq!(check(server.database_url()).await, Sound { leads: 0, entries: 0 });
}

#[tokio::test]
async fn validate_only_decides_and_writes_nothing() {
    let server = server().await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    applied(&mut client, "lead-1", all_used_up()).await;
    let before = lead(&mut client, "lead-1").await;
    let request = ApplyTriggerRequest { validate_only: true, ..trigger("lead-1", replied()) };
    let response = client.apply_trigger(request.clone()).await.expect("accepted").into_inner();
    assert_eq!((response.outcome(), response.replayed), (Outcome::Moved, false));
    assert_eq!(response.request_id, request.request_id);
    let would_be = response.lead.expect("a lead");
    assert_eq!((would_be.stage(), would_be.version), (Stage::Engaged, before.version), "at its present version");
    assert_eq!(response.changes.len(), 2);
    for change in response.changes {
        assert_eq!((change.version, change.position, change.recorded_at), (0, 0, None), "unset: {change:?}");
    }
    let refused = ApplyTriggerRequest { validate_only: true, ..trigger("lead-1", checklist_completed()) };
    failed(client.apply_trigger(refused).await).is(Code::FailedPrecondition, "TRIGGER_NOT_ALLOWED");
    assert_eq!(lead(&mut client, "lead-1").await, before);
    assert_eq!(check(server.database_url()).await, Sound { leads: 1, entries: 2 });
}

#[tokio::test]
async fn expected_version_writes_only_at_that_version() {
    let server = server().await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    let at = |version| ApplyTriggerRequest { expected_version: Some(version), ..trigger("lead-1", message_sent()) };
    client.apply_trigger(at(1)).await.expect("at version 1");
    let late = at(1);
    failed(client.apply_trigger(late.clone()).await)
        .is(Code::Aborted, "VERSION_MISMATCH")
        .says("lead_id", "lead-1")
        .says("expected_version", "1")
        .says("current_version", "2")
        .says("request_id", &late.request_id)
        .asks_to_retry(false);
    failed(client.apply_trigger(at(3)).await).is(Code::Aborted, "VERSION_MISMATCH").says("current_version", "2");
    let later = ApplyTriggerRequest { expected_version: Some(2), ..late };
    let response = client.apply_trigger(later).await.expect("a refused call doesn't use the id up").into_inner();
    assert_eq!((response.replayed, response.lead.expect("a lead").version), (false, 3));
    check(server.database_url()).await;
}

#[tokio::test]
async fn who_when_and_why_are_recorded_and_decide_nothing() {
    let server = server().await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    let mut occurred_at = time(-1_000_000);
    occurred_at.nanos = 123_456_789;
    let request = ApplyTriggerRequest {
        occurred_at: Some(occurred_at),
        actor: Some(actor(ActorKind::AiAgent, "anna")),
        reason: "first message".into(),
        ..trigger("lead-1", message_sent())
    };
    let response = client.apply_trigger(request.clone()).await.expect("accepted").into_inner();
    let change = &history(&mut client, "lead-1").await[1];
    assert_eq!(response.changes, std::slice::from_ref(change));
    occurred_at.nanos = 123_456_000;
    assert_eq!(change.occurred_at, Some(occurred_at), "cut to microseconds");
    assert_eq!((&change.actor, &change.reason), (&request.actor, &request.reason));
    assert_eq!(change.cause.as_ref().and_then(|cause| cause.kind.clone()), {
        let trigger = request.trigger.expect("a trigger");
        Some(lead_pipeline::proto::cause::Kind::Trigger(trigger))
    });
    check(server.database_url()).await;
}
