//! One lead's history, entry by entry: each begins where the one before ended, and all of them are what the rules make
//! of the lead.

use super::finding::{Kind, Report};
use super::past::Past;
use crate::domain::{
    Action, Context, Creation, Decision, Lead, OutreachMode, Override, Span, Stage, Step, Timestamp, create, decide,
    revive,
};
use crate::store::{Cause, Entry, revival_request};
use std::collections::VecDeque;
use uuid::Uuid;

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

    /// Takes the next entry.
    pub fn push(&mut self, entry: Entry, past: &Past, report: &mut Report) {
        let whole = match &self.last {
            None => begins(&entry, past.pruned(), report),
            Some(last) => follows(last, &entry, report),
        };
        if whole {
            self.check_left(entry.recorded_at, past, report);
            self.decide(&entry, past, report);
        } else {
            self.lead = None;
        }
        self.last = Some(entry);
    }

    /// Decides what the entry was caused by, and compares. A history that isn't whole is passed over.
    fn decide(&mut self, entry: &Entry, past: &Past, report: &mut Report) {
        if let Some(step) = self.due.pop_front() {
            return self.compare(step, entry, report);
        }
        let known = entry.version == 1 || self.lead.is_some();
        if !known {
            return;
        }
        match self.decided(entry, past) {
            Ok(Some(decision)) => {
                self.due = decision.steps.iter().copied().collect();
                self.lead = Some(stamped(decision, entry.recorded_at));
                if let Some(step) = self.due.pop_front() {
                    self.compare(step, entry, report);
                }
            }
            Ok(None) => self.lead = None,
            Err(refused) => {
                report.add(Kind::RuleBroken, place(entry), refused, format_args!("an entry: {:?}", entry.cause));
                self.lead = None;
            }
        }
    }

    /// What the rules make of the entry; `None` if they make several things of it that look alike, as its agent was given
    /// another mode at the very moment.
    fn decided(&self, entry: &Entry, past: &Past) -> Result<Option<Decision>, &'static str> {
        let mut decisions: Vec<_> = past
            .modes(&entry.agent, entry.recorded_at)
            .into_iter()
            .map(|mode| decided(self.lead.as_ref(), entry, past, self.rules, mode))
            .collect();
        let first = decisions.swap_remove(0);
        let step = recorded(entry);
        let is_so = |decision: &Decision| decision.steps.first() == Some(&step);
        let mut others = decisions.into_iter().flatten().filter(is_so);
        match first {
            Ok(first) if is_so(&first) => Ok(others.all(|other| other == first).then_some(first)),
            first => match others.next() {
                Some(other) => Ok(others.all(|another| another == other).then_some(other)),
                None => first.map(Some),
            },
        }
    }

    /// No revival may have passed over the lead as it was since its last entry, until the next.
    fn check_left(&self, until: Timestamp, past: &Past, report: &mut Report) {
        let (Some(lead), Some(last)) = (&self.lead, &self.last) else { return };
        if let Some(part) = past.left_by(lead, last.recorded_at, until) {
            let expected = format!("a revival under {} by {}", part.mode, part.revival_id);
            report.add(Kind::LeftBehind, place(last), expected, "a lead that stayed EXHAUSTED");
        }
    }

    fn compare(&mut self, step: Step, entry: &Entry, report: &mut Report) {
        let recorded = recorded(entry);
        if recorded != step {
            report.add(Kind::RuleBroken, place(entry), format_args!("{step:?}"), format_args!("{recorded:?}"));
            self.lead = None;
            self.due.clear();
        }
    }

    /// The end of the history: nothing may be due any more.
    pub fn finish(&mut self, past: &Past, report: &mut Report) {
        self.check_left(Timestamp::MAX, past, report);
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

fn recorded(entry: &Entry) -> Step {
    Step { from: entry.from, to: entry.to, dead: entry.dead, dead_raised: entry.dead_raised }
}

/// What the rules make of the entry's cause under a mode of its agent, or why they don't.
fn decided(
    before: Option<&Lead>,
    entry: &Entry,
    past: &Past,
    rules: Rules,
    mode: OutreachMode,
) -> Result<Decision, &'static str> {
    let context = Context {
        mode,
        now: entry.recorded_at,
        failures_until_bad: rules.failures_until_bad,
        check_in_interval: Span(0),
    };
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
        Cause::Revival { revival_id, mode } => {
            let before = before.ok_or("a creation first")?;
            check_revival(before, entry, past, revival_id, mode)?;
            revive(before, Context { mode, ..context }).map_err(|_| "the lead can't be revived")
        }
    }
}

/// Whether a revival was about the lead, and could record the entry then.
fn check_revival(
    before: &Lead,
    entry: &Entry,
    past: &Past,
    revival_id: Uuid,
    mode: OutreachMode,
) -> Result<(), &'static str> {
    let part = past.part(revival_id).ok_or("a revival that there is")?;
    let lasted = part.began_at <= entry.recorded_at && part.finished_at.is_none_or(|at| entry.recorded_at <= at);
    let request_id = revival_request(revival_id, &entry.lead_id);
    match () {
        () if (&part.agent, part.mode) != (&entry.agent, mode) => Err("the agent and mode of its revival"),
        () if before.stage != Stage::Exhausted => Err("an EXHAUSTED lead before its revival"),
        () if before.stage_entered_at > part.began_at => Err("a lead that was EXHAUSTED before its revival began"),
        () if !lasted => Err("a time while its revival lasted"),
        () if entry.request_id != request_id => Err("the request_id of this lead's revival"),
        () => Ok(()),
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
