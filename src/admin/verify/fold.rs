//! One lead's history, entry by entry: each begins where the one before ended, and all of them are what the rules make
//! of the lead.

use super::finding::{Kind, Report};
use crate::domain::{
    Action, Context, Creation, Decision, Lead, OutreachMode, Override, Stage, Step, Timestamp, create, decide,
};
use crate::store::{Cause, Entry};
use std::collections::VecDeque;

/// How the server that decided was set.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    pub failures_until_bad: i32,
}

/// A lead's history so far.
#[derive(Debug)]
pub struct Fold {
    rules: Rules,
    /// The lead as its history makes it; none once that can't be told: the history begins with a later version, or was
    /// found to be wrong.
    lead: Option<Lead>,
    /// Entries that the last decision has still to record.
    due: VecDeque<Step>,
    last: Option<Entry>,
}

impl Fold {
    pub const fn new(rules: Rules) -> Self {
        Self { rules, lead: None, due: VecDeque::new(), last: None }
    }

    /// The last entry.
    pub const fn last(&self) -> Option<&Entry> {
        self.last.as_ref()
    }

    /// The lead as its whole history makes it.
    pub const fn lead(&self) -> Option<&Lead> {
        self.lead.as_ref()
    }

    /// Takes the next entry. `pruned` says that the history may begin with a later version than 1.
    pub fn push(&mut self, entry: Entry, pruned: bool, report: &mut Report) {
        let whole = match &self.last {
            None => begins(&entry, pruned, report),
            Some(last) => follows(last, &entry, report),
        };
        if whole {
            self.decide(&entry, report);
        } else {
            self.lead = None;
        }
        self.last = Some(entry);
    }

    /// Decides what the entry was caused by, and compares. A history that isn't whole is passed over.
    fn decide(&mut self, entry: &Entry, report: &mut Report) {
        if let Some(step) = self.due.pop_front() {
            return self.compare(step, entry, report);
        }
        let known = entry.version == 1 || self.lead.is_some();
        if !known {
            return;
        }
        match decided(self.lead.as_ref(), entry, self.rules) {
            Ok(decision) => {
                self.due = decision.steps.iter().copied().collect();
                self.lead = Some(stamped(decision, entry.recorded_at));
                if let Some(step) = self.due.pop_front() {
                    self.compare(step, entry, report);
                }
            }
            Err(refused) => {
                report.add(Kind::RuleBroken, place(entry), refused, format_args!("an entry: {:?}", entry.cause));
                self.lead = None;
            }
        }
    }

    fn compare(&mut self, step: Step, entry: &Entry, report: &mut Report) {
        let recorded = Step { from: entry.from, to: entry.to, dead: entry.dead, dead_raised: entry.dead_raised };
        if recorded != step {
            report.add(Kind::RuleBroken, place(entry), format_args!("{step:?}"), format_args!("{recorded:?}"));
            self.lead = None;
            self.due.clear();
        }
    }

    /// The end of the history: nothing may be due any more.
    pub fn finish(&mut self, report: &mut Report) {
        if let (Some(step), Some(last)) = (self.due.front(), &self.last) {
            report.add(
                Kind::RuleBroken,
                place(last),
                format_args!("one more entry: {step:?}"),
                "the end of the history",
            );
            self.lead = None;
        }
    }
}

/// Whether this is the first entry of a whole history.
fn begins(entry: &Entry, pruned: bool, report: &mut Report) -> bool {
    if entry.version == 1 {
        if entry.from.is_some() {
            report.add(Kind::StageBroken, place(entry), "no stage before", name(entry.from));
        }
        return true;
    }
    if !pruned {
        report.add(Kind::VersionHole, place(entry), "version 1", format_args!("version {}", entry.version));
    }
    false
}

/// Whether the entry is the one that comes after the last.
fn follows(last: &Entry, entry: &Entry, report: &mut Report) -> bool {
    if entry.position <= last.position {
        let expected = format!("a position after {}", last.position);
        report.add(Kind::OrderReversed, place(entry), expected, format_args!("position {}", entry.position));
    }
    let next = last.version + 1;
    if entry.version != next {
        let expected = format_args!("version {next}").to_string();
        report.add(Kind::VersionHole, place(entry), expected, format_args!("version {}", entry.version));
        return false;
    }
    if entry.from != Some(last.to) {
        report.add(Kind::StageBroken, place(entry), format_args!("from {}", last.to), name(entry.from));
        return false;
    }
    if entry.agent != last.agent {
        report.add(Kind::RuleBroken, place(entry), format_args!("agent {}", last.agent), &entry.agent);
    }
    true
}

/// Where an entry of a lead is.
pub fn place(entry: &Entry) -> String {
    let Entry { lead_id, partition, position, version, .. } = entry;
    format!("lead {lead_id}, version {version} (partition {partition}, position {position})")
}

fn name(from: Option<Stage>) -> String {
    from.map_or_else(|| "no stage before".to_owned(), |from| format!("from {from}"))
}

/// What the rules make of the entry's cause, or why they don't.
fn decided(before: Option<&Lead>, entry: &Entry, rules: Rules) -> Result<Decision, &'static str> {
    let context =
        Context { mode: OutreachMode::Blended, now: entry.recorded_at, failures_until_bad: rules.failures_until_bad };
    let act = |action| {
        let before = before.ok_or("a creation first")?;
        decide(before, context, &action).map_err(|refusal| refusal.kind().name())
    };
    match entry.cause.clone() {
        Cause::Creation { contact_points } if before.is_none() => {
            let (lead_id, agent) = (entry.lead_id.clone(), entry.agent.clone());
            Ok(create(&Creation { lead_id, agent, contact_points }, entry.recorded_at))
        }
        Cause::Creation { .. } => Err("LEAD_ALREADY_EXISTS"),
        Cause::Override { meeting, reopen_channels } => {
            act(Action::Override(Override { stage: entry.to, meeting, reopen_channels }))
        }
        Cause::Trigger(trigger) => act(Action::Trigger(trigger)),
    }
}

/// The lead with the moments that the decision leaves to the recording.
fn stamped(decision: Decision, at: Timestamp) -> Lead {
    let mut lead = decision.lead;
    if decision.stamps.stage_entered {
        lead.stage_entered_at = at;
    }
    if decision.stamps.outreach {
        lead.last_outreach_at = Some(at);
    }
    if decision.stamps.reply {
        lead.last_reply_at = Some(at);
    }
    lead
}
