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
    /// The entry before those of the chunks, of which only the mark is left.
    base: Mark,
    /// Chunks without holes between them, the first of which follows `base` and the last of which ends at `head`.
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
    /// The next entry has left the ring, or the ring has another history than the one asked for: the log tells.
    InLog,
}

impl Ring {
    pub(super) fn head(&self) -> Option<Mark> {
        self.head
    }

    /// Forgets everything, and starts anew behind `head`.
    pub(super) fn reset(&mut self, head: Option<Mark>) {
        *self = Self { head, base: head.unwrap_or_default(), ..Self::default() };
    }

    /// Takes entries that follow `after`; those that the ring has already are passed over.
    pub(super) fn append(&mut self, after: Mark, items: Vec<Item>, capacity: usize) -> Appended {
        let Some(head) = self.head else { return Appended::Done };
        if after.position > head.position {
            return Appended::Hole;
        }
        let differs = |mark: Mark| self.tag_at(mark.position).is_some_and(|tag| tag != mark.tag);
        if differs(after) || items.iter().any(|item| differs(item.mark)) {
            return Appended::Diverged;
        }
        let new: Chunk = items.into_iter().filter(|item| item.mark.position > head.position).collect();
        if let Some(last) = new.last() {
            self.head = Some(last.mark);
            self.entries += new.len();
            self.chunks.push_back(new);
            // The newest chunk always stays, however big it is.
            while self.entries > capacity && self.chunks.len() > 1 {
                let Some(oldest) = self.chunks.pop_front() else { break };
                self.entries -= oldest.len();
                self.base = oldest[oldest.len() - 1].mark;
            }
        }
        Appended::Done
    }

    /// Whether the entry behind a position is gone from the ring.
    pub(super) fn has_passed(&self, position: i64) -> bool {
        self.head.is_some_and(|head| head.position > position) && self.find(position + 1).is_none()
    }

    /// The tag at a position, if the ring remembers it.
    fn tag_at(&self, position: i64) -> Option<i64> {
        if position == self.base.position {
            return Some(self.base.tag);
        }
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
    pub(super) fn read(&self, after: Mark, most: usize) -> Found {
        // A watcher may have read further in the log than the ring was told of.
        if self.head.is_none_or(|head| head.position < after.position || head == after) {
            return Found::Nothing;
        }
        if self.tag_at(after.position) != Some(after.tag) {
            return Found::InLog;
        }
        let Some((first, place)) = self.find(after.position + 1) else { return Found::InLog };
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::ops::Range;

    /// Room for more than any test appends.
    const ROOMY: usize = 100;

    impl Item {
        /// Some lead's creation.
        pub(in crate::watch) fn at(mark: Mark) -> Self {
            Self {
                mark,
                lead_id: LeadId::parse("lead-1").expect("an id"),
                agent: AgentId::parse("anna").expect("an id"),
                from: None,
                to: Stage::New,
                manual: false,
                notable: true,
                encoded: Bytes::new(),
            }
        }
    }

    /// An entry of some history: the same position has another tag in another history.
    fn item(history: i64, position: i64) -> Item {
        Item::at(mark(history, position))
    }

    fn mark(history: i64, position: i64) -> Mark {
        Mark { position, tag: history * 1000 + position }
    }

    fn items(history: i64, positions: Range<i64>) -> Vec<Item> {
        positions.map(|position| item(history, position)).collect()
    }

    /// A ring that was begun behind position 5, and has been told so many entries since.
    fn ring(entries: i64, capacity: usize) -> Ring {
        let mut ring = Ring::default();
        ring.reset(Some(mark(1, 5)));
        for position in 6..6 + entries {
            let appended = ring.append(mark(1, position - 1), vec![item(1, position)], capacity);
            assert_eq!(appended, Appended::Done);
        }
        ring
    }

    #[test]
    fn other_history_is_noticed_wherever_it_begins() {
        for entries in 0..4 {
            for capacity in [1, 2, ROOMY] {
                let head = 5 + entries;
                for kept in 0..head {
                    // What follows `kept` was lost, and a batch of another history reaches to the head or beyond.
                    for last in head..head + 3 {
                        let mut ring = ring(entries, capacity);
                        let appended = ring.append(mark(1, kept), items(2, kept + 1..last + 1), capacity);
                        assert_eq!(appended, Appended::Diverged, "{entries} told, {kept} kept, through {last}");
                    }
                }
                let mut ring = ring(entries, capacity);
                assert_eq!(ring.append(mark(2, head), items(2, head + 1..head + 2), capacity), Appended::Diverged);
            }
        }
    }

    #[test]
    fn what_is_known_already_is_passed_over() {
        for entries in 0..4 {
            for from in 0..6 + entries {
                let mut ring = ring(entries, ROOMY);
                assert_eq!(ring.append(mark(1, from), items(1, from + 1..12), ROOMY), Appended::Done);
                assert_eq!(ring.head(), Some(mark(1, 11)));
                let Found::Chunks(chunks, place) = ring.read(mark(1, 5), ROOMY) else {
                    panic!("it has all behind its start")
                };
                let found = chunks.iter().flat_map(|chunk| chunk.iter()).skip(place).map(|item| item.mark);
                assert!(found.eq((6..12).map(|position| mark(1, position))), "each once, in order");
            }
        }
    }

    #[test]
    fn nobody_is_given_what_follows_another_history() {
        for entries in 0..4 {
            let ring = ring(entries, 2);
            for position in 0..6 + entries {
                let found = ring.read(mark(2, position), ROOMY);
                assert!(matches!(found, Found::InLog), "{entries} told, read behind {position}: {found:?}");
            }
            assert!(matches!(ring.read(mark(1, 5 + entries), ROOMY), Found::Nothing));
            assert!(matches!(ring.read(mark(2, 6 + entries), ROOMY), Found::Nothing), "it isn't told yet");
        }
    }

    #[test]
    fn entries_with_others_before_them_are_a_hole() {
        assert_eq!(ring(1, ROOMY).append(mark(1, 7), items(1, 8..9), ROOMY), Appended::Hole);
    }
}
