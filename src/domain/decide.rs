//! Decides what becomes of a lead: one pure function over the transition table, the marks and the override.

use super::channel::{ChannelState, Channels, ContactFailures, ContactPoint, OutreachMode};
use super::condition::Case;
use super::decision::{Context, Decision, FollowUp, Stamps, Step, Timer};
use super::lead::{Lead, Timestamp};
use super::marks::marked;
use super::refusal::{Refusal, Unrevived};
use super::stage::{DeadReason, Stage};
use super::table::stages_entered;
use super::trigger::{Action, Creation, Override, Trigger, TriggerKind};

/// The creation of a lead.
#[must_use]
pub fn create(creation: &Creation, now: Timestamp) -> Decision {
    let lead = Lead {
        id: creation.lead_id.clone(),
        agent: creation.agent.clone(),
        stage: Stage::New,
        version: 1,
        dead: None,
        channels: Channels::of(&creation.contact_points),
        failures: ContactFailures::default(),
        furthest: Stage::New,
        meeting: None,
        created_at: now,
        stage_entered_at: now,
        last_outreach_at: None,
        last_reply_at: None,
        next_follow_up_at: None,
    };
    Decision {
        lead,
        steps: vec![Step { from: None, to: Stage::New, dead: None, dead_raised: false }],
        stamps: Stamps { stage_entered: true, ..Stamps::default() },
        follow_up: FollowUp::Keep,
        timer: Timer::None,
    }
}

/// Decides an action on a lead.
///
/// # Errors
/// If the lead is dead or the table doesn't allow it; an override is never refused.
pub fn decide(lead: &Lead, context: Context, action: &Action) -> Result<Decision, Refusal> {
    match action {
        Action::Trigger(trigger) => decide_trigger(lead, context, trigger),
        Action::Override(chosen) => Ok(decide_override(lead, context, chosen)),
    }
}

/// Whether a revival under this mode revives an EXHAUSTED lead with this mark and these channels.
///
/// # Errors
/// Why it stays.
pub fn revivable(dead: Option<DeadReason>, channels: Channels, mode: OutreachMode) -> Result<(), Unrevived> {
    match dead {
        Some(_) => Err(Unrevived::Dead),
        None if channels.any_open(mode) => Ok(()),
        None => Err(Unrevived::NoOpenChannel),
    }
}

/// Decides the revival of an EXHAUSTED lead under the mode that its agent has got.
///
/// # Errors
/// Why it stays.
pub fn revive(lead: &Lead, context: Context) -> Result<Decision, Unrevived> {
    revivable(lead.dead, lead.channels, context.mode)?;
    let mut after = lead.clone();
    enter(&mut after, &[Stage::Contacted], context.now);
    Ok(record(lead, after, &[Stage::Contacted], context, None))
}

fn decide_trigger(lead: &Lead, context: Context, trigger: &Trigger) -> Result<Decision, Refusal> {
    let kind = trigger.kind();
    let mut after = marked(lead, context, trigger);
    let stages = match lead.dead {
        None => stages_entered(&Case { before: lead, marked: &after, context, trigger })?,
        // Nothing moves a dead lead, but its mark can still rise.
        Some(_) if kind.dead_reason().is_some() => &[],
        Some(reason) => return Err(Refusal::LeadIsDead(reason)),
    };
    enter(&mut after, stages, context.now);
    Ok(record(lead, after, stages, context, Some(kind)))
}

fn decide_override(lead: &Lead, context: Context, chosen: &Override) -> Decision {
    let mut after = lead.clone();
    if chosen.reopen_channels {
        reopen(&mut after);
    }
    let target = [chosen.stage];
    let stages: &[Stage] = if chosen.stage == lead.stage { &[] } else { &target };
    enter(&mut after, stages, context.now);
    if chosen.stage == Stage::Scheduled {
        after.meeting.clone_from(&chosen.meeting);
    }
    record(lead, after, stages, context, None)
}

/// Opens every channel of the contact points that the lead has, BAD ones too.
fn reopen(lead: &mut Lead) {
    let had = lead.channels;
    for point in ContactPoint::ALL.iter().filter(|point| had.has(**point)) {
        lead.channels.set_all(*point, ChannelState::Open);
    }
    lead.failures = ContactFailures::default();
}

/// Takes the lead through the stages.
fn enter(lead: &mut Lead, stages: &[Stage], now: Timestamp) {
    for stage in stages {
        if lead.stage == Stage::Scheduled && *stage != Stage::MeetingCompleted {
            lead.meeting = None;
        }
        lead.stage = *stage;
        lead.furthest = lead.furthest.furthest(*stage);
        lead.stage_entered_at = now;
    }
}

/// The decision that made `after` of `before` by way of the stages; `trigger` is `None` for an override and a revival.
fn record(
    before: &Lead,
    mut after: Lead,
    stages: &[Stage],
    context: Context,
    trigger: Option<TriggerKind>,
) -> Decision {
    let steps = steps(before, &after, stages);
    after.version += steps.len() as i32;
    let stamps = Stamps {
        stage_entered: !stages.is_empty(),
        outreach: trigger == Some(TriggerKind::MessageSent),
        reply: trigger == Some(TriggerKind::LeadReplied),
    };
    let follow_up = follow_up(before, &after, stamps.outreach);
    after.next_follow_up_at = follow_up.due(before.next_follow_up_at, context.now, context.check_in_interval);
    let timer = timer(before, &after);
    Decision { lead: after, steps, stamps, follow_up, timer }
}

/// An entry for each stage entered; if there is none, one from the stage to itself.
fn steps(before: &Lead, after: &Lead, stages: &[Stage]) -> Vec<Step> {
    let step = |from, to| Step { from: Some(from), to, dead: after.dead, dead_raised: after.dead > before.dead };
    if stages.is_empty() {
        return vec![step(before.stage, before.stage)];
    }
    let left = std::iter::once(&before.stage).chain(stages);
    left.zip(stages).map(|(from, to)| step(*from, *to)).collect()
}

/// A change of stage cancels the follow-up, then the new stage decides; a message finishes it, and in NURTURE begins
/// the next wait.
fn follow_up(before: &Lead, after: &Lead, message_sent: bool) -> FollowUp {
    if after.dead.is_some() {
        return FollowUp::Cancel;
    }
    match (before.stage, after.stage) {
        (Stage::Exhausted, Stage::Contacted) => FollowUp::DueNow,
        (from, to) if from == to && !message_sent => FollowUp::Keep,
        (_, Stage::Nurture) => FollowUp::AfterCheckIn,
        _ => FollowUp::Cancel,
    }
}

/// A lead that replies may go quiet, a meeting ends; a dead lead is left alone.
fn timer(before: &Lead, after: &Lead) -> Timer {
    if after.dead.is_some() {
        return Timer::None;
    }
    let talks = |stage| matches!(stage, Stage::Engaged | Stage::Qualified);
    match after.stage {
        Stage::Scheduled if after.meeting.is_none() => Timer::None,
        Stage::Scheduled if before.stage == Stage::Scheduled && before.meeting == after.meeting => Timer::Keep,
        Stage::Scheduled => Timer::MeetingEnd,
        // Only the lead's own doing counts: a move between the two doesn't begin anew.
        stage if talks(stage) && talks(before.stage) => Timer::Keep,
        stage if talks(stage) => Timer::Quiet,
        _ => Timer::None,
    }
}

#[cfg(test)]
mod tests;
