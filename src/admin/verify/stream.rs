//! A recorded stream against the database: its coverage meets, its changes lie within it in order, each is the entry at
//! its position, and none is missing that the filter lets through.

use super::finding::{Kind, Report};
use super::fold::Rules;
use super::ground::Ground;
use super::same::change_differs;
use super::snapshot::{self, Filling};
use super::view::{Sent, Stages, View};
use super::window::Window;
use crate::proto::watch_stage_changes_request::Start;
use crate::proto::{Coverage, Notice, StageChange, WatchStageChangesRequest, WatchStageChangesResponse};
use crate::store::{Entry, StoreError};
use std::collections::BTreeMap;

/// A stream, as far as it was read.
pub struct Stream {
    rules: Rules,
    view: View,
    start: Option<Start>,
    /// Partitions that the stream has begun.
    places: BTreeMap<i32, Place>,
    /// The cursor of the last response.
    cursor: Option<String>,
    /// Whether the next response is the first one of its request.
    fresh: bool,
    snapshot_complete: bool,
    /// It began after a cursor, maybe one in the middle of another stream's snapshot, which sends only changes of leads
    /// that the other has sent. Until it tells that it isn't there, a change may be missing.
    maybe_filling: bool,
}

/// How far a stream is in a partition.
#[derive(Default)]
pub(super) struct Place {
    pub through: i64,
    /// Leads that the snapshot has told of; none once it has told of all of this partition.
    pub filling: Option<Filling>,
    window: Window,
}

impl Stream {
    pub fn new(request: WatchStageChangesRequest, rules: Rules) -> Self {
        let stages = match &request.start {
            None | Some(Start::Now(_) | Start::Beginning(_)) => Stages::Moves,
            Some(Start::Snapshot(_)) => Stages::Membership,
            Some(Start::AfterCursor(_)) => Stages::Unknown,
        };
        Self {
            rules,
            view: View::new(&request, stages),
            maybe_filling: stages == Stages::Unknown,
            start: request.start,
            places: BTreeMap::new(),
            cursor: None,
            fresh: true,
            snapshot_complete: false,
        }
    }

    /// The stream is taken up again.
    pub fn ask(&mut self, place: &str, request: WatchStageChangesRequest, report: &mut Report) {
        let Some(cursor) = &self.cursor else {
            // Nothing had come yet: it may begin anywhere.
            *self = Self::new(request, self.rules);
            return;
        };
        match &request.start {
            Some(Start::AfterCursor(after)) if after == cursor => {
                self.view = View::new(&request, self.view.stages);
                self.fresh = true;
            }
            other => {
                let expected = format!("after_cursor {cursor}, of the last response");
                report.add(Kind::CursorBroken, place, expected, format_args!("{other:?}"));
                *self = Self::new(request, self.rules);
            }
        }
    }

    /// Takes the next response in.
    pub async fn tell(
        &mut self,
        place: &str,
        response: WatchStageChangesResponse,
        ground: &mut Ground<'_>,
    ) -> Result<(), StoreError> {
        let counts = &mut ground.report.counts;
        counts.responses += 1;
        counts.changes += response.changes.len() as u64;
        counts.snapshot_leads += response.leads.len() as u64;
        let begun: Vec<i32> = self.places.keys().copied().collect();
        let ranges = self.cover(place, &response.coverage, ground);
        let changes = by_range(place, &response.changes, &ranges, ground.report);
        for (range, changes) in ranges.into_iter().zip(changes) {
            self.walk(place, range, changes, ground).await?;
        }
        self.take_leads(place, &response, ground).await?;
        self.complete(place, &response, &begun, ground).await?;
        if response.cursor.is_empty() {
            ground.report.add(Kind::CursorBroken, place, "a cursor", "none");
        }
        self.maybe_filling &= response.notice() == Notice::Unspecified;
        self.cursor = Some(response.cursor);
        self.fresh = false;
        Ok(())
    }

    fn is_snapshot(&self) -> bool {
        self.view.stages == Stages::Membership
    }

    /// Takes the coverage in, and gives the ranges that can be walked through.
    fn cover(&mut self, place: &str, coverage: &[Coverage], ground: &mut Ground<'_>) -> Vec<Coverage> {
        let mut ranges: Vec<Coverage> = Vec::new();
        for range in coverage {
            let Coverage { partition, after, through } = *range;
            let known = self.places.get(&partition).map(|known| known.through);
            let begins = if known.is_none() { self.begin(place, range, ground) } else { after };
            let expected = known.unwrap_or(begins);
            let twice = ranges.iter().any(|other| other.partition == partition);
            if twice || after != expected || through < after {
                let expected = format!("partition {partition} once, after {expected}, forward");
                ground.report.add(
                    Kind::CoverageBroken,
                    place,
                    expected,
                    format_args!("after {after}, through {through}"),
                );
            }
            if let Some(known) = self.places.get_mut(&partition) {
                known.through = through;
            }
            ranges.push(*range);
        }
        if self.fresh && !self.is_snapshot() {
            let named = (0..ground.audit.partitions()).filter(|partition| self.places.contains_key(partition)).count();
            if named != ground.audit.partitions() as usize && self.view.stages == Stages::Moves {
                let expected = format!("all {} partitions in the first response", ground.audit.partitions());
                ground.report.add(Kind::CoverageBroken, place, expected, named);
            }
        }
        ranges
    }

    /// A partition begins; gives the position that it is to begin after.
    fn begin(&mut self, place: &str, range: &Coverage, ground: &mut Ground<'_>) -> i64 {
        let late = !self.fresh && !self.is_snapshot() && self.view.stages != Stages::Unknown;
        if late || !(0..ground.audit.partitions()).contains(&range.partition) {
            let expected = "every partition in the first response, and no other";
            ground.report.add(
                Kind::CoverageBroken,
                place,
                expected,
                format_args!("partition {} begins", range.partition),
            );
        }
        let filling = self.is_snapshot().then(Filling::default);
        self.places.insert(range.partition, Place { through: range.after, filling, window: Window::default() });
        match self.start {
            // What was pruned since then, it may have seen.
            Some(Start::Beginning(_)) => range.after.min(ground.floor(range.partition)),
            _ => range.after,
        }
    }

    /// Goes through a range of the log beside the changes that were sent of it.
    async fn walk(
        &mut self,
        place: &str,
        range: Coverage,
        changes: Vec<&StageChange>,
        ground: &mut Ground<'_>,
    ) -> Result<(), StoreError> {
        let Some(state) = self.places.get_mut(&range.partition) else { return Ok(()) };
        let Place { filling, window, .. } = state;
        // What was pruned since can't be compared.
        let floor = ground.floor(range.partition);
        let mut sent = changes.into_iter().filter(|change| change.position > floor).peekable();
        let mut at = range.after.max(floor);
        while at < range.through {
            let (entries, next) = window.entries(ground.audit, range.partition, at, range.through).await?;
            for entry in entries {
                while let Some(change) = sent.next_if(|change| change.position < entry.position) {
                    lost(place, change, ground.report);
                }
                let change = sent.next_if(|change| change.position == entry.position);
                let maybe_filling = self.maybe_filling;
                Beside { place, view: &self.view, filling: filling.as_ref(), maybe_filling }.compare(
                    entry,
                    change,
                    ground.report,
                );
                if let Some(filling) = filling.as_mut().filter(|_| change.is_some()) {
                    filling.saw(entry);
                }
            }
            let Some(next) = next else {
                let expected = format!("partition {} up to {}, as covered", range.partition, range.through);
                ground.report.add(Kind::StreamedLost, place, expected, "the end of the log before it");
                break;
            };
            at = next;
        }
        for change in sent {
            lost(place, change, ground.report);
        }
        Ok(())
    }

    async fn take_leads(
        &mut self,
        place: &str,
        response: &WatchStageChangesResponse,
        ground: &mut Ground<'_>,
    ) -> Result<(), StoreError> {
        if response.leads.is_empty() {
            return Ok(());
        }
        if self.view.stages == Stages::Moves || self.snapshot_complete {
            ground.report.add(Kind::ChangeUnasked, place, "no leads, but in a snapshot", response.leads.len());
        }
        let mut by_partition: BTreeMap<i32, Vec<_>> = BTreeMap::new();
        for lead in &response.leads {
            by_partition.entry(ground.audit.partition_of(&lead.lead_id)).or_default().push(lead);
        }
        for (partition, leads) in by_partition {
            let Some(known) = self.places.get_mut(&partition) else {
                ground.report.add(
                    Kind::OutsideCoverage,
                    place,
                    format_args!("coverage of partition {partition}"),
                    "leads of it",
                );
                continue;
            };
            let page = snapshot::Page { place, view: &self.view, rules: self.rules, partition };
            page.check(known, &leads, ground).await?;
        }
        Ok(())
    }

    /// A snapshot is done with the partitions before one that begins, and at its end with all.
    async fn complete(
        &mut self,
        place: &str,
        response: &WatchStageChangesResponse,
        begun: &[i32],
        ground: &mut Ground<'_>,
    ) -> Result<(), StoreError> {
        let at_end = response.notice() == Notice::SnapshotComplete;
        if at_end && (self.view.stages == Stages::Moves || self.snapshot_complete) {
            ground.report.add(Kind::ChangeUnasked, place, "no snapshot", response.notice().as_str_name());
        }
        self.snapshot_complete |= at_end;
        let missing = (0..ground.audit.partitions()).filter(|partition| !self.places.contains_key(partition)).count();
        if at_end && missing > 0 {
            ground.report.add(
                Kind::CoverageBroken,
                place,
                "every partition in a complete snapshot",
                format_args!("{missing} missing"),
            );
        }
        let another_began = self.places.len() > begun.len();
        for (partition, known) in &mut self.places {
            let done = at_end || (another_began && begun.contains(partition));
            if let Some(filling) = known.filling.take_if(|_| done) {
                let page = snapshot::Page { place, view: &self.view, rules: self.rules, partition: *partition };
                page.complete(&filling, known.through, ground).await?;
            }
        }
        Ok(())
    }
}

/// The changes of each range, in order; what lies in none, or out of order, is told.
fn by_range<'a>(
    place: &str,
    changes: &'a [StageChange],
    ranges: &[Coverage],
    report: &mut Report,
) -> Vec<Vec<&'a StageChange>> {
    let mut of_ranges: Vec<Vec<&StageChange>> = vec![Vec::new(); ranges.len()];
    for change in changes {
        let within = |range: &Coverage| range.partition == change.partition;
        let Some(number) = ranges.iter().position(within) else {
            report.add(
                Kind::OutsideCoverage,
                place,
                format_args!("coverage of partition {}", change.partition),
                at(change),
            );
            continue;
        };
        let Coverage { after, through, .. } = ranges[number];
        let before = &mut of_ranges[number];
        if change.position <= after {
            report.add(
                Kind::StreamDoubled,
                place,
                format_args!("positions after {after}, which was covered"),
                at(change),
            );
        } else if change.position > through {
            report.add(Kind::OutsideCoverage, place, format_args!("positions through {through}"), at(change));
        } else if before.iter().any(|earlier| earlier.position == change.position) {
            report.add(Kind::StreamDoubled, place, "each change once", at(change));
        } else {
            if let Some(last) = before.last().filter(|last| last.position > change.position) {
                let expected = format!("positions after {}", last.position);
                report.add(Kind::StreamReordered, place, expected, at(change));
            }
            before.push(change);
        }
    }
    for changes in &mut of_ranges {
        // Told once: what follows is about what was sent.
        changes.sort_by_key(|change| change.position);
    }
    of_ranges
}

fn at(change: &StageChange) -> String {
    let StageChange { lead_id, version, partition, position, .. } = change;
    format!("partition {partition}, position {position} (lead {lead_id}, version {version})")
}

fn lost(place: &str, change: &StageChange, report: &mut Report) {
    report.add(
        Kind::StreamedLost,
        place,
        format_args!("the entry that was sent: {}", at(change)),
        "none in the database",
    );
}

/// What entries are compared with.
struct Beside<'a> {
    place: &'a str,
    view: &'a View,
    filling: Option<&'a Filling>,
    maybe_filling: bool,
}

impl Beside<'_> {
    /// Compares an entry that was covered with the change that was sent of it, if one was.
    fn compare(&self, entry: &Entry, change: Option<&StageChange>, report: &mut Report) {
        let sent = match (self.view.sends(entry), self.filling) {
            // A lead that the snapshot hasn't told of yet: it will, or it has looked at it before.
            (Sent::Must, _) if self.maybe_filling => Sent::May,
            (Sent::Must, Some(filling)) if !filling.knows(entry.lead_id.as_str()) => Sent::May,
            (sent, _) => sent,
        };
        let Some(change) = change else {
            if sent == Sent::Must {
                let Entry { lead_id, version, partition, position, .. } = entry;
                let expected =
                    format!("partition {partition}, position {position} (lead {lead_id}, version {version})");
                report.add(Kind::ChangeMissing, self.place, expected, "no such change in the range that it covers");
            }
            return;
        };
        if sent == Sent::Never {
            report.add(Kind::ChangeUnasked, self.place, "no change that the filter drops", at(change));
        }
        if let Some(difference) = change_differs(change, entry) {
            let place = format!("{}, partition {}, position {}", self.place, entry.partition, entry.position);
            report.add(Kind::EntryDiffers, place, difference.expected, difference.found);
        }
    }
}
