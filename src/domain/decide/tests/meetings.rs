//! The current meeting.

use super::*;

fn id(text: &str) -> MeetingId {
    MeetingId::parse(text).expect("valid")
}

fn scheduled() -> Lead {
    let mut lead = lead_in(Stage::Scheduled);
    lead.meeting = Some(meeting("m-1", NOW.0, NOW.0 + 60));
    lead
}

#[test]
fn a_booking_sets_the_meeting() {
    let booked = accept(&lead_in(Stage::Qualified), Trigger::MeetingBooked { meeting: meeting("m-1", 1, 2) });
    assert_eq!((booked.lead.stage, booked.lead.meeting), (Stage::Scheduled, Some(meeting("m-1", 1, 2))));
}

#[test]
fn a_booking_in_scheduled_replaces_the_meeting() {
    let booked = accept(&scheduled(), Trigger::MeetingBooked { meeting: meeting("m-2", 1, 2) });
    assert_eq!(stages_of(&booked), [(Some(Stage::Scheduled), Stage::Scheduled)]);
    assert_eq!(booked.lead.meeting, Some(meeting("m-2", 1, 2)));
}

#[test]
fn only_the_current_meeting_can_be_cancelled() {
    let cancelled = accept(&scheduled(), Trigger::MeetingCancelled { meeting_id: id("m-1") });
    assert_eq!((cancelled.lead.stage, cancelled.lead.meeting), (Stage::Engaged, None));
    let other = accept(&scheduled(), Trigger::MeetingCancelled { meeting_id: id("m-2") });
    assert_eq!((other.lead.stage, other.lead.meeting), (Stage::Scheduled, scheduled().meeting));
}

#[test]
fn a_meeting_passes_from_its_start_on_and_stays_the_leads() {
    let passed = accept(&scheduled(), Trigger::MeetingTimePassed { meeting_id: id("m-1") });
    assert_eq!((passed.lead.stage, &passed.lead.meeting), (Stage::MeetingCompleted, &scheduled().meeting));
    let later = accept(&passed.lead, Trigger::WentQuiet);
    assert_eq!((later.lead.stage, later.lead.meeting), (Stage::Nurture, scheduled().meeting));
}

#[test]
fn a_meeting_that_has_not_started_cannot_have_passed() {
    let mut lead = scheduled();
    let starts_at = Timestamp(NOW.0 + 1);
    lead.meeting = Some(meeting("m-1", starts_at.0, starts_at.0 + 60));
    let passed = |meeting: &str| apply(&lead, Trigger::MeetingTimePassed { meeting_id: id(meeting) });
    assert_eq!(passed("m-1"), Err(Refusal::MeetingNotStarted(starts_at)));
    assert_eq!(passed("m-2").map(|decision| decision.lead.stage), Ok(Stage::Scheduled));
}

#[test]
fn without_a_current_meeting_none_passes_or_is_cancelled() {
    let lead = lead_in(Stage::Scheduled);
    for trigger in
        [Trigger::MeetingTimePassed { meeting_id: id("m-1") }, Trigger::MeetingCancelled { meeting_id: id("m-1") }]
    {
        assert_eq!(accept(&lead, trigger).lead.stage, Stage::Scheduled);
    }
}

#[test]
fn leaving_scheduled_clears_the_meeting() {
    let leave = [Trigger::WentQuiet, Trigger::AllContactAttemptsFailed, Trigger::OptedOut];
    for trigger in leave {
        let left = accept(&scheduled(), trigger).lead;
        assert_ne!(left.stage, Stage::Scheduled);
        assert_eq!(left.meeting, None, "{}", left.stage);
    }
    let lead = with_channels(scheduled(), [Bad, Open, Open]);
    let failure = AttemptFailure::RejectedByCarrier;
    let bad = accept(&lead, Trigger::ContactAttemptFailed { channel: Channel::Sms, failure }).lead;
    assert_eq!((bad.stage, bad.meeting), (Stage::BadContact, None));
}
