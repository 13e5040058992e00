//! What the checker finds, and what it has looked at.

use serde::Serialize;
use std::fmt;

/// Defines the kinds with their names.
macro_rules! kinds {
    ($($(#[$meta:meta])* $Kind:ident = $name:literal;)+) => {
        /// What is wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub enum Kind { $($(#[$meta])* #[serde(rename = $name)] $Kind,)+ }

        impl Kind {
            /// The kind's name, as it is printed.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$Kind => $name,)+ }
            }
        }
    };
}

kinds! {
    /// A position of a partition has no entry.
    PositionHole = "position_hole";
    /// A head row isn't its log's last entry.
    HeadDiffers = "head_differs";
    /// A version of a lead has no entry.
    VersionHole = "version_hole";
    /// A lead's row isn't what its entries make of it.
    LeadDiffers = "lead_differs";
    /// An entry doesn't begin in the stage where the one before ended.
    StageBroken = "stage_broken";
    /// A later version of a lead has an earlier position.
    OrderReversed = "order_reversed";
    /// An entry's time is before that of the entry before it.
    TimeReversed = "time_reversed";
    /// Two entries have the same tag.
    TagDoubled = "tag_doubled";
    /// A request has more than one effect.
    TwoEffects = "two_effects";
    /// An entry isn't what the rules make of the lead before it.
    RuleBroken = "rule_broken";
    /// A revival has passed over a lead that it was about.
    LeftBehind = "left_behind";
    /// A lead has a follow-up that it mustn't have, or none, or at another time.
    FollowUpBroken = "follow_up_broken";
    /// A lead has a timer that it mustn't have, or none, or too late.
    TimerBroken = "timer_broken";
    /// An entry tells another time for when the visit of a stage began that it ends.
    VisitDiffers = "visit_differs";
    /// A revival's counts aren't those of its entries, or don't add up.
    RevivalDiffers = "revival_differs";
    /// An agent's mode isn't that of its last revival, or not in every partition.
    ModeDiffers = "mode_differs";
    /// A sum of the funnel isn't that of the log.
    FunnelDiffers = "funnel_differs";
    /// A lead or an entry stands where it isn't looked for.
    Misplaced = "misplaced";
    /// A value that no version of the service writes.
    Unreadable = "unreadable";
    /// An acknowledged write isn't in the database.
    WriteLost = "write_lost";
    /// What a client was told isn't what the database has.
    EntryDiffers = "entry_differs";
    /// A call that was refused, or only asked what it would do, has left an entry.
    RefusedRecorded = "refused_recorded";
    /// An answer contradicts itself.
    AnswerDiffers = "answer_differs";
    /// The database doesn't have what a stream has covered.
    StreamedLost = "streamed_lost";
    /// A stream's coverage doesn't meet.
    CoverageBroken = "coverage_broken";
    /// A change is outside of its response's coverage.
    OutsideCoverage = "outside_coverage";
    /// A stream's changes aren't in order.
    StreamReordered = "stream_reordered";
    /// A stream has sent a change, or a lead of a snapshot, twice.
    StreamDoubled = "stream_doubled";
    /// A stream has left out what its filter lets through.
    ChangeMissing = "change_missing";
    /// A stream has sent what its filter doesn't let through.
    ChangeUnasked = "change_unasked";
    /// A stream was taken up elsewhere than where it had ended.
    CursorBroken = "cursor_broken";
    /// A snapshot has left out a lead.
    LeadMissing = "lead_missing";
    /// A lead of a snapshot isn't what it was then.
    SnapshotDiffers = "snapshot_differs";
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub kind: Kind,
    /// The partition and position, the lead, or the line of a history.
    #[serde(rename = "where")]
    pub place: String,
    pub expected: String,
    pub found: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, place, expected, found } = self;
        write!(f, "{}: {place}: expected {expected}; found {found}", kind.name())
    }
}

/// What was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub partitions: u64,
    pub entries: u64,
    pub leads: u64,
    /// Leads whose row was compared with their whole history; the others have none, or a part that was pruned.
    pub folded: u64,
    /// Calls by their answer: acknowledged, refused, or without a last word.
    pub acknowledged: u64,
    pub refused: u64,
    pub unknown: u64,
    pub streams: u64,
    pub responses: u64,
    pub changes: u64,
    pub snapshot_leads: u64,
    /// Last lines of histories that were cut off, and passed over.
    pub cut_lines: u64,
    pub findings: u64,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} findings: {} entries of {} leads ({} folded) in {} partitions; {} calls acknowledged, {} refused, {} of \
             unknown outcome; {} streams with {} responses, {} changes and {} leads of snapshots",
            self.findings,
            self.entries,
            self.leads,
            self.folded,
            self.partitions,
            self.acknowledged,
            self.refused,
            self.unknown,
            self.streams,
            self.responses,
            self.changes,
            self.snapshot_leads
        )?;
        if self.cut_lines > 0 {
            write!(f, "; {} cut lines", self.cut_lines)?;
        }
        Ok(())
    }
}

/// What was found, as far as it is kept, and what was looked at.
#[derive(Debug)]
pub struct Report {
    pub findings: Vec<Finding>,
    pub counts: Counts,
    /// How many findings are kept.
    most: usize,
}

impl Report {
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { findings: Vec::new(), counts: Counts::default(), most }
    }

    /// Notes what is wrong. Past the limit it is only counted.
    #[expect(clippy::needless_pass_by_value, reason = "the words are made for this call")]
    pub(super) fn add(&mut self, kind: Kind, place: impl fmt::Display, expected: impl ToString, found: impl ToString) {
        self.counts.findings += 1;
        if self.findings.len() < self.most {
            let (expected, found) = (expected.to_string(), found.to_string());
            self.findings.push(Finding { kind, place: place.to_string(), expected, found });
        }
    }
}
