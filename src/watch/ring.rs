//! The recent entries of one partition, each encoded once for all watchers.

use super::Encoder;
use crate::domain::{AgentId, LeadId, Stage};
use crate::store::{Cause, Entry, Mark};
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;

/// An entry as watchers need it: what filters look at, and the bytes to send.
#[derive(Debug)]
pub(super) struct Item {
    pub mark: Mark,
    pub lead_id: LeadId,
    pub agent: AgentId,
    pub from: Option<Stage>,
    pub to: Stage,
    /// A person's override.
    pub manual: bool,
    /// Sent to everyone: a move, a creation, or a dead mark that was set or raised.
    pub notable: bool,
    pub encoded: Bytes,
}

impl Item {
    pub(super) fn new(entry: &Entry, encode: Encoder) -> Self {
        Self {
            mark: Mark { position: entry.position, tag: entry.tag },
            lead_id: entry.lead_id.clone(),
            agent: entry.agent.clone(),
            from: entry.from,
            to: entry.to,
            manual: matches!(entry.cause, Cause::Override { .. }),
            notable: entry.moved() || entry.dead_raised,
            encoded: encode(entry),
        }
    }
}

/// Entries that were committed or read together, in order and without holes.
pub(super) type Chunk = Arc<[Item]>;

/// The recent entries of a partition.
#[derive(Debug, Default)]
pub(super) struct Ring {
    /// The last entry that is known to the hub; `None` until the database was asked.
    head: Option<Mark>,
    /// Chunks without holes between them, the last of which ends at `head`.
    chunks: VecDeque<Chunk>,
    entries: usize,
}

/// What became of entries that were handed to the ring.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Appended {
    /// They are in the ring.
    Done,
    /// There are entries before them that the ring doesn't have: read the log.
    Hole,
    /// The ring has other entries at their positions: the database has lost history.
    Diverged,
}

/// What a watcher finds.
#[derive(Debug)]
pub(super) enum Found {
    /// There is nothing newer.
    Nothing,
    /// Entries from the place in the first chunk on.
    Chunks(Vec<Chunk>, usize),
    /// The next entry has left the ring: it is in the log.
    InLog,
}

impl Ring {
    pub(super) fn head(&self) -> Option<Mark> {
        self.head
    }

    /// Forgets everything, and starts anew behind `head`.
    pub(super) fn reset(&mut self, head: Option<Mark>) {
        *self = Self { head, ..Self::default() };
    }

    /// Takes entries that follow `after`; those that the ring has already are passed over.
    pub(super) fn append(&mut self, after: Mark, items: Vec<Item>, capacity: usize) -> Appended {
        let Some(head) = self.head else { return Appended::Done };
        if after.position > head.position {
            return Appended::Hole;
        }
        if after.position == head.position && after.tag != head.tag {
            return Appended::Diverged;
        }
        if items.iter().any(|item| self.tag_at(item.mark.position).is_some_and(|tag| tag != item.mark.tag)) {
            return Appended::Diverged;
        }
        let new: Chunk = items.into_iter().filter(|item| item.mark.position > head.position).collect();
        if let Some(last) = new.last() {
            self.head = Some(last.mark);
            self.entries += new.len();
            self.chunks.push_back(new);
            // The newest chunk always stays, however big it is.
            while self.entries > capacity && self.chunks.len() > 1 {
                self.entries -= self.chunks.pop_front().map_or(0, |chunk| chunk.len());
            }
        }
        Appended::Done
    }

    fn tag_at(&self, position: i64) -> Option<i64> {
        let (chunk, place) = self.find(position)?;
        Some(self.chunks[chunk][place].mark.tag)
    }

    /// The chunk that holds a position, and the place in it.
    fn find(&self, position: i64) -> Option<(usize, usize)> {
        let chunk = self.chunks.partition_point(|chunk| chunk[chunk.len() - 1].mark.position < position);
        let first = self.chunks.get(chunk)?[0].mark.position;
        (position >= first).then(|| (chunk, (position - first) as usize))
    }

    /// What follows `after`, about `most` entries of it.
    pub(super) fn read(&self, after: i64, most: usize) -> Found {
        match self.head {
            Some(head) if head.position > after => (),
            _ => return Found::Nothing,
        }
        let Some((first, place)) = self.find(after + 1) else { return Found::InLog };
        let mut chunks = Vec::new();
        let mut count = 0;
        for chunk in self.chunks.iter().skip(first) {
            chunks.push(Arc::clone(chunk));
            count += chunk.len();
            if count >= most + place {
                break;
            }
        }
        Found::Chunks(chunks, place)
    }
}
