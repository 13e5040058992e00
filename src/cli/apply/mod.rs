//! `lead-pipeline apply`: sends a file of calls to a server, many side by side, those of one lead in order. Comes in:
//! lines of JSON. Goes out: calls, a file of rejected lines, a summary. Never sends one line under two ids.

mod call;
mod input;
mod order;
mod rejects;
mod report;
mod run;
mod send;

use super::values::{address, count, duration};
use crate::record::Recorder;
use clap::Args;
use input::Input;
use rejects::RejectFile;
use report::Report;
use run::{Limits, Outputs, Run};
use send::{Patience, connections};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

const MORE: &str = "\
Each line of FILE is one call: {\"call\": NAME, \"request\": {...}}, where NAME is CreateLead,
ApplyTrigger or OverrideStage, and the request is that call's in proto JSON. Calls of one lead
are sent in the order of the file, each after the answer to the one before; different leads go
side by side.

A call is sent again while another answer can be expected, always with the same request_id: it
has one effect. A line without request_id gets a new one in each run, so only a file whose lines
have theirs may be applied twice.

Exit code: 0 if every line was applied, 1 if not, 2 for wrong arguments, 130 after Ctrl-C.";

/// Arguments of `lead-pipeline apply`.
#[derive(Clone, Debug, Args)]
#[command(after_help = MORE)]
pub struct Apply {
    /// File of calls, one JSON object a line, plain or gzip; `-` is standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The server, as HOST:PORT or http://HOST:PORT.
    #[arg(long, env = "LEAD_PIPELINE_ADDRESS", default_value = "http://127.0.0.1:50051", value_parser = address)]
    address: String,
    /// Calls under way at the same time, at most one a lead.
    #[arg(long, default_value_t = 256, value_name = "CALLS", value_parser = count(1, 65_536))]
    in_flight: usize,
    /// Connections to the server, which share the calls.
    #[arg(long, default_value_t = 4, value_name = "CONNECTIONS", value_parser = count(1, 256))]
    connections: usize,
    /// Where rejected lines go, each with its error; it can be applied again. An old one is replaced, and there is none
    /// if nothing is rejected. [default: FILE.rejects.ndjson, or rejects.ndjson here for standard input]
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Adds every attempt of a call, with its answer, to a history that `lead-pipeline verify` can check. Not for two
    /// programs at the same time.
    #[arg(long, value_name = "HISTORY")]
    record: Option<PathBuf>,
    /// How long one attempt of a call may take, like 250ms or 10s.
    #[arg(long, default_value = "10s", value_name = "TIME", value_parser = duration(Duration::from_millis(1)))]
    timeout: Duration,
    /// How long a call is tried again before its line is rejected, like 30s or 5m; 0s for never. If nothing at all is
    /// answered for so long, the run ends.
    #[arg(long, default_value = "5m", value_name = "TIME", value_parser = duration(Duration::ZERO))]
    retry_for: Duration,
    /// The longest line, in bytes; a longer one is rejected.
    #[arg(long, default_value_t = 1024 * 1024, value_name = "BYTES", value_parser = count(64, 64 * 1024 * 1024))]
    line_bytes: usize,
    /// How far the file is read ahead of the calls under way, in bytes, about.
    #[arg(long, default_value_t = 4 * 1024 * 1024, value_name = "BYTES", value_parser = count(1024, 1 << 30))]
    read_ahead: usize,
}

/// Why there is nothing to run.
enum Wrong {
    /// The arguments don't go together.
    Usage(String),
    Input(String),
}

/// Runs the command to its end, which is also what the exit code says.
pub async fn run(arguments: Apply) -> ExitCode {
    let (run, input) = match prepare(arguments) {
        Ok(prepared) => prepared,
        Err(wrong) => {
            let (code, text) = match wrong {
                Wrong::Usage(text) => (2, text),
                Wrong::Input(text) => (1, text),
            };
            eprintln!("lead-pipeline: {text}");
            return ExitCode::from(code);
        }
    };
    let report = Arc::clone(run.report());
    let ending = run.finish(input).await;
    report.finish();
    for words in &ending.words {
        report.say(words);
    }
    // Nobody may be reading the summary; the exit code still says how it went.
    let _ = writeln!(std::io::stdout(), "{}", ending.summary);
    match ending.signal {
        Some(signal) => ExitCode::from(128 + signal),
        None if ending.complete && report.counts().refused == 0 => ExitCode::SUCCESS,
        None => ExitCode::FAILURE,
    }
}

/// Opens what the run needs. The server isn't asked for: that it is down at the start is like later.
fn prepare(arguments: Apply) -> Result<(Run, Input), Wrong> {
    let name = if arguments.file == Path::new("-") {
        "standard input".to_owned()
    } else {
        arguments.file.display().to_string()
    };
    let input = Input::open(&arguments.file).map_err(|error| Wrong::Input(format!("can't read {name}: {error}")))?;
    let rejects = arguments.rejects.unwrap_or_else(|| default_rejects(&arguments.file));
    let rejects = RejectFile::prepare(rejects, input.metadata()).map_err(Wrong::Usage)?;
    let recorder = arguments.record.as_deref().map(record).transpose().map_err(Wrong::Usage)?.map(Arc::new);
    let channels = connections(&arguments.address, arguments.connections, arguments.timeout).map_err(Wrong::Usage)?;
    let limits = Limits {
        in_flight: arguments.in_flight,
        line_bytes: arguments.line_bytes,
        read_ahead: arguments.read_ahead,
        patience: Patience { attempt: arguments.timeout, call: arguments.retry_for },
    };
    let report = Arc::new(Report::new(arguments.address, input.bytes()));
    Ok((Run::new(name, limits, Outputs { rejects, recorder }, channels, report), input))
}

fn record(path: &Path) -> Result<Recorder, String> {
    Recorder::append(path).map_err(|error| format!("can't write --record {}: {error}", path.display()))
}

fn default_rejects(file: &Path) -> PathBuf {
    if file == Path::new("-") {
        return "rejects.ndjson".into();
    }
    let mut name = file.as_os_str().to_owned();
    name.push(".rejects.ndjson");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_stand_next_to_the_file() {
        assert_eq!(default_rejects(Path::new("a/calls.gz")), Path::new("a/calls.gz.rejects.ndjson"));
        assert_eq!(default_rejects(Path::new("-")), Path::new("rejects.ndjson"));
    }
}
