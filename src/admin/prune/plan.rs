//! What a prune is going to do, for people and for programs.

use super::time::written;
use crate::domain::Timestamp;
use crate::store::{Stretch, Weight};
use indicatif::HumanCount;
use serde::Serialize;
use std::fmt::Write as _;

/// What goes, by partition.
#[derive(Debug)]
pub struct Plan {
    pub before: Timestamp,
    pub parts: Vec<(Stretch, Weight)>,
}

/// What a prune came to.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Done {
    pub entries: i64,
    pub seconds: f64,
    /// Whether all of the plan was done.
    pub complete: bool,
}

#[derive(Serialize)]
struct Document {
    before: String,
    dry_run: bool,
    partitions: Vec<PartDocument>,
    total: Total,
    #[serde(skip_serializing_if = "Option::is_none")]
    pruned: Option<Done>,
}

#[derive(Serialize)]
struct PartDocument {
    partition: i32,
    #[serde(flatten)]
    total: Total,
    floor: i64,
    new_floor: i64,
}

#[derive(Serialize)]
struct Total {
    entries: i64,
    requests: i64,
    leads: i64,
}

impl From<Weight> for Total {
    fn from(weight: Weight) -> Self {
        Self { entries: weight.entries, requests: weight.requests, leads: weight.leads }
    }
}

impl Plan {
    pub fn total(&self) -> Weight {
        self.parts.iter().fold(Weight::default(), |sum, (_, weight)| sum + *weight)
    }

    /// The plan, and what came of it, as one JSON object.
    pub fn document(&self, done: Option<Done>) -> String {
        let partitions = self.parts.iter().map(|(stretch, weight)| PartDocument {
            partition: stretch.partition,
            total: (*weight).into(),
            floor: stretch.floor,
            new_floor: stretch.through,
        });
        let document = Document {
            before: written(self.before),
            dry_run: done.is_none(),
            partitions: partitions.collect(),
            total: self.total().into(),
            pruned: done,
        };
        serde_json::to_string(&document).expect("numbers and texts are JSON")
    }

    /// The plan as a table, and what it means.
    pub fn text(&self) -> String {
        let mut text = format!(
            "history from before {}:\n\n{:>9} {:>15} {:>15} {:>15} {:>15} {:>15}",
            written(self.before),
            "partition",
            "entries",
            "requests",
            "leads",
            "floor now",
            "floor then"
        );
        let count = |count: i64| HumanCount(count.unsigned_abs()).to_string();
        let mut row = |name: &str, weight: Weight, floors: [String; 2]| {
            let [now, then] = floors;
            let counts = [count(weight.entries), count(weight.requests), count(weight.leads), now, then];
            // Writing to a text can't fail.
            let _ = write!(text, "\n{name:>9}");
            for count in counts {
                let _ = write!(text, " {count:>15}");
            }
        };
        for (stretch, weight) in &self.parts {
            row(&stretch.partition.to_string(), *weight, [count(stretch.floor), count(stretch.through)]);
        }
        row("total", self.total(), [String::new(), String::new()]);
        let mut text: String = text.lines().map(|line| line.trim_end().to_owned() + "\n").collect();
        text.push_str(MEANING);
        text
    }

    /// How to do what a dry run has shown.
    pub fn advice(&self) -> String {
        if self.total().entries == 0 {
            return "Nothing was changed: there is nothing to prune.".to_owned();
        }
        let before = written(self.before);
        format!("Nothing was changed. To prune just this, add: --before {before} --yes")
    }
}

const MEANING: &str = "
These entries go for ever. What stays: every lead as it is, one narrow row for each request, so that its retry is
answered with its outcome, and the floor of each partition: the position and tag of its last pruned entry. A cursor at
the floor or behind it works; an older one is refused with CURSOR_EXPIRED.
";

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        let part = |partition, through| {
            (Stretch { partition, floor: 0, through }, Weight { entries: through, requests: through - 1, leads: 2 })
        };
        Plan { before: Timestamp(1_785_542_400_000_000), parts: vec![part(0, 1204), part(1, 3)] }
    }

    #[test]
    fn the_table_has_a_row_a_partition_and_a_total() {
        let text = plan().text();
        let expected = "\
history from before 2026-08-01T00:00:00.000000Z:

partition         entries        requests           leads       floor now      floor then
        0           1,204           1,203               2               0           1,204
        1               3               2               2               0               3
    total           1,207           1,205               4
";
        assert_eq!(text.strip_suffix(MEANING), Some(expected), "{text}");
    }

    #[test]
    fn the_document_says_whether_anything_was_done() {
        let dry: serde_json::Value = serde_json::from_str(&plan().document(None)).expect("JSON");
        assert_eq!((&dry["dry_run"], dry.get("pruned")), (&true.into(), None), "{dry}");
        assert_eq!((&dry["total"]["entries"], &dry["partitions"][0]["new_floor"]), (&1207.into(), &1204.into()));
        let done = Done { entries: 1207, seconds: 0.5, complete: true };
        let done: serde_json::Value = serde_json::from_str(&plan().document(Some(done))).expect("JSON");
        assert_eq!((&done["dry_run"], &done["pruned"]["entries"]), (&false.into(), &1207.into()), "{done}");
    }
}
