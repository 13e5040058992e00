//! Recorded calls against the database: what was acknowledged is there as it was told, once, and what was refused isn't.

use super::finding::{Kind, Report};
use super::ground::Ground;
use super::same::{answer_differs, change_differs};
use crate::domain::RequestId;
use crate::proto::{Lead, Outcome, StageChange};
use crate::record::{Exchange, Failure};
use crate::store::{Entry, PrunedEffect, StoreError};
use std::collections::{BTreeMap, BTreeSet};

/// Calls that are looked up together.
const BATCH: usize = 500;

/// A request on a lead: what has one effect.
type Key = (String, RequestId);

/// What a call was answered.
#[expect(clippy::large_enum_variant, reason = "most are acknowledged, and few wait at a time")]
enum Answer {
    Acknowledged(Acknowledged),
    /// Nothing was written, for sure. Whether it says that the request has an effect already.
    Refused {
        reused: bool,
    },
    /// No word, or none that says whether it was written.
    Unknown,
}

/// The answer to a call that was written, now or before.
struct Acknowledged {
    changes: Vec<StageChange>,
    lead: Option<Lead>,
    /// Absent for a creation, which always moves.
    outcome: Option<Outcome>,
    replayed: bool,
}

/// A call of a history.
struct Call {
    /// The line of the history.
    place: String,
    key: Key,
    answer: Answer,
}

/// The calls of all histories. Those that wait to be looked up are few.
#[derive(Default)]
pub struct Calls {
    waiting: Vec<Call>,
    /// Requests that were refused and have an effect, with the line that says so: another line may explain it.
    suspects: BTreeMap<Key, String>,
}

impl Calls {
    /// Takes a call in.
    pub async fn push(&mut self, place: String, exchange: Exchange, ground: &mut Ground<'_>) -> Result<(), StoreError> {
        let counts = &mut ground.report.counts;
        let Some((key, answer)) = read(exchange) else {
            // Without a request_id that can be one, nothing can have been written.
            counts.refused += 1;
            return Ok(());
        };
        match answer {
            Answer::Acknowledged(_) => counts.acknowledged += 1,
            Answer::Refused { .. } => counts.refused += 1,
            Answer::Unknown => counts.unknown += 1,
        }
        if !matches!(answer, Answer::Unknown) {
            self.waiting.push(Call { place, key, answer });
        }
        if self.waiting.len() >= BATCH {
            self.settle(ground).await?;
        }
        Ok(())
    }

    /// Looks up the calls that wait.
    pub async fn settle(&mut self, ground: &mut Ground<'_>) -> Result<(), StoreError> {
        let mut by_partition: BTreeMap<i32, Vec<Call>> = BTreeMap::new();
        for call in self.waiting.drain(..) {
            by_partition.entry(ground.audit.partition_of(&call.key.0)).or_default().push(call);
        }
        for (partition, calls) in by_partition {
            let requests: Vec<RequestId> = calls.iter().map(|call| call.key.1).collect();
            let known = Known::read(ground, partition, &requests).await?;
            for call in calls {
                self.judge(call, &known, ground.report);
            }
        }
        Ok(())
    }

    fn judge(&mut self, call: Call, known: &Known, report: &mut Report) {
        let effect = known.effect(&call.key);
        match call.answer {
            Answer::Acknowledged(answer) => acknowledged(&call.place, &answer, &effect, report),
            Answer::Refused { reused: true } if !effect.is_any() => {
                report.add(Kind::WriteLost, call.place, "an effect of the request, as it was refused for", "none");
            }
            Answer::Refused { reused: false } if effect.is_any() => {
                self.suspects.entry(call.key).or_insert(call.place);
            }
            Answer::Refused { .. } | Answer::Unknown => {}
        }
    }

    /// Whether a second look at the histories is needed.
    pub fn has_suspects(&self) -> bool {
        !self.suspects.is_empty()
    }

    /// The second look: an answer that explains an effect frees its request of suspicion. It was sent again, and accepted
    /// then, or its outcome was unknown.
    pub fn explain(&mut self, exchange: Exchange) {
        if let Some((key, Answer::Acknowledged(_) | Answer::Unknown)) = read(exchange) {
            self.suspects.remove(&key);
        }
    }

    /// Tells the suspects that are left.
    pub fn finish(self, report: &mut Report) {
        for ((lead_id, request_id), place) in self.suspects {
            let found = format!("an entry of request {request_id} on lead {lead_id}");
            report.add(Kind::RefusedRecorded, place, "no entry, as the call wrote nothing", found);
        }
    }
}

/// What the database has of some requests of a partition.
struct Known {
    floor: i64,
    entries: Vec<Entry>,
    pruned: Vec<PrunedEffect>,
}

impl Known {
    async fn read(ground: &mut Ground<'_>, partition: i32, requests: &[RequestId]) -> Result<Self, StoreError> {
        let floor = ground.floor(partition);
        // What can't be read was told when the log was looked at.
        let entries = ground.audit.effects(partition, requests).await?.into_iter().flatten().collect();
        Ok(Self { floor, entries, pruned: ground.audit.pruned(partition, requests).await? })
    }

    fn effect(&self, (lead_id, request_id): &Key) -> Effect<'_> {
        let of_key = |entry: &&Entry| entry.lead_id.as_str() == lead_id && entry.request_id == *request_id;
        let pruned = |pruned: &&PrunedEffect| pruned.lead_id == *lead_id && pruned.request_id == request_id.0;
        Effect {
            floor: self.floor,
            entries: self.entries.iter().filter(of_key).collect(),
            pruned: self.pruned.iter().find(pruned),
        }
    }
}

/// What the database has of one request on one lead.
struct Effect<'a> {
    floor: i64,
    entries: Vec<&'a Entry>,
    pruned: Option<&'a PrunedEffect>,
}

impl Effect<'_> {
    fn is_any(&self) -> bool {
        !self.entries.is_empty() || self.pruned.is_some()
    }

    fn positions(&self) -> String {
        let positions: BTreeSet<i64> = self.entries.iter().map(|entry| entry.position).collect();
        if positions.is_empty() { "no entry of the request".into() } else { format!("its entries at {positions:?}") }
    }
}

/// An acknowledged call has exactly the entries that it was told.
fn acknowledged(place: &str, answer: &Acknowledged, effect: &Effect<'_>, report: &mut Report) {
    agrees_with_itself(place, answer, report);
    let mut left: Vec<&Entry> = effect.entries.clone();
    for change in &answer.changes {
        let at = left.iter().position(|entry| entry.position == change.position);
        if let Some(entry) = at.map(|at| left.remove(at)) {
            if let Some(difference) = change_differs(change, entry) {
                report.add(Kind::EntryDiffers, place, difference.expected, difference.found);
            }
        } else if change.position > effect.floor || effect.pruned.is_none() {
            let expected = format!("position {}, version {} as acknowledged", change.position, change.version);
            let kind = if effect.entries.is_empty() { Kind::WriteLost } else { Kind::TwoEffects };
            report.add(kind, place, expected, effect.positions());
        }
    }
    // A replay of what was pruned has no changes; then nothing was told that could be missing.
    match (answer.changes.is_empty(), effect.pruned) {
        (true, None) => report.add(Kind::WriteLost, place, "the request as pruned, or changes", effect.positions()),
        (_, Some(pruned)) => {
            let told = answer.outcome.is_none_or(|outcome| outcome == Outcome::Moved);
            if told != pruned.moved {
                report.add(Kind::EntryDiffers, place, format_args!("moved: {}", pruned.moved), format_args!("{told}"));
            }
        }
        (false, None) if !left.is_empty() && left.len() < effect.entries.len() => {
            let told: Vec<i64> = answer.changes.iter().map(|change| change.position).collect();
            report.add(Kind::TwoEffects, place, format_args!("entries at {told:?} only"), effect.positions());
        }
        (false, None) => {}
    }
}

/// The outcome is that of the changes, and the lead of a first answer is as they left it.
fn agrees_with_itself(place: &str, answer: &Acknowledged, report: &mut Report) {
    let Some(last) = answer.changes.last() else {
        if !answer.replayed {
            report.add(Kind::AnswerDiffers, place, "changes", "none");
        }
        return;
    };
    let moved = answer.changes.iter().any(|change| change.from_stage != change.to_stage);
    let expected = if moved { Outcome::Moved } else { Outcome::NoChange };
    if let Some(outcome) = answer.outcome.filter(|outcome| *outcome != expected) {
        report.add(Kind::AnswerDiffers, place, expected.as_str_name(), outcome.as_str_name());
    }
    let Some(lead) = &answer.lead else {
        return report.add(Kind::AnswerDiffers, place, "a lead", "none");
    };
    if answer.replayed {
        // It is the lead as it was then, which nothing else in the answer tells.
        return;
    }
    if let Some(difference) = answer_differs(lead, last) {
        report.add(Kind::AnswerDiffers, place, difference.expected, difference.found);
    }
}

/// The request and what it was answered; none if there is no valid request_id.
fn read(exchange: Exchange) -> Option<(Key, Answer)> {
    match exchange {
        Exchange::CreateLead(request, answer) => {
            let told = answer.as_ref().ok().map(|answer| answer.request_id.as_str());
            let (lead_id, request_id) = key(&request.lead_id, &request.request_id, told)?;
            // A lead that is created without an id has that of the request.
            let lead_id = if lead_id.is_empty() { request_id.to_string() } else { lead_id };
            let answer = answer.map(|told| Acknowledged {
                changes: told.changes,
                lead: told.lead,
                outcome: None,
                replayed: told.replayed,
            });
            Some(((lead_id, request_id), judged(answer, false)))
        }
        Exchange::ApplyTrigger(request, answer) => {
            let told = answer.as_ref().ok().map(|answer| answer.request_id.as_str());
            let key = key(&request.lead_id, &request.request_id, told)?;
            let answer = answer.map(|told| Acknowledged {
                outcome: Some(told.outcome()),
                changes: told.changes,
                lead: told.lead,
                replayed: told.replayed,
            });
            Some((key, judged(answer, request.validate_only)))
        }
        Exchange::OverrideStage(request, answer) => {
            let told = answer.as_ref().ok().map(|answer| answer.request_id.as_str());
            let key = key(&request.lead_id, &request.request_id, told)?;
            let answer = answer.map(|told| Acknowledged {
                outcome: Some(told.outcome()),
                changes: told.changes,
                lead: told.lead,
                replayed: told.replayed,
            });
            Some((key, judged(answer, request.validate_only)))
        }
    }
}

fn key(lead_id: &str, sent: &str, told: Option<&str>) -> Option<Key> {
    let request_id = RequestId::parse(told.unwrap_or(sent)).ok()?;
    Some((lead_id.to_owned(), request_id))
}

fn judged(answer: Result<Acknowledged, Failure>, validate_only: bool) -> Answer {
    match answer {
        // A replay is answered whatever was asked; else nothing was written.
        Ok(answer) if validate_only && !answer.replayed => Answer::Refused { reused: false },
        Ok(answer) => Answer::Acknowledged(answer),
        Err(failure) => match failure.reason.as_str() {
            // Every other reason of the contract says that nothing was applied. No reason: the error isn't the service's.
            "" | "OUTCOME_UNKNOWN" | "INTERNAL" => Answer::Unknown,
            "REQUEST_ID_REUSED" => Answer::Refused { reused: true },
            _ => Answer::Refused { reused: false },
        },
    }
}
