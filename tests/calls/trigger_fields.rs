//! The fields of triggers: each detail is required, checked, named when wrong, and recorded as it was sent.

use crate::support::checker::check;
use crate::support::errors::failed;
use crate::support::requests::{
    booked, created, history, lead, meeting, message_sent, override_to, replied, time, trigger,
};
use crate::support::server::server;
use lead_pipeline::proto::cause::Kind as Cause;
use lead_pipeline::proto::trigger::Kind;
use lead_pipeline::proto::{
    ActorKind, AllChannelsUsedUp, AllContactAttemptsFailed, ApplyTriggerRequest, AskedForLater, AttemptFailure,
    Blocklisted, Channel, ChannelUsedUp, ChecklistCompleted, ContactAttemptFailed, ContactInfoAdded,
    ContactLeftCompany, ContactPoint, Evidence, LeadReplied, Meeting, MeetingBooked, MeetingCancelled,
    MeetingTimePassed, NotInterested, OptedOut, Stage, Trigger, WentQuiet,
};

/// Every trigger, with details, and a stage that accepts it. The dead ones come last.
fn all_triggers() -> Vec<(Stage, Kind)> {
    let (email, sms) = (Channel::Email.into(), Channel::Sms.into());
    let failure = AttemptFailure::RejectedByCarrier.into();
    vec![
        (Stage::New, message_sent()),
        (Stage::Contacted, Kind::LeadReplied(LeadReplied { channel: sms })),
        (Stage::Contacted, replied()),
        (Stage::Engaged, Kind::ChecklistCompleted(ChecklistCompleted {})),
        (Stage::Qualified, booked(meeting("m-1"))),
        (Stage::New, Kind::MeetingCancelled(MeetingCancelled { meeting_id: "m-2".into() })),
        (Stage::New, Kind::MeetingTimePassed(MeetingTimePassed { meeting_id: "m-3".into() })),
        (Stage::Engaged, Kind::WentQuiet(WentQuiet {})),
        (Stage::Engaged, Kind::AskedForLater(AskedForLater {})),
        (Stage::Engaged, Kind::ChannelUsedUp(ChannelUsedUp { channel: email })),
        (Stage::Engaged, Kind::AllChannelsUsedUp(AllChannelsUsedUp {})),
        (Stage::Engaged, Kind::ContactInfoAdded(ContactInfoAdded { contact_point: ContactPoint::Phone.into() })),
        (Stage::Engaged, Kind::ContactAttemptFailed(ContactAttemptFailed { channel: sms, failure })),
        (Stage::Engaged, Kind::AllContactAttemptsFailed(AllContactAttemptsFailed {})),
        (Stage::Engaged, Kind::ContactLeftCompany(ContactLeftCompany { evidence: Evidence::OutOfOffice.into() })),
        (Stage::Engaged, Kind::NotInterested(NotInterested {})),
        (Stage::Engaged, Kind::Blocklisted(Blocklisted {})),
        (Stage::Engaged, Kind::OptedOut(OptedOut {})),
    ]
}

#[tokio::test]
async fn every_trigger_is_recorded_with_its_details() {
    let server = server().await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    for (stage, kind) in all_triggers() {
        client.override_stage(override_to("lead-1", stage)).await.expect("an override");
        let response = client.apply_trigger(trigger("lead-1", kind.clone())).await.expect("accepted").into_inner();
        let recorded = history(&mut client, "lead-1").await.pop().expect("an entry");
        assert_eq!(response.changes, vec![recorded.clone()], "what is answered is what is stored");
        let cause = recorded.cause.and_then(|cause| cause.kind);
        assert_eq!(cause, Some(Cause::Trigger(Trigger { kind: Some(kind) })));
        assert_eq!(lead(&mut client, "lead-1").await, response.lead.expect("a lead"));
    }
    check(server.database_url()).await;
}

#[tokio::test]
async fn a_wrong_detail_is_named() {
    let server = server().await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    let attempt = |channel, failure| Kind::ContactAttemptFailed(ContactAttemptFailed { channel, failure });
    let cases: Vec<(Kind, &[&str])> = vec![
        (Kind::LeadReplied(LeadReplied { channel: 9 }), &["trigger.lead_replied.channel"]),
        (Kind::LeadReplied(LeadReplied { channel: -1 }), &["trigger.lead_replied.channel"]),
        (Kind::MeetingBooked(MeetingBooked { meeting: None }), &["trigger.meeting_booked.meeting"]),
        (
            booked(Meeting::default()),
            &[
                "trigger.meeting_booked.meeting.meeting_id",
                "trigger.meeting_booked.meeting.starts_at",
                "trigger.meeting_booked.meeting.ends_at",
            ],
        ),
        (
            booked(Meeting { ends_at: meeting("m").starts_at, ..meeting("m") }),
            &["trigger.meeting_booked.meeting.ends_at"],
        ),
        (
            Kind::MeetingCancelled(MeetingCancelled { meeting_id: "a b".into() }),
            &["trigger.meeting_cancelled.meeting_id"],
        ),
        (
            Kind::MeetingTimePassed(MeetingTimePassed { meeting_id: String::new() }),
            &["trigger.meeting_time_passed.meeting_id"],
        ),
        (Kind::ChannelUsedUp(ChannelUsedUp { channel: 0 }), &["trigger.channel_used_up.channel"]),
        (Kind::ContactInfoAdded(ContactInfoAdded { contact_point: 3 }), &["trigger.contact_info_added.contact_point"]),
        (attempt(0, 0), &["trigger.contact_attempt_failed.channel", "trigger.contact_attempt_failed.failure"]),
        (attempt(1, 3), &["trigger.contact_attempt_failed.failure"]),
        (
            Kind::ContactLeftCompany(ContactLeftCompany { evidence: i32::MAX }),
            &["trigger.contact_left_company.evidence"],
        ),
    ];
    for (kind, fields) in cases {
        failed(client.apply_trigger(trigger("lead-1", kind)).await).names(fields);
    }
    for trigger in [None, Some(Trigger { kind: None })] {
        let request = ApplyTriggerRequest { lead_id: "lead-1".into(), trigger, ..Default::default() };
        failed(client.apply_trigger(request).await).names(&["trigger"]);
    }
}

#[tokio::test]
async fn the_fields_around_the_trigger_are_checked_together() {
    let server = server().await;
    let wrong = ApplyTriggerRequest {
        lead_id: String::new(),
        request_id: "x".into(),
        expected_version: Some(0),
        occurred_at: Some(prost_types::Timestamp { seconds: 0, nanos: -1 }),
        actor: Some(crate::support::requests::actor(ActorKind::System, "")),
        reason: "NUL \0".into(),
        validate_only: true,
        ..trigger("", message_sent())
    };
    let fields = ["lead_id", "request_id", "expected_version", "occurred_at", "actor.kind", "actor.id", "reason"];
    failed(server.client().apply_trigger(wrong).await).names(&fields).says("request_id", "x");
}

#[tokio::test]
async fn occurred_at_is_at_most_five_minutes_ahead_of_the_database() {
    let server = server().await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    let now = server.database().await.number("select extract(epoch from clock_timestamp())").await;
    let at = |seconds| ApplyTriggerRequest { occurred_at: Some(time(seconds)), ..trigger("lead-1", message_sent()) };
    client.apply_trigger(at(now + 290)).await.expect("a little ahead is accepted");
    failed(client.apply_trigger(at(now + 3600)).await).names(&["occurred_at"]);
    failed(client.apply_trigger(at(253_402_300_800)).await).names(&["occurred_at"]);
    failed(client.apply_trigger(at(i64::MIN)).await).names(&["occurred_at"]);
    client.apply_trigger(at(-62_135_596_800)).await.expect("the year 1 is accepted");
    check(server.database_url()).await;
}

#[tokio::test]
async fn a_meeting_may_be_in_the_past_and_is_cut_to_microseconds() {
    let server = server().await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    client.override_stage(override_to("lead-1", Stage::Qualified)).await.expect("an override");
    let at = |nanos| Some(prost_types::Timestamp { seconds: 1, nanos });
    let short = Meeting { meeting_id: "m".into(), starts_at: at(1_000), ends_at: at(1_999) };
    let fields = ["trigger.meeting_booked.meeting.ends_at"];
    failed(client.apply_trigger(trigger("lead-1", booked(short))).await).names(&fields);
    let past = Meeting { meeting_id: "m".into(), starts_at: at(1_999), ends_at: at(2_001) };
    let response = client.apply_trigger(trigger("lead-1", booked(past))).await.expect("accepted").into_inner();
    let cut = Meeting { meeting_id: "m".into(), starts_at: at(1_000), ends_at: at(2_000) };
    assert_eq!(response.lead.and_then(|lead| lead.meeting), Some(cut));
    check(server.database_url()).await;
}
