//! The cursor: for each partition the last position that a stream has covered, and that entry's tag; and where a
//! snapshot stands. Opaque to clients, and grants nothing: it is checked against the log when it comes back.

use super::filter::FilterDigest;
use crate::domain::LeadId;
use crate::store::Mark;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What a cursor says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    pub phase: Phase,
    /// One a partition from the first on; in the middle of a snapshot only of those that it has come to.
    pub marks: Vec<Mark>,
}

/// What part of a stream a cursor comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The stream had no snapshot.
    Plain,
    /// The middle of a snapshot: see [`super::snapshot::Snapshot`].
    Snapshot { filter: FilterDigest, after: Option<LeadId> },
    /// The stream began with a snapshot, which is complete.
    AfterSnapshot,
}

/// The form of what follows; another form gets another number.
const PLAIN: u8 = 1;
const SNAPSHOT: u8 = 2;
const AFTER_SNAPSHOT: u8 = 3;
const MARK_BYTES: usize = 16;

impl Cursor {
    pub fn encode(&self) -> String {
        let mut bytes = Vec::with_capacity(128 + self.marks.len() * MARK_BYTES);
        match &self.phase {
            Phase::Plain => bytes.push(PLAIN),
            Phase::AfterSnapshot => bytes.push(AFTER_SNAPSHOT),
            Phase::Snapshot { filter, after } => {
                bytes.push(SNAPSHOT);
                bytes.extend_from_slice(filter);
                // A lead's id has 64 bytes at most; an empty one stands for none.
                let after = after.as_ref().map_or("", LeadId::as_str);
                bytes.push(after.len() as u8);
                bytes.extend_from_slice(after.as_bytes());
            }
        }
        for mark in &self.marks {
            bytes.extend_from_slice(&mark.position.to_be_bytes());
            bytes.extend_from_slice(&mark.tag.to_be_bytes());
        }
        let sum = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&sum.to_be_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// `None` if it is none of this service's with this number of partitions, or was damaged.
    pub fn decode(text: &str, partitions: usize) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (body, sum) = bytes.split_last_chunk::<4>()?;
        if crc32fast::hash(body) != u32::from_be_bytes(*sum) {
            return None;
        }
        let (form, rest) = body.split_first()?;
        let (phase, rest) = match *form {
            PLAIN => (Phase::Plain, rest),
            AFTER_SNAPSHOT => (Phase::AfterSnapshot, rest),
            SNAPSHOT => snapshot(rest)?,
            _ => return None,
        };
        let marks = marks(rest)?;
        let fits = match &phase {
            Phase::Plain | Phase::AfterSnapshot => marks.len() == partitions,
            // Behind a key, the snapshot has come to a partition; else it is yet to come to one.
            Phase::Snapshot { after: Some(_), .. } => (1..=partitions).contains(&marks.len()),
            Phase::Snapshot { after: None, .. } => marks.len() < partitions,
        };
        fits.then_some(Self { phase, marks })
    }
}

fn snapshot(bytes: &[u8]) -> Option<(Phase, &[u8])> {
    let (filter, rest) = bytes.split_first_chunk()?;
    let (length, rest) = rest.split_first()?;
    let (after, rest) = rest.split_at_checked((*length).into())?;
    let after = match std::str::from_utf8(after).ok()? {
        "" => None,
        after => Some(LeadId::parse(after).ok()?),
    };
    Some((Phase::Snapshot { filter: *filter, after }, rest))
}

fn marks(bytes: &[u8]) -> Option<Vec<Mark>> {
    let number = |bytes: &[u8]| bytes.try_into().ok().map(i64::from_be_bytes);
    let marks = bytes.chunks(MARK_BYTES).map(|mark| {
        let (position, tag) = mark.split_at_checked(8)?;
        Some(Mark { position: number(position).filter(|position| *position >= 0)?, tag: number(tag)? })
    });
    marks.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursors() -> Vec<Cursor> {
        let marks = vec![Mark { position: 0, tag: 0 }, Mark { position: i64::MAX, tag: -1 }];
        let filter = [7; 8];
        let after = |key: &str| LeadId::parse(key).ok();
        vec![
            Cursor { phase: Phase::Plain, marks: marks.clone() },
            Cursor { phase: Phase::AfterSnapshot, marks: marks.clone() },
            Cursor { phase: Phase::Snapshot { filter, after: None }, marks: Vec::new() },
            Cursor { phase: Phase::Snapshot { filter, after: after("lead-1") }, marks: marks[..1].to_vec() },
            Cursor { phase: Phase::Snapshot { filter, after: after(&"x".repeat(64)) }, marks },
        ]
    }

    #[test]
    fn a_cursor_comes_back_as_it_was() {
        for cursor in cursors() {
            assert_eq!(Cursor::decode(&cursor.encode(), 2), Some(cursor));
        }
    }

    #[test]
    fn a_damaged_or_foreign_cursor_is_none() {
        for cursor in cursors() {
            let text = cursor.encode();
            if cursor.phase == Phase::Plain || cursor.phase == Phase::AfterSnapshot {
                assert_eq!(Cursor::decode(&text, 3), None, "another number of partitions");
            }
            assert_eq!(Cursor::decode(&text, 0), None, "fewer partitions than it has marks");
            for place in 0..text.len() {
                let mut damaged = text.clone().into_bytes();
                damaged[place] = if damaged[place] == b'A' { b'B' } else { b'A' };
                let damaged = String::from_utf8(damaged).expect("ascii");
                assert_eq!(Cursor::decode(&damaged, 2), None, "damaged at {place}");
            }
        }
        for garbage in ["", "x", "\0", "AAAA", "ÄÖÜ", &"A".repeat(100_000)] {
            assert_eq!(Cursor::decode(garbage, 1), None);
        }
    }
}
