//! One test a rule. `tests/domain` lists every stage and trigger; here stand the rules that are easy to get wrong.

mod channels;
mod dead;
mod meetings;
mod overrides;
mod replies;

use super::*;
use crate::domain::{
    AgentId, AttemptFailure, Channel, ChannelState, DeadReason, LeadId, Meeting, MeetingId, OutreachMode, Refusal, Span,
};
use ChannelState::{Absent, Bad, Open, UsedUp};
use OutreachMode::{Blended, EmailOnly, SmsOnly, VoiceOnly};

const NOW: Timestamp = Timestamp(1_000);

/// A lead of both contact points that was put in the stage.
fn lead_in(stage: Stage) -> Lead {
    let creation = Creation {
        lead_id: LeadId::parse("lead-1").expect("valid"),
        agent: AgentId::parse("anna").expect("valid"),
        contact_points: ContactPoint::ALL.to_vec(),
    };
    let mut lead = create(&creation, Timestamp(0)).lead;
    lead.stage = stage;
    lead
}

/// The lead with these states of email, sms and voice.
fn with_channels(mut lead: Lead, [email, sms, voice]: [ChannelState; 3]) -> Lead {
    lead.channels = Channels { email, sms, voice };
    lead
}

fn channels_of(lead: &Lead) -> [ChannelState; 3] {
    [lead.channels.email, lead.channels.sms, lead.channels.voice]
}

fn meeting(id: &str, starts_at: i64, ends_at: i64) -> Meeting {
    Meeting { id: MeetingId::parse(id).expect("valid"), starts_at: Timestamp(starts_at), ends_at: Timestamp(ends_at) }
}

fn context(mode: OutreachMode) -> Context {
    Context { mode, now: NOW, failures_until_bad: 3, check_in_interval: Span(1_000_000) }
}

fn apply_in(mode: OutreachMode, lead: &Lead, trigger: Trigger) -> Result<Decision, Refusal> {
    decide(lead, context(mode), &Action::Trigger(trigger))
}

fn apply(lead: &Lead, trigger: Trigger) -> Result<Decision, Refusal> {
    apply_in(Blended, lead, trigger)
}

/// The decision on a trigger that the rules accept.
fn accept_in(mode: OutreachMode, lead: &Lead, trigger: Trigger) -> Decision {
    apply_in(mode, lead, trigger).expect("the rules accept it")
}

fn accept(lead: &Lead, trigger: Trigger) -> Decision {
    accept_in(Blended, lead, trigger)
}

fn stages_of(decision: &Decision) -> Vec<(Option<Stage>, Stage)> {
    decision.steps.iter().map(|step| (step.from, step.to)).collect()
}

#[test]
fn a_created_lead_is_new_with_one_entry_from_no_stage() {
    let creation = Creation {
        lead_id: LeadId::parse("lead-1").expect("valid"),
        agent: AgentId::parse("anna").expect("valid"),
        contact_points: vec![ContactPoint::Phone],
    };
    let created = create(&creation, NOW);
    assert_eq!(stages_of(&created), [(None, Stage::New)]);
    assert_eq!((created.lead.stage, created.lead.version, created.lead.furthest), (Stage::New, 1, Stage::New));
    assert_eq!((created.lead.created_at, created.lead.stage_entered_at), (NOW, NOW));
    assert_eq!(channels_of(&created.lead), [Absent, Open, Open]);
    assert_eq!(created.stamps, Stamps { stage_entered: true, outreach: false, reply: false });
}

#[test]
fn a_message_stamps_the_outreach_and_the_stage_it_enters() {
    let sent = accept(&lead_in(Stage::New), Trigger::MessageSent);
    assert_eq!(sent.stamps, Stamps { stage_entered: true, outreach: true, reply: false });
    assert_eq!((sent.lead.last_outreach_at, sent.lead.stage_entered_at), (Some(NOW), NOW));

    let again = accept(&lead_in(Stage::Engaged), Trigger::MessageSent);
    assert_eq!(again.stamps, Stamps { stage_entered: false, outreach: true, reply: false });
    assert_eq!((again.lead.last_outreach_at, again.lead.stage_entered_at), (Some(NOW), Timestamp(0)));
}

#[test]
fn same_is_one_entry_from_the_stage_to_itself() {
    let same = accept(&lead_in(Stage::Qualified), Trigger::ChecklistCompleted);
    assert_eq!(stages_of(&same), [(Some(Stage::Qualified), Stage::Qualified)]);
    assert_eq!((same.lead.version, same.follow_up), (2, FollowUp::Keep));
}

#[test]
fn the_furthest_stage_never_goes_back_and_stays_on_the_line() {
    let mut lead = lead_in(Stage::Scheduled);
    lead.furthest = Stage::Scheduled;
    let quiet = accept(&lead, Trigger::WentQuiet).lead;
    assert_eq!((quiet.stage, quiet.furthest), (Stage::Nurture, Stage::Scheduled));
    let engaged = accept(&quiet, Trigger::LeadReplied { channel: None }).lead;
    assert_eq!((engaged.stage, engaged.furthest), (Stage::Engaged, Stage::Scheduled));
}

#[test]
fn entering_nurture_and_each_message_there_wait_for_the_check_in() {
    let entered = accept(&lead_in(Stage::Engaged), Trigger::AskedForLater);
    assert_eq!(entered.follow_up, FollowUp::AfterCheckIn);
    assert_eq!(accept(&entered.lead, Trigger::MessageSent).follow_up, FollowUp::AfterCheckIn);
    assert_eq!(accept(&entered.lead, Trigger::WentQuiet).follow_up, FollowUp::Keep);
}

#[test]
fn a_message_elsewhere_finishes_the_follow_up() {
    assert_eq!(accept(&lead_in(Stage::Contacted), Trigger::MessageSent).follow_up, FollowUp::Cancel);
}

#[test]
fn any_other_change_of_stage_cancels_the_follow_up() {
    let engaged = accept(&lead_in(Stage::Nurture), Trigger::LeadReplied { channel: None });
    assert_eq!(engaged.follow_up, FollowUp::Cancel);
    let moved =
        accept(&lead_in(Stage::Contacted), Trigger::ContactLeftCompany { evidence: crate::domain::Evidence::ToldUs });
    assert_eq!((moved.lead.stage, moved.follow_up), (Stage::MovedCompany, FollowUp::Cancel));
}
