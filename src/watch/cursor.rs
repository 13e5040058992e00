//! The cursor: for each partition the last position that a stream has covered, and that entry's tag. Opaque to
//! clients, and grants nothing: it is checked against the log when it comes back.

use crate::store::Mark;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The form of what follows; another form gets another number.
const FORM: u8 = 1;
const MARK_BYTES: usize = 16;

/// The cursor behind these marks, one a partition.
pub(super) fn encode(marks: impl ExactSizeIterator<Item = Mark>) -> String {
    let mut bytes = Vec::with_capacity(1 + marks.len() * MARK_BYTES + 4);
    bytes.push(FORM);
    for mark in marks {
        bytes.extend_from_slice(&mark.position.to_be_bytes());
        bytes.extend_from_slice(&mark.tag.to_be_bytes());
    }
    let sum = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&sum.to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The marks of a cursor; `None` if it is none of this service's with this number of partitions, or was damaged.
pub(super) fn decode(cursor: &str, partitions: usize) -> Option<Vec<Mark>> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (body, sum) = bytes.split_last_chunk::<4>()?;
    let (form, marks) = body.split_first()?;
    if *form != FORM || marks.len() != partitions * MARK_BYTES || crc32fast::hash(body) != u32::from_be_bytes(*sum) {
        return None;
    }
    let number = |bytes: &[u8]| bytes.try_into().ok().map(i64::from_be_bytes);
    marks
        .chunks_exact(MARK_BYTES)
        .map(|mark| Some(Mark { position: number(&mark[..8]).filter(|p| *p >= 0)?, tag: number(&mark[8..])? }))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_was() {
        let marks = vec![Mark { position: 0, tag: 0 }, Mark { position: i64::MAX, tag: -1 }];
        assert_eq!(decode(&encode(marks.clone().into_iter()), 2), Some(marks));
    }

    #[test]
    fn a_damaged_or_foreign_cursor_is_none() {
        let cursor = encode(vec![Mark { position: 7, tag: 9 }].into_iter());
        assert_eq!(decode(&cursor, 2), None, "another number of partitions");
        for place in 0..cursor.len() {
            let mut damaged = cursor.clone().into_bytes();
            damaged[place] = if damaged[place] == b'A' { b'B' } else { b'A' };
            let damaged = String::from_utf8(damaged).expect("ascii");
            assert_eq!(decode(&damaged, 1), None, "damaged at {place}");
        }
        for garbage in ["", "x", "\0", "AAAA", "ÄÖÜ", &"A".repeat(100_000)] {
            assert_eq!(decode(garbage, 1), None);
        }
    }
}
