//! Used-up channels and failed contact attempts.

use super::*;

fn used_up(channel: Channel) -> Trigger {
    Trigger::ChannelUsedUp { channel }
}

fn failed(channel: Channel, failure: AttemptFailure) -> Trigger {
    Trigger::ContactAttemptFailed { channel, failure }
}

fn invalid(channel: Channel) -> Trigger {
    failed(channel, AttemptFailure::InvalidAddress)
}

#[test]
fn the_last_open_channel_of_the_mode_exhausts() {
    let lead = lead_in(Stage::Contacted);
    assert_eq!(accept(&lead, used_up(Channel::Email)).lead.stage, Stage::Contacted);
    assert_eq!(accept_in(EmailOnly, &lead, used_up(Channel::Email)).lead.stage, Stage::Exhausted);
    let last = with_channels(lead, [Open, UsedUp, UsedUp]);
    assert_eq!(accept(&last, used_up(Channel::Email)).lead.stage, Stage::Exhausted);
}

#[test]
fn a_used_up_channel_that_changes_no_mark_moves_nothing() {
    for channels in [[UsedUp, UsedUp, UsedUp], [Bad, UsedUp, UsedUp]] {
        let lead = with_channels(lead_in(Stage::Engaged), channels);
        let decision = accept(&lead, used_up(Channel::Email));
        assert_eq!(decision.lead.stage, Stage::Engaged);
        assert_eq!(channels_of(&decision.lead), channels);
    }
}

#[test]
fn a_channel_outside_the_mode_counts_if_the_mode_has_none_open() {
    let lead = with_channels(lead_in(Stage::Engaged), [Open, UsedUp, Open]);
    assert_eq!(accept_in(SmsOnly, &lead, used_up(Channel::Email)).lead.stage, Stage::Exhausted);
    assert_eq!(accept_in(VoiceOnly, &lead, used_up(Channel::Email)).lead.stage, Stage::Engaged);
}

#[test]
fn used_up_channels_only_mark_where_nothing_is_interrupted() {
    for stage in [Stage::Scheduled, Stage::MeetingCompleted, Stage::Nurture, Stage::Exhausted] {
        for trigger in [used_up(Channel::Sms), Trigger::AllChannelsUsedUp] {
            let decision = accept_in(SmsOnly, &lead_in(stage), trigger);
            assert_eq!(stages_of(&decision), [(Some(stage), stage)]);
            assert_eq!(channels_of(&decision.lead), [Open, UsedUp, Open]);
        }
    }
}

#[test]
fn all_used_up_marks_open_channels_of_the_mode_and_exhausts_regardless() {
    let lead = with_channels(lead_in(Stage::New), [Open, Bad, Bad]);
    let blended = accept(&lead, Trigger::AllChannelsUsedUp);
    assert_eq!((blended.lead.stage, channels_of(&blended.lead)), (Stage::Exhausted, [UsedUp, Bad, Bad]));
    let sms = accept_in(SmsOnly, &lead, Trigger::AllChannelsUsedUp);
    assert_eq!((sms.lead.stage, channels_of(&sms.lead)), (Stage::Exhausted, [Open, Bad, Bad]));
}

#[test]
fn an_absent_channel_is_refused_unless_the_stage_refuses_first() {
    for trigger in [used_up(Channel::Sms), invalid(Channel::Sms)] {
        let lead = with_channels(lead_in(Stage::Nurture), [Open, Absent, Absent]);
        assert_eq!(apply(&lead, trigger.clone()), Err(Refusal::ChannelAbsent(Channel::Sms)));
        let lost = with_channels(lead_in(Stage::Lost), [Open, Absent, Absent]);
        assert_eq!(apply(&lost, trigger), Err(Refusal::TriggerNotAllowed));
    }
}

#[test]
fn the_third_failure_in_a_row_makes_the_contact_point_bad() {
    let mut lead = lead_in(Stage::Engaged);
    for (count, channel) in [(1, Channel::Sms), (2, Channel::Voice)] {
        lead = accept(&lead, failed(channel, AttemptFailure::AttemptFailed)).lead;
        assert_eq!((lead.failures.phone, channels_of(&lead)), (count, [Open, Open, Open]));
    }
    lead = accept(&lead, failed(Channel::Sms, AttemptFailure::AttemptFailed)).lead;
    assert_eq!((lead.failures, channels_of(&lead)), (ContactFailures { email: 0, phone: 3 }, [Open, Bad, Bad]));
}

#[test]
fn invalid_and_rejected_make_the_contact_point_bad_at_once() {
    for failure in [AttemptFailure::InvalidAddress, AttemptFailure::RejectedByCarrier] {
        let lead = with_channels(lead_in(Stage::Engaged), [Open, UsedUp, Open]);
        assert_eq!(channels_of(&accept(&lead, failed(Channel::Voice, failure)).lead), [Open, Bad, Bad]);
    }
}

#[test]
fn a_contact_point_that_was_bad_before_moves_nothing() {
    let lead = with_channels(lead_in(Stage::Engaged), [Bad, Bad, Bad]);
    assert_eq!(accept(&lead, invalid(Channel::Email)).lead.stage, Stage::Engaged);
}

#[test]
fn the_only_contact_point_bad_is_bad_phone_or_bad_contact() {
    for stage in [Stage::New, Stage::MeetingCompleted, Stage::Nurture, Stage::Exhausted] {
        let phone = with_channels(lead_in(stage), [Absent, Open, Open]);
        assert_eq!(accept(&phone, invalid(Channel::Sms)).lead.stage, Stage::BadPhone);
        let email = with_channels(lead_in(stage), [Open, Absent, Absent]);
        assert_eq!(accept_in(SmsOnly, &email, invalid(Channel::Email)).lead.stage, Stage::BadContact);
    }
}

#[test]
fn every_contact_point_bad_comes_before_a_bad_phone() {
    let lead = with_channels(lead_in(Stage::Engaged), [Bad, Open, Open]);
    assert_eq!(accept_in(SmsOnly, &lead, invalid(Channel::Sms)).lead.stage, Stage::BadContact);
}

#[test]
fn a_bad_phone_ends_a_lead_whose_mode_uses_only_the_phone() {
    for stage in [Stage::Contacted, Stage::Scheduled, Stage::Exhausted] {
        for mode in [SmsOnly, VoiceOnly] {
            assert_eq!(accept_in(mode, &lead_in(stage), invalid(Channel::Sms)).lead.stage, Stage::BadPhone);
        }
        assert_eq!(accept(&lead_in(stage), invalid(Channel::Sms)).lead.stage, stage);
    }
}

#[test]
fn a_bad_contact_point_exhausts_the_four_stages_of_outreach_only() {
    for (stage, then) in [(Stage::Qualified, Stage::Exhausted), (Stage::Nurture, Stage::Nurture)] {
        assert_eq!(accept_in(EmailOnly, &lead_in(stage), invalid(Channel::Email)).lead.stage, then);
        let sms_used_up = with_channels(lead_in(stage), [Open, UsedUp, Open]);
        assert_eq!(accept_in(SmsOnly, &sms_used_up, invalid(Channel::Email)).lead.stage, then);
    }
}

#[test]
fn all_attempts_failed_makes_bad_what_the_mode_uses_and_the_lead_has() {
    let both = [Open, Open, UsedUp];
    let email = [Open, Absent, Absent];
    let phone = [Absent, Open, Open];
    let cases = [
        (Blended, both, Stage::BadContact, [Bad, Bad, Bad]),
        (EmailOnly, both, Stage::BadContact, [Bad, Open, UsedUp]),
        (SmsOnly, both, Stage::BadPhone, [Open, Bad, Bad]),
        (Blended, phone, Stage::BadPhone, [Absent, Bad, Bad]),
        (Blended, email, Stage::BadContact, [Bad, Absent, Absent]),
        // The mode uses nothing that the lead has: all it has was tried.
        (EmailOnly, phone, Stage::BadPhone, [Absent, Bad, Bad]),
        (VoiceOnly, email, Stage::BadContact, [Bad, Absent, Absent]),
    ];
    for (mode, channels, stage, after) in cases {
        let lead = with_channels(lead_in(Stage::Nurture), channels);
        let decision = accept_in(mode, &lead, Trigger::AllContactAttemptsFailed);
        assert_eq!((decision.lead.stage, channels_of(&decision.lead)), (stage, after), "{mode} {channels:?}");
    }
}
