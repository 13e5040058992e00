//! The one way a lead changes. Comes in: commands, each with its own reply. Goes out: answers, and the committed entries
//! to the change feed. Never touches two partitions in one statement, and never answers a write before it is on disk.

mod ahead;
mod batch;
mod command;
mod fold;
mod partition;
mod queue;
mod revival;

pub use command::{Answer, Body, Command, CommandError};
pub use queue::{Submitted, Writers};
pub use revival::{Chunk, ChunkOutcome};

use crate::domain::{Context, OutreachMode, Timestamp};
use crate::store::{Entry, Head, Later};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

/// Limits of the writers; all are settings of the server.
#[derive(Clone, Copy, Debug)]
pub struct WriterSettings {
    /// Commands that wait for one partition's writer; one more is refused as overload.
    pub queue: usize,
    /// Commands that are decided and written together.
    pub batch: usize,
    /// Leads that one partition's writer remembers.
    pub cache: NonZeroUsize,
    /// How long the writer waits for another client's lock before it looks for a silent holder to end.
    pub lock_patience: Duration,
    /// How long a statement may take before its connection is given up and its outcome is settled on another.
    pub statement_patience: Duration,
    /// How many ATTEMPT_FAILED in a row make a contact point BAD.
    pub failures_until_bad: i32,
    /// How long it is until what a decision leaves for later.
    pub later: Later,
}

impl WriterSettings {
    /// What a decision depends on beside the lead.
    pub(crate) const fn context(&self, mode: OutreachMode, now: Timestamp) -> Context {
        Context {
            mode,
            now,
            failures_until_bad: self.failures_until_bad,
            check_in_interval: self.later.check_in_interval,
        }
    }
}

/// Where committed entries go: `after` is the head before the first of them.
pub trait Feed: Send + Sync + 'static {
    /// Takes the entries of one write, in order.
    fn committed(&self, after: Head, entries: &[Arc<Entry>]);
}
