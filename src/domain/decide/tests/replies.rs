//! `LEAD_REPLIED` and `CONTACT_INFO_ADDED`: what opens channels again.

use super::*;

fn replied(channel: Option<Channel>) -> Trigger {
    Trigger::LeadReplied { channel }
}

#[test]
fn a_reply_in_exhausted_is_two_entries_and_no_follow_up() {
    let lead = with_channels(lead_in(Stage::Exhausted), [UsedUp, UsedUp, UsedUp]);
    let decision = accept(&lead, replied(None));
    let steps = [(Some(Stage::Exhausted), Stage::Contacted), (Some(Stage::Contacted), Stage::Engaged)];
    assert_eq!(stages_of(&decision), steps);
    assert_eq!((decision.lead.version, decision.lead.stage), (lead.version + 2, Stage::Engaged));
    assert_eq!(decision.lead.furthest, Stage::Engaged);
    assert_eq!(decision.follow_up, FollowUp::Cancel);
    assert_eq!(decision.stamps, Stamps { stage_entered: true, outreach: false, reply: true });
    assert_eq!(decision.lead.last_reply_at, Some(NOW));
}

#[test]
fn a_reply_by_no_known_channel_opens_used_up_ones_only() {
    let lead = with_channels(lead_in(Stage::Engaged), [UsedUp, Bad, Bad]);
    assert_eq!(channels_of(&accept(&lead, replied(None)).lead), [Open, Bad, Bad]);
    let lead = with_channels(lead_in(Stage::Engaged), [Absent, UsedUp, Open]);
    assert_eq!(channels_of(&accept(&lead, replied(None)).lead), [Absent, Open, Open]);
}

#[test]
fn a_reply_opens_the_named_channel_and_its_contact_points_other() {
    for state in [Absent, Bad, UsedUp] {
        let lead = with_channels(lead_in(Stage::Engaged), [Bad, state, state]);
        assert_eq!(channels_of(&accept(&lead, replied(Some(Channel::Voice))).lead), [Bad, Open, Open]);
    }
}

#[test]
fn a_reply_clears_both_failure_counts() {
    let mut lead = lead_in(Stage::Engaged);
    lead.failures = ContactFailures { email: 1, phone: 2 };
    assert_eq!(accept(&lead, replied(Some(Channel::Email))).lead.failures, ContactFailures::default());
}

#[test]
fn added_contact_info_opens_its_channels_and_clears_its_count() {
    let mut lead = with_channels(lead_in(Stage::Scheduled), [Bad, Bad, Bad]);
    lead.failures = ContactFailures { email: 1, phone: 3 };
    let decision = accept(&lead, Trigger::ContactInfoAdded { contact_point: ContactPoint::Phone });
    assert_eq!(channels_of(&decision.lead), [Bad, Open, Open]);
    assert_eq!(decision.lead.failures, ContactFailures { email: 1, phone: 0 });
    assert_eq!(decision.lead.stage, Stage::Scheduled);
}

#[test]
fn added_contact_info_revives_if_the_mode_has_an_open_channel() {
    let lead = with_channels(lead_in(Stage::Exhausted), [UsedUp, Absent, Absent]);
    let phone = Trigger::ContactInfoAdded { contact_point: ContactPoint::Phone };

    let revived = accept_in(SmsOnly, &lead, phone.clone());
    assert_eq!((revived.lead.stage, revived.follow_up), (Stage::Contacted, FollowUp::DueNow));

    let kept = accept_in(EmailOnly, &lead, phone);
    assert_eq!((kept.lead.stage, kept.follow_up), (Stage::Exhausted, FollowUp::Keep));
    assert_eq!(channels_of(&kept.lead), [UsedUp, Open, Open]);
}
