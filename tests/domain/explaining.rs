//! What is said about a lead: every trigger, in order, in sentences for people.

use lead_pipeline::domain::{
    ChannelState, Channels, Context, DeadReason, Details, Lead, OutreachMode, Stage, TriggerKind, accepted_triggers,
    explain,
};

use super::support::{NOW, context, lead_in, meeting};

/// Leads whose explanations differ in kind.
fn leads() -> [(&'static str, Lead, Context); 5] {
    let mut booked = lead_in(Stage::Scheduled);
    booked.meeting = Some(meeting("m-1", NOW.0 + 1, NOW.0 + 60));
    let mut exhausted = lead_in(Stage::Exhausted);
    exhausted.channels =
        Channels { email: ChannelState::UsedUp, sms: ChannelState::Absent, voice: ChannelState::Absent };
    let mut dead = lead_in(Stage::Engaged);
    dead.dead = Some(DeadReason::NotInterested);
    [
        ("explain_new", lead_in(Stage::New), context(OutreachMode::Blended)),
        ("explain_booked", booked, context(OutreachMode::SmsOnly)),
        ("explain_exhausted", exhausted, context(OutreachMode::VoiceOnly)),
        ("explain_won", lead_in(Stage::Won), context(OutreachMode::Blended)),
        ("explain_dead", dead, context(OutreachMode::Blended)),
    ]
}

#[test]
fn every_trigger_is_explained_in_a_sentence() {
    for (name, lead, context) in leads() {
        let accepted = accepted_triggers(&lead, context);
        let sentences: Vec<String> =
            explain(&lead, context).iter().map(|explanation| explanation.sentence(&lead, &accepted)).collect();
        insta::assert_snapshot!(name, sentences.join("\n"));
    }
}

#[test]
fn every_trigger_is_explained_in_order() {
    for (name, lead, context) in leads() {
        let mut kinds: Vec<TriggerKind> = explain(&lead, context).iter().map(|explanation| explanation.kind).collect();
        kinds.dedup();
        assert_eq!(kinds, TriggerKind::ALL, "{name}");
    }
}

#[test]
fn a_trigger_is_explained_once_for_each_value_that_decides() {
    let lead = lead_in(Stage::New);
    let explanations = explain(&lead, context(OutreachMode::Blended));
    let count = |kind| explanations.iter().filter(|explanation| explanation.kind == kind).count();
    assert_eq!(count(TriggerKind::ChannelUsedUp), 3);
    assert_eq!(count(TriggerKind::ContactAttemptFailed), 8);
    assert_eq!(count(TriggerKind::ContactInfoAdded), 2);
    assert_eq!(explanations.len(), 3 + 8 + 2 + (TriggerKind::ALL.len() - 3));
}

#[test]
fn a_meeting_is_explained_by_the_current_ones_id() {
    let [_, (_, booked, context), ..] = leads();
    let id = booked.meeting.clone().expect("it is booked").id;
    let explanations = explain(&booked, context);
    for kind in [TriggerKind::MeetingCancelled, TriggerKind::MeetingTimePassed] {
        let explanation = explanations.iter().find(|explanation| explanation.kind == kind).expect("all are explained");
        assert_eq!(explanation.details, Details::MeetingId(id.clone()));
    }
}

#[test]
fn what_some_details_allow_is_accepted() {
    let [_, (_, booked, now), (_, exhausted, voice), (_, won, _), (_, dead, _)] = leads();
    let dead_triggers = [TriggerKind::OptedOut, TriggerKind::Blocklisted, TriggerKind::NotInterested];
    assert_eq!(accepted_triggers(&won, now), dead_triggers);
    assert_eq!(accepted_triggers(&dead, now), dead_triggers);
    assert!(!accepted_triggers(&booked, now).contains(&TriggerKind::MeetingTimePassed));
    // SMS and VOICE are absent, EMAIL isn't.
    assert!(accepted_triggers(&exhausted, voice).contains(&TriggerKind::ChannelUsedUp));
}
