//! The checker: it is silent about what is sound, and finds every bug that is planted, one after the other.

mod database_bugs;
mod history_bugs;
mod program;
mod pruned;
mod scene;
mod time_bugs;

use lead_pipeline::admin::verify::{Kind, Report, verify};
use lead_pipeline::record::Line;
use scene::{LEADS, Scene, WRITERS_CALLS, scene};
use std::fs;

use crate::support::checker::RULES;

/// Checks a database and one history.
async fn checked(url: &str, lines: &[Line]) -> Report {
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), lines.iter().flat_map(Line::json).collect::<Vec<_>>()).expect("written");
    let report = Report::new(1000);
    verify(url, &[file.path().into()], RULES, report).await.expect("both can be read")
}

/// Fails unless a bug of this kind was found.
#[track_caller]
fn assert_finds(report: &Report, kind: Kind, bug: &str) {
    let found = report.findings.iter().any(|finding| finding.kind == kind);
    let shown: Vec<String> = report.findings.iter().take(20).map(ToString::to_string).collect();
    assert!(found, "{bug} should be {kind:?}: {shown:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_two_replicas_did_and_told_under_load_is_sound() {
    let Scene { url, lines, .. } = scene().await;
    let report = checked(url, lines).await;
    assert_eq!(report.findings, []);
    let counts = report.counts;
    assert_eq!((counts.partitions, counts.leads, counts.folded), (2, LEADS as u64, LEADS as u64));
    let written = (LEADS + WRITERS_CALLS) as u64;
    assert_eq!(counts.entries, written, "each was acknowledged");
    // A replay is acknowledged again, and one call was refused.
    assert_eq!((counts.acknowledged, counts.refused, counts.unknown), (written + 1, 2, 1));
    assert_eq!((counts.streams, counts.snapshot_leads), (3, LEADS as u64));
    assert!(counts.changes > written && counts.responses > 10, "{counts:?}");
}
