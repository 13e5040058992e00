//! The funnel's sums, beside the log that they are of.

use super::finding::{Kind, Report};
use super::past::Past;
use crate::domain::{Stage, Timestamp};
use crate::store::{Audit, AuditSum, Entry, StoreError};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// Rows of one read.
const PAGE: i64 = 1000;

/// All agents together.
const ALL: &str = "";

type Moves = BTreeMap<i16, i64>;

/// Stored sums that the log has yet to come to; of the moves only their digest is kept.
struct Stored {
    recorded_at: Timestamp,
    digest: u64,
}

/// A partition's sums, as its log makes them.
pub struct Sums {
    partition: i32,
    /// Up to this position they were taken as they are: the log doesn't begin earlier.
    begin: i64,
    /// By positions and agents.
    stored: BTreeMap<i64, HashMap<String, Stored>>,
    logged: HashMap<String, Moves>,
    /// The agents whose leads have moved since the last sums.
    moved: BTreeSet<String>,
}

fn digest(moves: &Moves) -> u64 {
    let mut hasher = DefaultHasher::new();
    moves.hash(&mut hasher);
    hasher.finish()
}

impl Sums {
    /// Reads a partition's sums.
    pub async fn read(audit: &mut Audit, past: &Past) -> Result<Self, StoreError> {
        let (partition, floor) = (past.head.partition, past.head.floor.position);
        let mut sums =
            Self { partition, begin: 0, stored: BTreeMap::new(), logged: HashMap::new(), moved: BTreeSet::new() };
        let mut after = (String::new(), i64::MIN);
        loop {
            let page = audit.sums(partition, (&after.0, after.1), PAGE).await?;
            let last_page = page.len() < PAGE as usize;
            for AuditSum { agent, position, recorded_at, moves } in page {
                after = (agent.clone(), position);
                let stored = Stored { recorded_at, digest: digest(&moves) };
                sums.stored.entry(position).or_default().insert(agent, stored);
            }
            if last_page {
                break;
            }
        }
        // The sums of all agents are read first: what is behind the last of them came while the others were read.
        let of_all = |(_, agents): &(&i64, &HashMap<String, Stored>)| agents.contains_key(ALL);
        let last = sums.stored.iter().rev().find(of_all).map_or(0, |(position, _)| *position);
        sums.stored.split_off(&(last + 1));
        if past.pruned() {
            // Without a sum at the floor or behind it, there is nothing to compare.
            sums.begin = sums.stored.range(floor..).next().map_or(i64::MAX, |(position, _)| *position);
            sums.stored = sums.stored.split_off(&sums.begin.saturating_add(1));
            let begin = audit.sums_at(partition, sums.begin).await?;
            sums.logged = begin.into_iter().map(|sum| (sum.agent, sum.moves)).collect();
        }
        Ok(sums)
    }

    /// Takes the log's next entry.
    pub fn push(&mut self, entry: &Entry, report: &mut Report) {
        if entry.position <= self.begin {
            return;
        }
        if entry.moved() {
            let step = 16 * entry.from.map_or(0, Stage::code) + entry.to.code();
            for agent in [ALL, entry.agent.as_str()] {
                let moves = self.logged.entry(agent.to_owned()).or_default();
                *moves.entry(step).or_default() += 1;
                self.moved.insert(agent.to_owned());
            }
        }
        if let Some(stored) = self.stored.remove(&entry.position) {
            self.compare(entry, stored, report);
        }
    }

    fn compare(&mut self, entry: &Entry, mut stored: HashMap<String, Stored>, report: &mut Report) {
        let mut wanted = std::mem::take(&mut self.moved);
        // Of all agents there is a sum also when nobody moved.
        wanted.insert(ALL.to_owned());
        for agent in wanted {
            let found = stored.remove(&agent);
            self.compare_one(entry, &agent, found, report);
        }
        for (agent, sum) in stored {
            self.compare_one(entry, &agent, Some(sum), report);
        }
    }

    fn compare_one(&self, entry: &Entry, agent: &str, found: Option<Stored>, report: &mut Report) {
        let nothing = Moves::new();
        let logged = self.logged.get(agent).unwrap_or(&nothing);
        let found = match found {
            None => "none",
            Some(sum) if sum.digest != digest(logged) => "another",
            Some(sum) if sum.recorded_at != entry.recorded_at => "another time",
            Some(_) => return,
        };
        let place = self.place(entry.position, agent);
        report.add(Kind::FunnelDiffers, place, format_args!("a sum of {logged:?} at {:?}", entry.recorded_at), found);
    }

    /// The log has ended: sums of what it doesn't have are none of it.
    pub fn finish(self, end: i64, report: &mut Report) {
        for (position, stored) in self.stored.range(..=end) {
            for agent in stored.keys() {
                report.add(Kind::FunnelDiffers, self.place(*position, agent), "an entry there", "none");
            }
        }
    }

    fn place(&self, position: i64, agent: &str) -> String {
        let of = if agent == ALL { "all agents".to_owned() } else { format!("agent {agent}") };
        format!("partition {}, funnel of {of} at position {position}", self.partition)
    }
}
