//! The change feed. Comes in: committed entries, from this replica's writers and from the log. Goes out: to each
//! watcher, every entry its filter lets through, once and in order, with proof. Never queues anything for a watcher:
//! a watcher is a set of positions, and what it asks for next is in the ring or in the log.

mod cursor;
mod filter;
mod hints;
mod hub;
mod log;
mod pages;
mod registry;
mod ring;
mod snapshot;
mod start;
mod throttle;
mod watcher;

pub use filter::{Filter, Origin};
pub use hub::{Hub, WatcherState};
pub use registry::Client;
pub use start::{Start, WatchRequest};
pub use watcher::{Coverage, Notice, Response, WatchError, Watcher};

use crate::store::{Entry, Mark};
use bytes::Bytes;
use std::num::NonZeroUsize;
use std::time::Duration;

/// Turns an entry into the bytes that are sent to watchers.
pub type Encoder = fn(&Entry) -> Bytes;

/// Limits of the change feed; all are settings of the server.
#[derive(Clone, Copy, Debug)]
pub struct WatchSettings {
    /// Entries of each partition that are kept in memory while someone watches.
    pub ring_entries: usize,
    /// How often the heads are polled while someone watches.
    pub poll_interval: Duration,
    /// The least time between two hints to the other replicas.
    pub hint_interval: Duration,
    /// Entries in one response at most.
    pub response_entries: usize,
    /// Bytes of entries in one response, about.
    pub response_bytes: usize,
    /// Entries in one read of the log.
    pub log_page: i64,
    /// Pages of the log that are kept for watchers who come soon after.
    pub log_pages: NonZeroUsize,
    /// Reads of the log and of snapshots that watchers do at the same time.
    pub log_readers: usize,
    /// Leads in one page of a snapshot.
    pub snapshot_page: i64,
    /// Leads a second that snapshots send, all together, while leads are written.
    pub snapshot_rate: f64,
    /// How long a watch lasts, about: then it is asked to begin again.
    pub age: Duration,
    /// Watchers that this replica serves at the same time.
    pub watchers: usize,
}

/// A cursor behind just what these marks cover, one a partition: a watch after it begins there.
#[must_use]
pub fn cursor_at(marks: &[Mark]) -> String {
    cursor::Cursor { phase: cursor::Phase::Plain, marks: marks.to_vec() }.encode()
}
