//! A person's override.

use super::*;

fn chosen(stage: Stage) -> Override {
    Override { stage, meeting: None, reopen_channels: false }
}

fn override_to(lead: &Lead, chosen: Override) -> Decision {
    decide(lead, context(Blended), &Action::Override(chosen)).expect("an override is never refused")
}

#[test]
fn every_stage_can_be_set_from_every_stage() {
    for from in Stage::ALL {
        for to in Stage::ALL {
            let decision = override_to(&lead_in(*from), chosen(*to));
            assert_eq!(stages_of(&decision), [(Some(*from), *to)]);
            assert_eq!(decision.stamps, Stamps { stage_entered: from != to, outreach: false, reply: false });
        }
    }
}

#[test]
fn an_override_counts_for_the_furthest_stage() {
    let won = override_to(&lead_in(Stage::New), chosen(Stage::Won)).lead;
    assert_eq!(won.furthest, Stage::Won);
    assert_eq!(override_to(&won, chosen(Stage::Contacted)).lead.furthest, Stage::Won);
}

#[test]
fn an_override_to_scheduled_sets_the_meeting_given_or_none() {
    let given = Some(meeting("m-2", 5, 6));
    for from in [Stage::Engaged, Stage::Scheduled, Stage::MeetingCompleted] {
        let mut lead = lead_in(from);
        lead.meeting = Some(meeting("m-1", 1, 2));
        let with = override_to(&lead, Override { meeting: given.clone(), ..chosen(Stage::Scheduled) });
        assert_eq!(with.lead.meeting, given);
        assert_eq!(override_to(&lead, chosen(Stage::Scheduled)).lead.meeting, None);
    }
}

#[test]
fn an_override_from_scheduled_clears_the_meeting_but_to_meeting_completed() {
    let mut lead = lead_in(Stage::Scheduled);
    lead.meeting = Some(meeting("m-1", 1, 2));
    assert_eq!(override_to(&lead, chosen(Stage::MeetingCompleted)).lead.meeting, lead.meeting);
    assert_eq!(override_to(&lead, chosen(Stage::Won)).lead.meeting, None);
}

#[test]
fn an_override_keeps_channel_marks_and_counts() {
    let mut lead = with_channels(lead_in(Stage::BadPhone), [UsedUp, Bad, Bad]);
    lead.failures = ContactFailures { email: 1, phone: 3 };
    let kept = override_to(&lead, chosen(Stage::Contacted)).lead;
    assert_eq!((kept.channels, kept.failures), (lead.channels, lead.failures));
}

#[test]
fn reopening_opens_what_the_lead_has_and_clears_the_counts() {
    let mut lead = with_channels(lead_in(Stage::BadPhone), [Absent, Bad, Bad]);
    lead.failures = ContactFailures { email: 0, phone: 3 };
    let reopened = override_to(&lead, Override { reopen_channels: true, ..chosen(Stage::BadPhone) }).lead;
    assert_eq!((channels_of(&reopened), reopened.failures), ([Absent, Open, Open], ContactFailures::default()));
}

#[test]
fn the_new_stage_decides_the_follow_up() {
    let follow_up = |from, to| override_to(&lead_in(from), chosen(to)).follow_up;
    assert_eq!(follow_up(Stage::Exhausted, Stage::Contacted), FollowUp::DueNow);
    assert_eq!(follow_up(Stage::New, Stage::Contacted), FollowUp::Cancel);
    assert_eq!(follow_up(Stage::Won, Stage::Nurture), FollowUp::AfterCheckIn);
    assert_eq!(follow_up(Stage::Nurture, Stage::Nurture), FollowUp::Keep);
    assert_eq!(follow_up(Stage::Nurture, Stage::Engaged), FollowUp::Cancel);
}
