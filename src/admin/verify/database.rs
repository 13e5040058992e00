//! The database by itself: each partition's log in its order, then its leads with their histories. Heads are read first,
//! and nothing behind them is looked at: a database that is being written can be checked.

use super::finding::{Kind, Report};
use super::fold::{Fold, Rules, place};
use super::past::Past;
use super::revivals::{self, Agents};
use super::sums::Sums;
use super::{readable, times};
use crate::domain::{Lead, LeadId};
use crate::store::{Audit, AuditHead, AuditPart, AuditState, Entry, Histories, Mark, StoreError, StoredLead};
use std::collections::{HashMap, VecDeque};
use uuid::Uuid;

/// Rows of one read.
const PAGE: i64 = 1000;

/// Findings of one kind that one statement brings: the first ones tell enough.
const FEW: i64 = 20;

/// Checks every partition, and returns them.
pub async fn check(audit: &mut Audit, rules: Rules, report: &mut Report) -> Result<Vec<Past>, StoreError> {
    let AuditState { heads, agents, revivals, modes, parts } = audit.state().await?;
    let numbers: Vec<i32> = heads.iter().map(|head| head.partition).collect();
    if !numbers.iter().copied().eq(0..audit.partitions()) {
        let expected = format!("partitions 0 to {}", audit.partitions() - 1);
        report.add(Kind::HeadDiffers, "heads", expected, format_args!("{numbers:?}"));
    }
    let outside = audit.outside().await?;
    if outside > 0 {
        report.add(Kind::Misplaced, "entries and leads", "none outside of the partitions", outside);
    }
    let parts: Vec<AuditPart> = parts.into_iter().filter_map(|part| readable(part, report)).collect();
    let past = |head: AuditHead| {
        let here = parts.iter().filter(|part| part.partition == head.partition);
        Past { head, parts: here.cloned().collect() }
    };
    let partitions: Vec<Past> = heads.into_iter().map(past).collect();
    Agents::new(agents, revivals, modes, report).check(audit, &partitions, report);
    for past in &partitions {
        report.counts.partitions += 1;
        check_head(past, report);
        let revived = Log::new(past.head, Sums::read(audit, past).await?).check(audit, report).await?;
        revivals::check_counts(past, &revived, report);
        check_requests(audit, &past.head, report).await?;
        times::check(audit, &past.head, report).await?;
        Leads { past, rules, waiting: VecDeque::new() }.check(audit, report).await?;
    }
    Ok(partitions)
}

/// The head row is the last entry, or the last one that was pruned. An agent that is given a mode may move its time on.
fn check_head(past: &Past, report: &mut Report) {
    let row = &past.head;
    let place = format!("partition {}, head", row.partition);
    let (last, at) = row.last.map_or((row.floor, None), |(last, at)| (last, Some(at)));
    if last != row.head {
        report.add(Kind::HeadDiffers, &place, mark(last), mark(row.head));
    } else if at.is_some_and(|at| row.recorded_at < at || row.recorded_at > at && !past.got_mode_at(row.recorded_at)) {
        report.add(Kind::HeadDiffers, &place, format_args!("time {at:?}"), format_args!("{:?}", row.recorded_at));
    }
}

fn mark(mark: Mark) -> String {
    format!("position {}, tag {}", mark.position, mark.tag)
}

async fn check_requests(audit: &mut Audit, row: &AuditHead, report: &mut Report) -> Result<(), StoreError> {
    let (partition, head) = (row.partition, row.head.position);
    for (lead_id, request_id) in audit.doubtful_requests(partition, head, FEW).await? {
        let place = format!("lead {lead_id}, request {request_id} (partition {partition})");
        report.add(Kind::TwoEffects, place, "one effect: entries side by side, of one content", "others");
    }
    for tag in audit.doubled_tags(partition, head, FEW).await? {
        report.add(Kind::TagDoubled, format_args!("partition {partition}, tag {tag}"), "one entry", "several");
    }
    Ok(())
}

/// A lead and its entries are where they are looked for.
fn check_place(audit: &Audit, partition: i32, lead_id: &LeadId, report: &mut Report) {
    let belongs = audit.partition_of(lead_id.as_str());
    if belongs != partition {
        let place = format!("lead {lead_id}");
        report.add(Kind::Misplaced, place, format_args!("partition {belongs}"), format_args!("partition {partition}"));
    }
}

/// How many entries each revival has.
pub type Revived = HashMap<Uuid, i64>;

/// A partition's log.
struct Log {
    head: AuditHead,
    position: i64,
    last: Option<Entry>,
    revived: Revived,
    sums: Sums,
}

impl Log {
    fn new(head: AuditHead, sums: Sums) -> Self {
        Self { head, position: head.floor.position, last: None, revived: Revived::new(), sums }
    }

    async fn check(mut self, audit: &mut Audit, report: &mut Report) -> Result<Revived, StoreError> {
        self.read(audit, report).await?;
        self.sums.finish(self.head.head.position, report);
        Ok(self.revived)
    }

    async fn read(&mut self, audit: &mut Audit, report: &mut Report) -> Result<(), StoreError> {
        let end = self.head.head.position;
        while self.position < end {
            let page = audit.log(self.head.partition, self.position, PAGE).await?;
            let last_page = page.len() < PAGE as usize;
            for entry in page {
                match readable(entry, report) {
                    Some(entry) if entry.position > end => return Ok(()),
                    Some(entry) => self.push(entry, audit, report),
                    // It was told which it is, and it is no hole.
                    None => self.position += 1,
                }
            }
            if last_page {
                return Ok(());
            }
        }
        Ok(())
    }

    fn push(&mut self, entry: Entry, audit: &Audit, report: &mut Report) {
        report.counts.entries += 1;
        let place = || format!("partition {}, position {}", entry.partition, entry.position);
        let next = self.position + 1;
        if entry.position != next {
            let found = format!("position {}", entry.position);
            report.add(Kind::PositionHole, place(), format_args!("position {next}"), found);
        }
        if let Some(last) = self.last.as_ref().filter(|last| last.recorded_at > entry.recorded_at) {
            let (before, at) = (last.recorded_at, entry.recorded_at);
            report.add(Kind::TimeReversed, place(), format_args!("{before:?} or later"), format_args!("{at:?}"));
        }
        check_place(audit, entry.partition, &entry.lead_id, report);
        self.sums.push(&entry, report);
        if let Some(revival_id) = entry.revival_id() {
            *self.revived.entry(revival_id).or_default() += 1;
        }
        self.position = entry.position;
        self.last = Some(entry);
    }
}

/// A partition's leads, merged with their histories.
struct Leads<'a> {
    past: &'a Past,
    rules: Rules,
    /// Leads that were read and whose history wasn't, in order.
    waiting: VecDeque<StoredLead>,
}

impl Leads<'_> {
    async fn check(mut self, audit: &mut Audit, report: &mut Report) -> Result<(), StoreError> {
        let mut after = String::new();
        loop {
            let page = audit.leads(self.past.head.partition, &after, PAGE).await?;
            let last_page = page.len() < PAGE as usize;
            for lead in page {
                if let Some(stored) = readable(lead, report) {
                    report.counts.leads += 1;
                    check_place(audit, self.past.head.partition, &stored.lead.id, report);
                    self.waiting.push_back(stored);
                }
            }
            let through = self.waiting.back().map(|stored| stored.lead.id.to_string()).filter(|_| !last_page);
            self.check_histories(audit, &after, through.as_deref(), report).await?;
            let Some(through) = through else { return Ok(()) };
            after = through;
        }
    }

    /// The histories of the waiting leads, and of leads between them that have no row.
    async fn check_histories(
        &mut self,
        audit: &mut Audit,
        after: &str,
        through: Option<&str>,
        report: &mut Report,
    ) -> Result<(), StoreError> {
        let mut key = (after.to_owned(), i32::MAX);
        let mut fold = Fold::new(self.rules);
        loop {
            let wanted = Histories {
                partition: self.past.head.partition,
                after: (&key.0, key.1),
                through,
                only: None,
                head: self.past.head.head.position,
            };
            let page = audit.histories(wanted, PAGE).await?;
            let last_page = page.len() < PAGE as usize;
            for entry in page {
                // What can't be read was told when the log was looked at.
                let Ok(entry) = entry else { continue };
                if fold.last().is_some_and(|last| last.lead_id != entry.lead_id) {
                    let done = std::mem::replace(&mut fold, Fold::new(self.rules));
                    self.settle(audit, done, report).await?;
                }
                key = (entry.lead_id.to_string(), entry.version);
                fold.push(entry, self.past, report);
            }
            if last_page {
                break;
            }
        }
        self.settle(audit, fold, report).await?;
        while let Some(stored) = self.waiting.pop_front() {
            self.check_bare(audit, &stored.lead, report).await?;
        }
        Ok(())
    }

    /// A lead's history has ended: its row must be what it makes of it.
    async fn settle(&mut self, audit: &mut Audit, mut fold: Fold, report: &mut Report) -> Result<(), StoreError> {
        fold.finish(self.past, report);
        let Some(last) = fold.last() else { return Ok(()) };
        while let Some(stored) = self.waiting.pop_front_if(|stored| stored.lead.id < last.lead_id) {
            self.check_bare(audit, &stored.lead, report).await?;
        }
        let Some(stored) = self.waiting.pop_front_if(|stored| stored.lead.id == last.lead_id) else {
            report.add(Kind::LeadDiffers, place(last), "a row of the lead", "none");
            return Ok(());
        };
        if (stored.lead.version, stored.tag) != (last.version, last.tag) || stored.lead.stage != last.to {
            // It may have been written since the head was read: then it is its last entry, as one statement says.
            return self.check_stands(audit, &stored.lead.id, Some(last), report).await;
        }
        let Some(folded) = fold.lead() else {
            return self.check_stands(audit, &stored.lead.id, Some(last), report).await;
        };
        report.counts.folded += 1;
        times::check_follow_up(folded, &stored.lead, report);
        let folded = &Lead { next_follow_up_at: stored.lead.next_follow_up_at, ..folded.clone() };
        if *folded != stored.lead {
            report.add(Kind::LeadDiffers, place(last), format_args!("{folded:?}"), format_args!("{:?}", stored.lead));
        }
        Ok(())
    }

    async fn check_stands(
        &self,
        audit: &mut Audit,
        lead_id: &LeadId,
        last: Option<&Entry>,
        report: &mut Report,
    ) -> Result<(), StoreError> {
        if !audit.stands(self.past.head.partition, lead_id).await? {
            let place = format!("lead {lead_id} (partition {})", self.past.head.partition);
            let found = last.map_or("no entry".to_owned(), |last| {
                format!("version {}, tag {}, {} as its last entry", last.version, last.tag, last.to)
            });
            report.add(Kind::LeadDiffers, place, "the row to be the last entry", found);
        }
        Ok(())
    }

    /// A lead without an entry that was looked at: all were pruned, or it was created since the head was read.
    async fn check_bare(&self, audit: &mut Audit, lead: &Lead, report: &mut Report) -> Result<(), StoreError> {
        if self.past.pruned() {
            return self.check_stands(audit, &lead.id, None, report).await;
        }
        let wanted = Histories {
            partition: self.past.head.partition,
            after: ("", 0),
            through: None,
            only: Some(&[lead.id.to_string()]),
            head: i64::MAX,
        };
        if audit.histories(wanted, 1).await?.is_empty() {
            let place = format!("lead {} (partition {})", lead.id, self.past.head.partition);
            report.add(Kind::LeadDiffers, place, "a history", format_args!("none, and version {}", lead.version));
        }
        Ok(())
    }
}
