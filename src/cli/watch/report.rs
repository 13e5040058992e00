//! The line that a watch ends with: what it saw, and that it was dense.

use super::density::Range;
use super::sink::Seen;
use indicatif::HumanCount;
use std::collections::BTreeMap;

/// Partitions that are shown one by one.
const SHOWN: usize = 8;

/// What was watched. `dense` is false if a promise was broken: then nothing is claimed.
pub fn report(seen: Seen, ranges: &BTreeMap<i32, Range>, reconnects: u64, dense: bool) -> String {
    let mut parts = vec![format!("watched {}", things(seen))];
    if ranges.is_empty() {
        parts.push("no position covered".into());
    } else {
        parts.push(counted(ranges.len() as u64, "partition"));
        parts.push(match (positions(ranges), dense) {
            (Some(positions), true) => format!("{positions} covered without a gap or a duplicate"),
            (Some(positions), false) => format!("{positions} covered before that"),
            (None, true) => "no new position, without a gap or a duplicate".into(),
            (None, false) => "no new position".into(),
        });
    }
    parts.push(counted(reconnects, "reconnect"));
    let report = parts.join(", ");
    match seen.unprinted {
        0 => report,
        unprinted => format!("{report}; {} more came and weren't to be printed", HumanCount(unprinted)),
    }
}

fn things(seen: Seen) -> String {
    let changes = counted(seen.changes, "change");
    if seen.leads == 0 { changes } else { format!("{} and {changes}", counted(seen.leads, "lead")) }
}

fn counted(number: u64, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", HumanCount(number))
}

/// The positions that were covered, of each partition, as far as a line has room; none if there is no new one.
fn positions(ranges: &BTreeMap<i32, Range>) -> Option<String> {
    let covered: i64 = ranges.values().map(|range| range.through - range.after).sum();
    if covered == 0 {
        return None;
    }
    if ranges.len() > SHOWN {
        return Some(counted(covered as u64, "position"));
    }
    let one = |range: &Range| match range.through - range.after {
        0 => "none".to_owned(),
        1 => HumanCount(range.through as u64).to_string(),
        _ => format!("{}..{}", HumanCount(range.after as u64 + 1), HumanCount(range.through as u64)),
    };
    if let (1, Some(range)) = (ranges.len(), ranges.values().next()) {
        return Some(format!("positions {}", one(range)));
    }
    let all: Vec<_> = ranges.iter().map(|(partition, range)| format!("{partition}: {}", one(range))).collect();
    Some(format!("positions {}", all.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(ranges: &[(i64, i64)]) -> BTreeMap<i32, Range> {
        ranges.iter().map(|&(after, through)| Range { after, through }).zip(0..).map(|(r, p)| (p, r)).collect()
    }

    #[test]
    fn the_line_says_what_was_seen_and_covered() {
        let seen = Seen { changes: 1234, ..Seen::default() };
        assert_eq!(
            report(seen, &ranges(&[(16, 12_345)]), 2, true),
            "watched 1,234 changes, 1 partition, positions 17..12,345 covered without a gap or a duplicate, 2 reconnects"
        );
        let seen = Seen { changes: 1, leads: 3, unprinted: 0 };
        assert_eq!(
            report(seen, &ranges(&[(0, 1), (7, 7), (4, 9)]), 1, true),
            "watched 3 leads and 1 change, 3 partitions, positions 0: 1; 1: none; 2: 5..9 covered without a gap or a \
             duplicate, 1 reconnect"
        );
        let many = vec![(0, 2); 9];
        let line = report(seen, &ranges(&many), 0, true);
        assert!(line.contains("9 partitions, 18 positions covered without"), "{line}");
        let line = report(Seen { unprinted: 1_002, ..seen }, &ranges(&[(0, 1_003)]), 0, true);
        assert!(line.ends_with("a duplicate, 0 reconnects; 1,002 more came and weren't to be printed"), "{line}");
    }

    #[test]
    fn nothing_is_claimed_without_proof() {
        let line = report(Seen::default(), &BTreeMap::new(), 0, true);
        assert_eq!(line, "watched 0 changes, no position covered, 0 reconnects");
        let line = report(Seen::default(), &ranges(&[(7, 7)]), 0, true);
        assert_eq!(line, "watched 0 changes, 1 partition, no new position, without a gap or a duplicate, 0 reconnects");
        let line = report(Seen::default(), &ranges(&[(0, 3)]), 0, false);
        assert_eq!(line, "watched 0 changes, 1 partition, positions 1..3 covered before that, 0 reconnects");
    }
}
