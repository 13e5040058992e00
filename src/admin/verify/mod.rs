//! `lead-pipeline verify`: checks a database, and what clients were told of it. Comes in: the database, recorded
//! histories (see `record`). Goes out: findings, one a line. Never writes, and never asks the server: what it says could
//! be wrong in the same way.

mod calls;
mod database;
mod finding;
mod fold;
mod ground;
mod histories;
mod past;
mod revivals;
mod same;
mod snapshot;
mod stream;
mod sums;
mod times;
mod view;
mod window;

pub use finding::{Counts, Finding, Kind, Report};
pub use fold::Rules;
pub use histories::Unread;

use super::Format;
use super::database::{CONNECT_TIMEOUT, Database, NoDatabase};
use crate::store::{Audit, Read, StoreError};
use clap::Args;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

const MORE: &str = "\
Checks that the log has no hole and no double, that every lead's history folds to its row by the
rules, and that a request has one effect; that agents' modes, revivals, timers, follow-ups and
the funnel's sums are what the log makes of them. With histories (`apply --record`, `watch --record`)
also that every acknowledged write is in the database as it was told, that a refused call left
nothing, and that each stream was complete, in order and without a double. Read only; entries
that come while it runs aren't looked at.

Exit code: 0 if everything is sound, 1 if not, 2 if it can't be checked.";

/// Arguments of `lead-pipeline verify`.
#[derive(Clone, Debug, Args)]
#[command(after_help = MORE)]
pub struct Verify {
    /// Recorded histories, one JSON object a line.
    #[arg(value_name = "HISTORY")]
    histories: Vec<PathBuf>,
    #[command(flatten)]
    database: Database,
    /// How many findings are printed; the others are only counted.
    #[arg(long, default_value_t = 100, value_name = "FINDINGS")]
    findings: usize,
    /// How findings and summary are printed.
    #[arg(long, short, value_enum, default_value_t = Format::Text, value_name = "FORM")]
    output: Format,
    /// The setting that the server runs with.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(i32).range(1..=1000), value_name = "FAILURES")]
    failures_until_bad: i32,
}

/// Why nothing could be said.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("{0}")]
    Unread(#[from] Unread),
    #[error(transparent)]
    NoDatabase(#[from] NoDatabase),
}

/// Runs the command to its end, which is also what the exit code says.
pub async fn run(arguments: Verify) -> ExitCode {
    let report = match check(&arguments).await {
        Ok(report) => report,
        Err(error) => {
            eprintln!("lead-pipeline: {error}");
            return ExitCode::from(2);
        }
    };
    // Nobody may be reading; the exit code still says how it went.
    let _ = print(&report, arguments.output);
    if report.counts.findings == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn check(arguments: &Verify) -> Result<Report, VerifyError> {
    let rules = Rules { failures_until_bad: arguments.failures_until_bad };
    verify(&arguments.database.url()?, &arguments.histories, rules, Report::new(arguments.findings)).await
}

/// Checks a database, and histories of its clients.
///
/// # Errors
/// If the database or a history can't be read.
pub async fn verify(url: &str, histories: &[PathBuf], rules: Rules, mut report: Report) -> Result<Report, VerifyError> {
    let mut audit = Audit::connect(url, CONNECT_TIMEOUT).await?;
    let partitions = database::check(&mut audit, rules, &mut report).await?;
    let mut ground = ground::Ground { audit: &mut audit, partitions: &partitions, report: &mut report };
    histories::check(histories, rules, &mut ground).await?;
    audit.close().await;
    Ok(report)
}

fn print(report: &Report, output: Format) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for finding in &report.findings {
        match output {
            Format::Text => writeln!(out, "{finding}")?,
            Format::Json => writeln!(out, "{}", serde_json::to_string(finding)?)?,
        }
    }
    match output {
        Format::Text => writeln!(out, "{}", report.counts),
        Format::Json => writeln!(out, "{}", serde_json::json!({ "summary": report.counts })),
    }
}

/// A row as a value; one that can't be read is a finding.
fn readable<T>(row: Read<T>, report: &mut Report) -> Option<T> {
    match row {
        Ok(value) => Some(value),
        Err(error) => {
            report.add(Kind::Unreadable, "database", "a value of this service", error);
            None
        }
    }
}
