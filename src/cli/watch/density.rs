//! The proof that nothing is missing and nothing comes twice: held against every response, across reconnects and
//! restarts. Comes in: responses. Goes out: nothing, or what is wrong. Never repairs anything.

use crate::proto::{Coverage, Lead, Notice, StageChange, WatchStageChangesResponse};
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher as _, RandomState};
use thiserror::Error;

/// What the stream has broken of its promises.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum Violation {
    #[error("a gap in partition {partition}: covered through {through}, and the next range begins after {after}")]
    Gap { partition: i32, through: i64, after: i64 },
    #[error("partition {partition} is covered twice: through {through} already, and a range begins after {after}")]
    Again { partition: i32, through: i64, after: i64 },
    #[error("partition {partition}: a range that ends before it begins, after {after} through {through}")]
    Backwards { partition: i32, after: i64, through: i64 },
    #[error("partition {partition} came up in the middle of the stream")]
    NewPartition { partition: i32 },
    #[error("partition {partition}, covered through {through}, is missing where the stream resumes")]
    NotResumed { partition: i32, through: i64 },
    #[error("partition {partition}: the change at {position} lies outside of what its response covers")]
    Outside { partition: i32, position: i64 },
    #[error("partition {partition}: the change at {position} comes after the one at {last}")]
    Order { partition: i32, position: i64, last: i64 },
    #[error("partition {partition}: {position} is covered, but its change didn't come, and nothing is filtered")]
    Missing { partition: i32, position: i64 },
    #[error("lead {lead_id} came as part of a snapshot, which wasn't asked for or is complete")]
    NoSnapshot { lead_id: String },
    #[error("lead {lead_id} came twice in one snapshot")]
    LeadTwice { lead_id: String },
    #[error("lead {lead_id}: version {version} came after version {last}")]
    OldVersion { lead_id: String, version: i32, last: i32 },
}

/// How far a snapshot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// There is none, or it is complete.
    Live,
    /// Its leads are coming.
    Snapshot,
    /// A cursor was given that may be in the middle of one.
    Unknown,
}

/// A range of positions that is accounted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    pub after: i64,
    pub through: i64,
}

/// Holds the promises of a watch against what comes.
pub struct Density {
    ranges: BTreeMap<i32, Range>,
    phase: Phase,
    /// Nothing is filtered: each position that is covered has its change.
    everything: bool,
    /// The leads of the snapshot, by the hash of their ids, and the last version that came: there may be millions.
    leads: HashMap<u64, i32>,
    hashes: RandomState,
    resumes: bool,
    starts: bool,
}

impl Density {
    /// `positions`: what was covered before, partition by partition.
    pub fn new(phase: Phase, everything: bool, positions: &BTreeMap<i32, i64>) -> Self {
        let range = |(partition, through): (&i32, &i64)| (*partition, Range { after: *through, through: *through });
        Self {
            ranges: positions.iter().map(range).collect(),
            phase,
            everything,
            leads: HashMap::new(),
            hashes: RandomState::new(),
            resumes: false,
            starts: false,
        }
    }

    /// What is accounted for, partition by partition.
    pub fn ranges(&self) -> &BTreeMap<i32, Range> {
        &self.ranges
    }

    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The next response is the first of a stream.
    pub fn begin(&mut self) {
        self.resumes = !self.ranges.is_empty();
        self.starts = true;
    }

    /// Holds the promises against the next response.
    ///
    /// # Errors
    /// The first promise that it breaks. Nothing of it is accounted for then.
    pub fn check(&mut self, response: &WatchStageChangesResponse) -> Result<(), Violation> {
        let before = self.ranges.clone();
        let checked = self.check_whole(response);
        if checked.is_err() {
            self.ranges = before;
        }
        checked
    }

    fn check_whole(&mut self, response: &WatchStageChangesResponse) -> Result<(), Violation> {
        let mut ranges = BTreeMap::new();
        for coverage in &response.coverage {
            self.cover(coverage, &mut ranges)?;
        }
        // In the middle of a snapshot a partition that it hasn't come to isn't there.
        if self.resumes && self.phase == Phase::Live {
            let missing = self.ranges.iter().find(|(partition, _)| !ranges.contains_key(partition));
            if let Some((&partition, &Range { through, .. })) = missing {
                return Err(Violation::NotResumed { partition, through });
            }
        }
        (self.resumes, self.starts) = (false, false);
        self.check_changes(&response.changes, &ranges)?;
        self.check_leads(&response.leads)?;
        if response.notice() == Notice::SnapshotComplete {
            self.phase = Phase::Live;
        }
        Ok(())
    }

    /// Takes one range; `response` holds those of this response.
    fn cover(&mut self, coverage: &Coverage, response: &mut BTreeMap<i32, Range>) -> Result<(), Violation> {
        let Coverage { partition, after, through } = *coverage;
        if through < after {
            return Err(Violation::Backwards { partition, after, through });
        }
        match self.ranges.get_mut(&partition) {
            Some(range) if after > range.through => {
                return Err(Violation::Gap { partition, through: range.through, after });
            }
            Some(range) if after < range.through => {
                return Err(Violation::Again { partition, through: range.through, after });
            }
            Some(range) => range.through = through,
            None if self.phase == Phase::Live && (!self.starts || self.resumes) => {
                return Err(Violation::NewPartition { partition });
            }
            None => drop(self.ranges.insert(partition, Range { after, through })),
        }
        response.entry(partition).or_insert(Range { after, through }).through = through;
        Ok(())
    }

    fn check_changes(&mut self, changes: &[StageChange], ranges: &BTreeMap<i32, Range>) -> Result<(), Violation> {
        let mut lasts: BTreeMap<i32, i64> = ranges.iter().map(|(partition, range)| (*partition, range.after)).collect();
        let every = self.everything && self.phase == Phase::Live;
        for change in changes {
            let StageChange { partition, position, .. } = *change;
            let inside = |range: &&Range| position > range.after && position <= range.through;
            let (Some(_), Some(last)) = (ranges.get(&partition).filter(inside), lasts.get_mut(&partition)) else {
                return Err(Violation::Outside { partition, position });
            };
            if position <= *last {
                return Err(Violation::Order { partition, position, last: *last });
            }
            if every && position > *last + 1 {
                return Err(Violation::Missing { partition, position: *last + 1 });
            }
            *last = position;
            self.check_version(change)?;
        }
        let mut rest = ranges.iter().filter(|(partition, range)| lasts[partition] < range.through);
        match rest.next() {
            Some((&partition, _)) if every => Err(Violation::Missing { partition, position: lasts[&partition] + 1 }),
            _ => Ok(()),
        }
    }

    /// A change of a lead that the snapshot has sent is newer than what it has sent.
    fn check_version(&mut self, change: &StageChange) -> Result<(), Violation> {
        if self.leads.is_empty() {
            return Ok(());
        }
        let Some(last) = self.leads.get_mut(&self.hashes.hash_one(&change.lead_id)) else { return Ok(()) };
        if change.version <= *last {
            let (lead_id, version) = (change.lead_id.clone(), change.version);
            return Err(Violation::OldVersion { lead_id, version, last: *last });
        }
        *last = change.version;
        Ok(())
    }

    fn check_leads(&mut self, leads: &[Lead]) -> Result<(), Violation> {
        for lead in leads {
            let lead_id = || lead.lead_id.clone();
            if self.phase == Phase::Live {
                return Err(Violation::NoSnapshot { lead_id: lead_id() });
            }
            self.phase = Phase::Snapshot;
            if self.leads.insert(self.hashes.hash_one(&lead.lead_id), lead.version).is_some() {
                return Err(Violation::LeadTwice { lead_id: lead_id() });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
