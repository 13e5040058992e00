//! `lead-pipeline apply`, and what it counts.

use crate::support::command::{Ended, Run};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

impl Ended {
    /// The counts of the summary by their names.
    pub fn counts(&self) -> BTreeMap<&str, u64> {
        let count = |line: &'_ str| line[10..].split_whitespace().next()?.replace(',', "").parse().ok();
        let rows = self.stdout.lines().filter(|line| line.len() > 10);
        rows.filter_map(|line| Some((line[..10].trim_end(), count(line)?))).collect()
    }

    /// Checks that each line was applied, and these counts.
    pub fn applied(&self, expected: &[(&str, u64)]) {
        assert_eq!(self.code, Some(0), "{self:?}");
        let counts = self.counts();
        for (name, count) in [("refused", 0)].iter().chain(expected) {
            assert_eq!(counts.get(name), Some(count), "{name}: {self:?}");
        }
    }
}

/// Starts `apply` in a folder.
pub fn start(folder: &Path, address: &str, arguments: &[&str]) -> Run {
    Run::start(folder, &[&["apply", "--address", address], arguments].concat())
}

/// Runs it to its end.
pub async fn apply(folder: &Path, address: &str, arguments: &[&str]) -> Ended {
    start(folder, address, arguments).ended().await
}

pub fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).and_then(|()| encoder.finish()).expect("memory takes it")
}
