//! `lead-pipeline watch`, and the changes that it prints.

use crate::support::command::{Ended, Run};
use serde_json::Value;
use std::path::Path;

/// Starts `watch` in a folder.
pub fn start(folder: &Path, address: &str, arguments: &[&str]) -> Run {
    Run::start(folder, &[&["watch", "--address", address], arguments].concat())
}

/// Runs it to its end.
pub async fn watch(folder: &Path, address: &str, arguments: &[&str]) -> Ended {
    start(folder, address, arguments).ended().await
}

/// The changes of lines, as partition and position, in their order.
pub fn positions(lines: &str) -> Vec<(i64, i64)> {
    let number = |value: &Value| value.as_i64().or_else(|| value.as_str()?.parse().ok()).unwrap_or_default();
    let position = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        (number(&line["change"]["partition"]), number(&line["change"]["position"]))
    };
    lines.lines().map(position).collect()
}
