//! Every stage with every trigger, listed: one snapshot a trigger, one of dead leads, one of overrides.
//!
//! A line says `stages: outcome` and what else changed. Stages with one outcome share a line, outreach modes with the
//! same lines a block.

use std::fmt::Write;

use lead_pipeline::domain::{
    Action, AttemptFailure, Channel, ChannelState, Channels, ContactFailures, ContactPoint, DeadReason, Decision,
    Evidence, FollowUp, Lead, Meeting, OutreachMode, Override, Refusal, Stage, StageKind, Trigger, TriggerKind, decide,
};

use super::support::{NOW, attempts, context, lead_in, meeting, meeting_id};
use ChannelState::{Absent, Bad, Open, UsedUp};

/// States of email, sms and voice in which the rules differ.
const CHANNELS: [[ChannelState; 3]; 9] = [
    [Open, Open, Open],
    [Open, Absent, Absent],
    [Absent, Open, Open],
    [Absent, UsedUp, Open],
    [UsedUp, Open, Open],
    [Open, UsedUp, UsedUp],
    [UsedUp, UsedUp, Open],
    [Bad, Open, UsedUp],
    [UsedUp, Bad, Bad],
];

/// What a lead has beside its stage.
#[derive(Clone)]
struct Situation {
    channels: [ChannelState; 3],
    failures: i32,
    meeting: Option<Meeting>,
}

const PLAIN: Situation = Situation { channels: CHANNELS[0], failures: 0, meeting: None };

impl Situation {
    fn lead(&self, stage: Stage) -> Lead {
        let [email, sms, voice] = self.channels;
        let mut lead = lead_in(stage);
        lead.channels = Channels { email, sms, voice };
        lead.failures = ContactFailures { email: self.failures, phone: self.failures };
        lead.meeting.clone_from(&self.meeting);
        lead
    }

    fn name(&self) -> String {
        let mut name = self.channels.map(ChannelState::name).join("/");
        if self.failures > 0 {
            write!(name, ", {} failures each", self.failures).expect("a string takes all");
        }
        if let Some(meeting) = &self.meeting {
            write!(name, ", meeting {} in {} us", meeting.id, meeting.starts_at.0 - NOW.0).expect("a string takes all");
        }
        name
    }
}

/// The triggers of a kind, with the details that decide, and the situations in which it differs.
fn cases(kind: TriggerKind) -> Vec<(String, Trigger, Situation)> {
    let with = |triggers: Vec<(String, Trigger)>, situations: &[Situation]| {
        let pair = |(details, trigger): (String, Trigger)| {
            situations.iter().map(move |situation| (details.clone(), trigger.clone(), situation.clone()))
        };
        triggers.into_iter().flat_map(pair).collect()
    };
    let plain = |trigger| with(vec![(String::new(), trigger)], &[PLAIN]);
    let channels = CHANNELS.map(|channels| Situation { channels, ..PLAIN });
    let meetings = [0, 1].map(|ahead| Situation { meeting: Some(meeting("m-1", NOW.0 + ahead, NOW.0 + 60)), ..PLAIN });
    let meetings = [vec![PLAIN], meetings.to_vec()].concat();
    match kind {
        TriggerKind::MessageSent => plain(Trigger::MessageSent),
        TriggerKind::LeadReplied => {
            let named = Channel::ALL.iter().map(|channel| Some(*channel));
            let triggers = std::iter::once(None)
                .chain(named)
                .map(|channel| (channel.map_or("", Channel::name).to_owned(), Trigger::LeadReplied { channel }));
            with(triggers.collect(), &channels)
        }
        TriggerKind::ChecklistCompleted => plain(Trigger::ChecklistCompleted),
        TriggerKind::MeetingBooked => {
            with(vec![("m-9".to_owned(), Trigger::MeetingBooked { meeting: meeting("m-9", 1, 2) })], &meetings)
        }
        TriggerKind::MeetingCancelled => {
            let trigger = |id: &str| (id.to_owned(), Trigger::MeetingCancelled { meeting_id: meeting_id(id) });
            with(vec![trigger("m-1"), trigger("m-2")], &meetings)
        }
        TriggerKind::MeetingTimePassed => {
            let trigger = |id: &str| (id.to_owned(), Trigger::MeetingTimePassed { meeting_id: meeting_id(id) });
            with(vec![trigger("m-1"), trigger("m-2")], &meetings)
        }
        TriggerKind::WentQuiet => plain(Trigger::WentQuiet),
        TriggerKind::AskedForLater => plain(Trigger::AskedForLater),
        TriggerKind::ChannelUsedUp => {
            let trigger = |channel: &Channel| (channel.name().to_owned(), Trigger::ChannelUsedUp { channel: *channel });
            with(Channel::ALL.iter().map(trigger).collect(), &channels)
        }
        TriggerKind::AllChannelsUsedUp => with(vec![(String::new(), Trigger::AllChannelsUsedUp)], &channels),
        TriggerKind::ContactInfoAdded => {
            let trigger =
                |point: &ContactPoint| (point.name().to_owned(), Trigger::ContactInfoAdded { contact_point: *point });
            let failed = channels.map(|situation| Situation { failures: 2, ..situation });
            with(ContactPoint::ALL.iter().map(trigger).collect(), &failed)
        }
        TriggerKind::ContactAttemptFailed => attempt_cases(&channels),
        TriggerKind::AllContactAttemptsFailed => {
            with(vec![(String::new(), Trigger::AllContactAttemptsFailed)], &channels)
        }
        TriggerKind::ContactLeftCompany => {
            let trigger =
                |evidence: &Evidence| (evidence.name().to_owned(), Trigger::ContactLeftCompany { evidence: *evidence });
            with(Evidence::ALL.iter().map(trigger).collect(), &[PLAIN])
        }
        TriggerKind::OptedOut => plain(Trigger::OptedOut),
        TriggerKind::Blocklisted => plain(Trigger::Blocklisted),
        TriggerKind::NotInterested => plain(Trigger::NotInterested),
    }
}

/// Failed attempts: the third in a row in every situation, the first in one, which is enough to see that it only counts.
fn attempt_cases(channels: &[Situation]) -> Vec<(String, Trigger, Situation)> {
    let case = |(channel, failure): (Channel, AttemptFailure), situation: &Situation| {
        (format!("{channel} {failure}"), Trigger::ContactAttemptFailed { channel, failure }, situation.clone())
    };
    attempts()
        .flat_map(|attempt| {
            let third = attempt.1 == AttemptFailure::AttemptFailed;
            let before = if third { 2 } else { 0 };
            let situations = channels.iter().map(move |it| Situation { failures: before, ..it.clone() });
            let first = third.then_some(PLAIN);
            first.into_iter().chain(situations).map(move |situation| case(attempt, &situation)).collect::<Vec<_>>()
        })
        .collect()
}

/// Collects names under equal texts, in order of appearance.
fn grouped(entries: impl Iterator<Item = (&'static str, String)>) -> Vec<(Vec<&'static str>, String)> {
    let mut groups: Vec<(Vec<&str>, String)> = Vec::new();
    for (name, text) in entries {
        match groups.iter_mut().find(|group| group.1 == text) {
            Some(group) => group.0.push(name),
            None => groups.push((vec![name], text)),
        }
    }
    groups
}

/// A line for each outcome, with the stages that have it; `open` are all that are no end.
fn outcomes(of: impl Fn(Stage) -> String) -> String {
    let names = |wanted: fn(StageKind) -> bool| -> Vec<&str> {
        Stage::ALL.iter().filter(|stage| wanted(stage.kind())).map(|stage| stage.name()).collect()
    };
    let mut text = String::new();
    for (stages, outcome) in grouped(Stage::ALL.iter().map(|stage| (stage.name(), of(*stage)))) {
        let stages = stages.join(" ");
        let stages = stages.replace(&names(|kind| kind != StageKind::End).join(" "), "open");
        let stages = stages.replace(&names(|kind| kind == StageKind::End).join(" "), "ends");
        writeln!(text, "    {stages}: {outcome}").expect("a string takes all");
    }
    text
}

/// The outcome of a trigger or an override, and what it changes beside the stage.
fn outcome(lead: &Lead, result: Result<Decision, Refusal>) -> String {
    let decision = match result {
        Ok(decision) => decision,
        Err(refusal) => return format!("refused, {refusal:?}"),
    };
    let after = &decision.lead;
    let entered: Vec<&str> =
        decision.steps.iter().filter(|step| step.from != Some(step.to)).map(|step| step.to.name()).collect();
    let mut parts = vec![if entered.is_empty() { "same".to_owned() } else { entered.join(" then ") }];
    for channel in Channel::ALL {
        let state = after.channels.get(*channel);
        if state != lead.channels.get(*channel) {
            parts.push(format!("{channel} is {state}"));
        }
    }
    if after.failures != lead.failures {
        parts.push(format!("failures {}/{}", after.failures.email, after.failures.phone));
    }
    if after.meeting != lead.meeting {
        parts.push(after.meeting.as_ref().map_or("no meeting".to_owned(), |meeting| format!("meeting {}", meeting.id)));
    }
    if let Some(reason) = after.dead.filter(|_| after.dead != lead.dead) {
        parts.push(format!("dead {reason}"));
    }
    if after.furthest != lead.furthest {
        parts.push(format!("furthest {}", after.furthest));
    }
    if decision.stamps.outreach {
        parts.push("outreach now".to_owned());
    }
    if decision.stamps.reply {
        parts.push("reply now".to_owned());
    }
    match decision.follow_up {
        FollowUp::Keep => {}
        FollowUp::Cancel => parts.push("no follow-up".to_owned()),
        FollowUp::DueNow => parts.push("follow-up now".to_owned()),
        FollowUp::AfterCheckIn => parts.push("follow-up later".to_owned()),
    }
    parts.join(", ")
}

#[test]
fn every_stage_with_every_trigger() {
    for kind in TriggerKind::ALL {
        let mut text = String::new();
        for (details, trigger, situation) in cases(*kind) {
            let space = if details.is_empty() { "" } else { " " };
            writeln!(text, "{kind}{space}{details} with {}", situation.name()).expect("a string takes all");
            let action = Action::Trigger(trigger);
            let block = |mode: OutreachMode| {
                outcomes(|stage| {
                    let lead = situation.lead(stage);
                    outcome(&lead, decide(&lead, context(mode), &action))
                })
            };
            for (modes, lines) in grouped(OutreachMode::ALL.iter().map(|mode| (mode.name(), block(*mode)))) {
                let modes =
                    if modes.len() == OutreachMode::ALL.len() { "any mode".to_owned() } else { modes.join(" ") };
                write!(text, "  {modes}\n{lines}").expect("a string takes all");
            }
        }
        insta::assert_snapshot!(kind.name(), text);
    }
}

#[test]
fn every_stage_of_a_dead_lead_with_every_trigger() {
    let mut text = String::new();
    for reason in DeadReason::ALL {
        let block = |kind: TriggerKind| {
            let (_, trigger, situation) = cases(kind).remove(0);
            let action = Action::Trigger(trigger);
            outcomes(|stage| {
                let mut lead = situation.lead(stage);
                lead.dead = Some(*reason);
                outcome(&lead, decide(&lead, context(OutreachMode::Blended), &action))
            })
        };
        writeln!(text, "dead {reason}").expect("a string takes all");
        for (kinds, lines) in grouped(TriggerKind::ALL.iter().map(|kind| (kind.name(), block(*kind)))) {
            write!(text, "  {}\n{lines}", kinds.join(" ")).expect("a string takes all");
        }
    }
    insta::assert_snapshot!("dead", text);
}

#[test]
fn every_stage_with_every_override() {
    let situation =
        Situation { channels: [Absent, Bad, Bad], failures: 3, meeting: Some(meeting("m-1", NOW.0 + 1, NOW.0 + 60)) };
    let mut text = String::new();
    for stage in Stage::ALL {
        let plain = Override { stage: *stage, meeting: None, reopen_channels: false };
        let mut variants =
            vec![(" and reopen", Override { reopen_channels: true, ..plain.clone() }), ("", plain.clone())];
        if *stage == Stage::Scheduled {
            variants.push((" with m-9", Override { meeting: Some(meeting("m-9", 1, 2)), ..plain }));
        }
        for (name, chosen) in variants {
            let action = Action::Override(chosen);
            let lines = outcomes(|from| {
                let lead = situation.lead(from);
                outcome(&lead, decide(&lead, context(OutreachMode::Blended), &action))
            });
            write!(text, "override to {stage}{name}\n{lines}").expect("a string takes all");
        }
    }
    insta::assert_snapshot!("override", text);
}
