//! Decides the commands on one lead, one after the other, into one write.

use super::batch::Batch;
use super::command::{Answer, Body, Command, CommandError};
use crate::domain::{
    Action, Agenda, Context, Decision, FollowUp, Lead, Override, Span, Stamps, Timestamp, create, decide,
};
use crate::store::{Base, Cause, Entered, Entry, Head, Known, LeadWrite, Modes, NewEntry, PrunedRequest, StoredLead};
use std::ops::Range;
use std::sync::Arc;

/// One lead's write, and what each command has part in it.
pub(super) struct Folded {
    pub write: LeadWrite,
    parts: Vec<Part>,
}

/// One command of a write.
struct Part {
    /// The command's place in the batch.
    place: usize,
    /// The lead right after this command, and the moments of it that the write will set.
    lead: Lead,
    stamps: Stamps,
    follow_up: FollowUp,
    entries: Range<usize>,
}

/// A write that is on disk, while its entries are told one after the other.
pub(super) struct Recording<'a> {
    /// Moves on by each entry.
    pub head: &'a mut Head,
    pub recorded_at: Timestamp,
    pub check_in_interval: Span,
    pub committed: &'a mut Vec<Arc<Entry>>,
}

/// What a lead is decided on.
pub(super) struct Ground<'a> {
    pub base: Option<StoredLead>,
    /// Set if `base` was read after the commands came, with a look for their requests: only then may a command be
    /// answered without a write.
    pub known: Option<&'a Known>,
    /// The modes of the partition's agents.
    pub modes: &'a Modes,
    /// But for the mode, which is the agent's.
    pub context: Context,
}

impl Ground<'_> {
    /// Decides the commands at `places`, all on one lead. Commands that need no write are answered; the fold ends
    /// before the first one that can't be answered yet, which stays in the batch for a fresh look.
    pub(super) fn fold(self, batch: &mut Batch, places: &[usize], mut next_tag: impl FnMut() -> i64) -> Option<Folded> {
        let mut folded: Option<Folded> = None;
        for (nth, &place) in places.iter().enumerate() {
            let command = batch.pending[place].command();
            if let Some(answer) = self.recorded(batch, place) {
                if folded.is_some() {
                    leave(batch, &places[nth..]);
                    return folded;
                }
                batch.pending[place].answer(answer);
                continue;
            }
            if folded.as_ref().is_some_and(|folded| folded.contains(command)) {
                leave(batch, &places[nth..]);
                return folded;
            }
            let lead = folded.as_ref().map(|f| &f.write.lead).or(self.base.as_ref().map(|base| &base.lead));
            let context =
                lead.map_or(self.context, |lead| Context { mode: self.modes.of(&lead.agent), ..self.context });
            match judge(command, lead, context) {
                Ok(decision) if !command.validate_only => {
                    if batch.pending[place].send() {
                        let base = self.base.as_ref();
                        let entered = base.map(|base| base.lead.stage_entered_at);
                        let base = base.map(|base| Base { version: base.lead.version, tag: base.tag });
                        let command = batch.pending[place].command();
                        let tags = push(&mut folded, (base, entered), place, command, decision, &mut next_tag);
                        batch.pending[place].attempted.extend(tags);
                    }
                }
                verdict => {
                    if folded.is_some() || self.known.is_none() {
                        leave(batch, &places[nth..]);
                        return folded;
                    }
                    let answer = verdict.map(|decision| validated(command, decision));
                    batch.pending[place].answer(answer);
                }
            }
        }
        folded
    }

    /// The answer to a command whose request is recorded on the lead.
    fn recorded(&self, batch: &Batch, place: usize) -> Option<Result<Answer, CommandError>> {
        let pending = &batch.pending[place];
        let command = pending.command();
        let key = (command.lead_id.clone(), command.request_id);
        let known = self.known?;
        let Some(entries) = known.requests.get(&key) else { return self.pruned(command, known.pruned.get(&key)?) };
        if entries.iter().any(|entry| entry.digest != command.digest) {
            return Some(Err(CommandError::RequestIdReused));
        }
        let own = entries.iter().any(|entry| pending.attempted.contains(&entry.tag));
        let entries = entries.iter().cloned().map(Arc::new).collect();
        Some(Ok(Answer::new(self.base.as_ref()?.lead.clone(), entries, !own)))
    }

    /// The answer to a command whose entries were pruned: its outcome is all that is left. Nothing tells any more
    /// whether an attempt of this very command recorded it, so it counts as a replay.
    fn pruned(&self, command: &Command, request: &PrunedRequest) -> Option<Result<Answer, CommandError>> {
        if request.digest != command.digest {
            return Some(Err(CommandError::RequestIdReused));
        }
        let lead = self.base.as_ref()?.lead.clone();
        Some(Ok(Answer { lead, entries: Vec::new(), moved: request.moved, replayed: true }))
    }
}

/// Leaves the commands at `places` in the batch: they are answered from a fresh read.
fn leave(batch: &mut Batch, places: &[usize]) {
    for place in places {
        batch.pending[*place].fresh = true;
    }
}

/// The checks behind the replay, in their order: the version, the dead mark, the table.
fn judge(command: &Command, lead: Option<&Lead>, context: Context) -> Result<Decision, CommandError> {
    match (&command.body, lead) {
        (Body::Create(_), Some(_)) => Err(CommandError::LeadAlreadyExists),
        (Body::Create(creation), None) => Ok(create(creation, context.now)),
        (Body::Act(_), None) => Err(CommandError::LeadNotFound),
        (Body::Act(action), Some(lead)) => {
            if let Some(expected) = command.expected_version.filter(|expected| *expected != lead.version) {
                return Err(CommandError::VersionMismatch { expected, current: lead.version });
            }
            decide(lead, context, action).map_err(|refusal| match action {
                Action::Trigger(trigger) => {
                    let lead = Box::new(lead.clone());
                    CommandError::Refused { trigger: trigger.kind(), refusal, lead, context }
                }
                Action::Override(_) => CommandError::Internal,
            })
        }
    }
}

/// Adds a decided command to the lead's write; returns the tags of its entries.
fn push(
    folded: &mut Option<Folded>,
    (base, entered): (Option<Base>, Option<Timestamp>),
    place: usize,
    command: &Command,
    decision: Decision,
    next_tag: &mut impl FnMut() -> i64,
) -> Vec<i64> {
    let folded = folded.get_or_insert_with(|| Folded {
        write: LeadWrite {
            base,
            lead: decision.lead.clone(),
            stamps: Stamps::default(),
            agenda: Agenda::UNCHANGED,
            entries: Vec::new(),
        },
        parts: Vec::new(),
    });
    let start = folded.write.entries.len();
    let stamps = folded.write.stamps;
    let entered = if stamps.stage_entered { Some(Entered::Now) } else { entered.map(Entered::At) };
    folded.write.entries.extend(new_entries(command, &decision, entered, next_tag));
    folded.write.agenda = folded.write.agenda.then(&decision);
    folded.write.stamps = Stamps {
        stage_entered: stamps.stage_entered || decision.stamps.stage_entered,
        outreach: stamps.outreach || decision.stamps.outreach,
        reply: stamps.reply || decision.stamps.reply,
    };
    folded.write.lead = decision.lead;
    let entries = start..folded.write.entries.len();
    folded.parts.push(Part {
        place,
        lead: folded.write.lead.clone(),
        stamps: folded.write.stamps,
        follow_up: folded.write.agenda.follow_up,
        entries: entries.clone(),
    });
    folded.write.entries[entries].iter().map(|entry| entry.tag).collect()
}

fn new_entries<'a>(
    command: &'a Command,
    decision: &'a Decision,
    entered: Option<Entered>,
    next_tag: &'a mut impl FnMut() -> i64,
) -> impl Iterator<Item = NewEntry> + 'a {
    let before = decision.lead.version - decision.steps.len() as i32;
    // Each step ends a visit; that of the first began before, that of the second with the first.
    let entered_before = move |number| if number == 0 { entered } else { Some(Entered::Now) };
    decision.steps.iter().zip(0i16..).map(move |(step, number)| NewEntry {
        version: before + 1 + i32::from(number),
        step: number,
        from: step.from,
        to: step.to,
        dead: step.dead,
        dead_raised: step.dead_raised,
        cause: cause(&command.body),
        actor: command.actor.clone(),
        reason: command.reason.clone(),
        request_id: command.request_id,
        digest: command.digest,
        occurred_at: command.occurred_at,
        tag: next_tag(),
        entered: step.from.filter(|from| *from != step.to).and_then(|_| entered_before(number)),
    })
}

fn cause(body: &Body) -> Cause {
    match body {
        Body::Create(creation) => Cause::Creation { contact_points: creation.contact_points.clone() },
        Body::Act(Action::Trigger(trigger)) => Cause::Trigger(trigger.clone()),
        Body::Act(Action::Override(Override { meeting, reopen_channels, .. })) => {
            Cause::Override { meeting: meeting.clone(), reopen_channels: *reopen_channels }
        }
    }
}

/// The answer to a command that was only to be validated: nothing has a version or a position.
fn validated(command: &Command, decision: Decision) -> Answer {
    let entries = new_entries(command, &decision, None, &mut || 0)
        .map(|new| Arc::new(Entry { version: 0, ..entry(new, &decision.lead, Head::default(), Timestamp(0)) }))
        .collect();
    let version = decision.lead.version - decision.steps.len() as i32;
    Answer::new(Lead { version, ..decision.lead }, entries, false)
}

pub(super) fn entry(new: NewEntry, lead: &Lead, at: Head, recorded_at: Timestamp) -> Entry {
    Entry {
        lead_id: lead.id.clone(),
        agent: lead.agent.clone(),
        partition: at.partition,
        position: at.position,
        version: new.version,
        step: new.step,
        from: new.from,
        to: new.to,
        dead: new.dead,
        dead_raised: new.dead_raised,
        cause: new.cause,
        actor: new.actor,
        reason: new.reason,
        request_id: new.request_id,
        digest: new.digest,
        occurred_at: new.occurred_at,
        recorded_at,
        tag: new.tag,
    }
}

impl Folded {
    fn contains(&self, command: &Command) -> bool {
        self.write.entries.iter().any(|entry| entry.request_id == command.request_id)
    }

    /// The places of the commands that have part in the write.
    pub(super) fn places(&self) -> impl Iterator<Item = usize> + '_ {
        self.parts.iter().map(|part| part.place)
    }

    /// The write is on disk: answers its commands, appends its entries to `committed`, and returns the lead.
    pub(super) fn commit(self, batch: &mut Batch, at: &mut Recording<'_>, follow_up: Option<Timestamp>) -> StoredLead {
        let Recording { head, recorded_at, check_in_interval, committed } = at;
        let (recorded_at, check_in_interval) = (*recorded_at, *check_in_interval);
        let due = |made: FollowUp| made.due(follow_up, recorded_at, check_in_interval);
        let (created, tag) = (self.write.base.is_none(), self.write.tag());
        let mut lead = self.write.lead;
        let first = committed.len();
        for new in self.write.entries {
            head.position += 1;
            head.tag = new.tag;
            committed.push(Arc::new(entry(new, &lead, **head, recorded_at)));
        }
        for part in self.parts {
            let entries = committed[first + part.entries.start..first + part.entries.end].to_vec();
            let mut lead = stamped(part.lead, part.stamps, created, recorded_at);
            lead.next_follow_up_at = due(part.follow_up);
            batch.pending[part.place].answer(Ok(Answer::new(lead, entries, false)));
        }
        lead = stamped(lead, self.write.stamps, created, recorded_at);
        lead.next_follow_up_at = due(self.write.agenda.follow_up);
        StoredLead { lead, tag }
    }
}

/// The lead with the moments that only the database knew.
pub(super) fn stamped(mut lead: Lead, stamps: Stamps, created: bool, at: Timestamp) -> Lead {
    if created {
        lead.created_at = at;
    }
    if created || stamps.stage_entered {
        lead.stage_entered_at = at;
    }
    if stamps.outreach {
        lead.last_outreach_at = Some(at);
    }
    if stamps.reply {
        lead.last_reply_at = Some(at);
    }
    lead
}
