//! `lead-pipeline prune`: tells how much history is older than a time, and takes it away if told to, in chunks beside
//! running servers. What a retry or a cursor asks of it stays: see `store/prune.sql`.

mod plan;
mod time;
mod work;

use super::Format;
use super::database::{CONNECT_TIMEOUT, Database, NoDatabase};
use crate::store::{Pruner, StoreError};
use clap::Args;
use indicatif::HumanCount;
use plan::{Done, Plan};
use std::fmt::Display;
use std::io::Write as _;
use std::process::ExitCode;
use time::{Before, before, written};
use work::{Stop, Work};

const MORE: &str = "\
Without --yes nothing is changed. Servers may run meanwhile, and so may another prune. One that was
cut off, be it by kill -9, is just run again. Before the first prune, every server has to be of a
version that has this command: an older one would do the retry of a pruned call once more.

Exit code: 0 if all of it was done, 1 if not, 2 for wrong arguments, 130 after Ctrl-C.";

/// Arguments of `lead-pipeline prune`.
#[derive(Clone, Debug, Args)]
#[command(after_help = MORE)]
pub struct Prune {
    #[command(flatten)]
    database: Database,
    /// What was recorded before this goes: a time like 2026-08-01T00:00:00Z, or an age like 90d.
    #[arg(long, value_name = "TIME", value_parser = before)]
    before: Before,
    /// Does it; without this, only says what it would do.
    #[arg(long)]
    yes: bool,
    /// Entries that one statement prunes. The writes of their partition wait for it.
    #[arg(long, default_value_t = 1000, value_name = "ENTRIES", value_parser = clap::value_parser!(i64).range(1..=100_000))]
    chunk: i64,
    /// What is printed: text for people, or one JSON object.
    #[arg(short, long, value_enum, default_value_t = Format::Text, value_name = "FORM")]
    output: Format,
}

/// Why not all was done.
#[derive(Debug, thiserror::Error)]
enum PruneError {
    #[error("--before {before} is in the future: the database's time is {now}")]
    Future { before: String, now: String },
    #[error(transparent)]
    NoDatabase(#[from] NoDatabase),
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error(
        "the log of partition {partition} has no entry behind position {floor}, and should have: nothing more is pruned"
    )]
    Hole { partition: i32, floor: i64 },
    #[error("interrupted")]
    Signal(u8),
}

impl PruneError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Future { .. } => ExitCode::from(2),
            Self::Signal(number) => ExitCode::from(128 + number),
            _ => ExitCode::FAILURE,
        }
    }
}

/// Runs the command to its end, which is also what the exit code says.
pub async fn run(arguments: Prune) -> ExitCode {
    match prune(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lead-pipeline: {error}");
            error.exit_code()
        }
    }
}

async fn prune(arguments: &Prune) -> Result<(), PruneError> {
    let stop = Stop::on_signals();
    let mut pruner = Pruner::connect(&arguments.database.url()?, CONNECT_TIMEOUT).await?;
    let now = pruner.now().await?;
    let before = arguments.before.at(now);
    if before > now {
        return Err(PruneError::Future { before: written(before), now: written(now) });
    }
    let mut work = Work { pruner, chunk: arguments.chunk, stop };
    let plan = work.plan(before).await?;
    let result = if arguments.yes {
        execute(&mut work, &plan, arguments.output).await
    } else {
        match arguments.output {
            Format::Text => print(format_args!("{}\n{}", plan.text(), plan.advice())),
            Format::Json => print(plan.document(None)),
        }
        Ok(())
    };
    work.pruner.close().await;
    result
}

/// Does what the plan says, and tells what was done, however it ends.
async fn execute(work: &mut Work, plan: &Plan, output: Format) -> Result<(), PruneError> {
    if output == Format::Text {
        print(plan.text());
    }
    let (done, result) = work.prune(plan).await;
    match output {
        Format::Text => print(summary(done)),
        Format::Json => print(plan.document(Some(done))),
    }
    result
}

fn summary(done: Done) -> String {
    let entries = HumanCount(done.entries.unsigned_abs());
    let rest = if done.complete { "" } else { ", not all of them: run it again for the rest" };
    format!("{entries} entries pruned in {:.1} s{rest}", done.seconds)
}

/// A line to standard output. Nobody may be reading it; that is no reason to stop.
fn print(text: impl Display) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
