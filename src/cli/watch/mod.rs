//! `lead-pipeline watch`: prints stage changes as they happen, and proves that none is missing. Comes in: the stream of
//! any replica. Goes out: a line a change, a cursor file, a proof. Never goes on where it can't say what was lost.

mod density;
mod ending;
mod filter;
mod follow;
mod output;
mod place;
mod record;
mod report;
mod show;
mod sink;

use super::connect::endpoint;
use super::say::say;
use super::signals::Signals;
use super::values::{address, duration};
use crate::proto::watch_stage_changes_request::Start;
use crate::proto::{StartBeginning, StartNow, StartSnapshot, WatchFilter, WatchStageChangesRequest};
use clap::Args;
use density::{Density, Phase};
use ending::{Ending, Origin};
use filter::Part;
use follow::{Follower, Server};
use output::{Output, Reader};
use place::{Place, PlaceError, PlaceFile};
use record::Record;
use show::{Format, Printer};
use sink::{Seen, Sink, Until};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tokio::sync::oneshot;
use tonic::metadata::{Ascii, MetadataValue};
use uuid::Uuid;

/// How long a connection may take before the next server is tried.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// How long a client's name may be.
const NAME_CHARACTERS: usize = 100;

const MORE: &str = "\
Prints changes on standard output, and what else there is to say on standard error. It follows
the server: when that stops, dies, can't be reached or is silent, the watch goes on after its last
cursor, at the next --address if there are several. On its way it checks that nothing is missing
and nothing comes twice, and says so at its end.

With --cursor-file the same command, given again, goes on where it ended, however it ended; --from
then counts only for the first time. The cursor is written after its changes were: a kill in
between prints these again, never loses any. With --output-file too each change is in that file
exactly once: what has no cursor yet is cut off before it goes on. Standard output can't be cut, so
a pipe's reader has to expect repeated lines after a kill (`position` within `partition` tells).

Examples:
  Who was won or lost, from now on:
    lead-pipeline watch --filter to-stage=WON,LOST
  Everything that ever happened, once, as JSON, resumed after every restart:
    lead-pipeline watch --from beginning -o jsonl --cursor-file feed.cursor --output-file feed.jsonl
  All leads of an agent as they stand, then what happens to them, into a program:
    lead-pipeline watch --from snapshot --filter agent=anna -o jsonl | my-program

Exit code: 0 if it saw what it was to see (--until-caught-up, --count) or nobody reads on, 1 if it
can't go on, 2 for wrong arguments, 3 if the cursor can't be continued, 4 if the stream had a gap
or a duplicate, 130 after Ctrl-C, 143 after SIGTERM.";

/// Arguments of `lead-pipeline watch`.
#[derive(Clone, Debug, Args)]
#[command(after_help = MORE)]
pub struct Watch {
    /// The servers, as HOST:PORT or http://HOST:PORT; several by commas or by giving this again.
    #[arg(
        long = "address",
        env = "LEAD_PIPELINE_ADDRESS",
        default_value = "http://127.0.0.1:50051",
        value_name = "ADDRESS",
        value_delimiter = ',',
        value_parser = address
    )]
    addresses: Vec<String>,
    /// Where to start, unless --cursor-file knows: `now`, `beginning`, `snapshot` (the leads as they stand, then their
    /// changes), or a cursor.
    #[arg(long, value_name = "WHERE", default_value = "now", value_parser = start)]
    from: From,
    /// What to see: `lead=`, `agent=`, `from-stage=`, `to-stage=` with values separated by commas, or `origin=manual` or
    /// `origin=automatic`. Filters of different keys must all hold.
    #[arg(long = "filter", value_name = "KEY=VALUE,...", value_parser = filter::part)]
    filters: Vec<Part>,
    /// Also see entries that changed neither the stage nor the dead mark.
    #[arg(long)]
    include_unchanged: bool,
    /// The form of the lines.
    #[arg(short = 'o', long = "output", value_enum, default_value = "text", value_name = "FORM")]
    format: Format,
    /// Where the cursor is kept, to go on from there next time.
    #[arg(long, value_name = "FILE")]
    cursor_file: Option<PathBuf>,
    /// Write lines to this file instead of standard output, each exactly once.
    #[arg(long, value_name = "FILE", requires = "cursor_file")]
    output_file: Option<PathBuf>,
    /// Add every request and response to this file, as {"stream": NAME, "request": {...}} and
    /// {"stream": NAME, "response": {...}}, one a line.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// How this watch is called by `lead-pipeline watchers`.
    #[arg(long, value_name = "NAME", value_parser = client_name)]
    client_name: Option<MetadataValue<Ascii>>,
    /// How long the server may be silent before it gives a sign of life, 1s or more; after twice that the watch takes
    /// another connection.
    #[arg(long, default_value = "10s", value_name = "TIME", value_parser = duration(Duration::from_secs(1)))]
    checkpoint_interval: Duration,
    /// End once the newest change was seen.
    #[arg(long)]
    until_caught_up: bool,
    /// End after so many lines; with --cursor-file some more may come, as a cursor stands behind whole responses.
    #[arg(long, value_name = "LINES", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
}

/// Where to start.
#[derive(Clone, Debug, PartialEq, Eq)]
enum From {
    Now,
    Beginning,
    Snapshot,
    Cursor(String),
}

fn start(text: &str) -> Result<From, String> {
    match text.to_ascii_lowercase().as_str() {
        "now" => Ok(From::Now),
        "beginning" => Ok(From::Beginning),
        "snapshot" => Ok(From::Snapshot),
        "" => Err("must be now, beginning, snapshot or a cursor".into()),
        _ => Ok(From::Cursor(text.to_owned())),
    }
}

fn client_name(text: &str) -> Result<MetadataValue<Ascii>, String> {
    let printable = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if text.is_empty() || text.len() > NAME_CHARACTERS || !printable {
        return Err(format!("must have 1 to {NAME_CHARACTERS} characters of printable ASCII"));
    }
    text.parse().map_err(|_| "can't be sent".to_owned())
}

/// Runs the command to its end, which is also what the exit code says.
pub async fn run(arguments: Watch) -> ExitCode {
    let (mut follower, file) = match prepare(arguments) {
        Ok(prepared) => prepared,
        Err((code, words)) => {
            say(words);
            return ExitCode::from(code);
        }
    };
    let reader = Reader::of(&follower.sink().output);
    let ending = tokio::select! {
        ending = follower.follow() => ending,
        number = hear_signals() => Ending::Signal(number),
        () = reader.gone() => Ending::Unread,
    };
    let sink = follower.sink();
    if let Some(words) = ending.words(&origin(sink, file)) {
        say(words);
    }
    // Of a watch that never began there is nothing to report.
    if follower.has_begun() && !matches!(ending, Ending::Unread) {
        let dense = !matches!(ending, Ending::Violation(_));
        say(report::report(sink.seen, sink.density.ranges(), follower.reconnects(), dense));
    }
    ending.exit_code()
}

/// Waits for the first signal, which ends in order. The second one ends at once: the reader of the output may be stuck.
async fn hear_signals() -> u8 {
    let mut signals = match Signals::hear() {
        Ok(signals) => signals,
        Err(error) => {
            say(format_args!("signals can't be heard: {error}"));
            return std::future::pending().await;
        }
    };
    let (tell, told) = oneshot::channel();
    // Beside the watch: while that waits for its reader, signals are still heard.
    tokio::spawn(async move {
        let _ = tell.send(signals.next().await);
        let number = signals.next().await;
        std::process::exit(128 + i32::from(number));
    });
    match told.await {
        Ok(number) => number,
        Err(_) => std::future::pending().await,
    }
}

/// Opens what the watch needs. The server isn't asked for: that it is down at the start is like later.
fn prepare(arguments: Watch) -> Result<(Follower, Option<PathBuf>), (u8, String)> {
    let usage = |words| (2, words);
    let failed = |words| (1, words);
    let filter = filter::filter(&arguments.filters).map_err(usage)?;
    let place = arguments.cursor_file.as_deref().map(PlaceFile::open).transpose().map_err(|error| match error {
        PlaceError::Unreadable(words) => (1, words),
        PlaceError::Damaged(words) => (3, words),
    })?;
    let saved = place.as_ref().and_then(PlaceFile::saved).cloned();
    let output = match &arguments.output_file {
        Some(path) => Output::file(path, saved.as_ref().and_then(|place| place.output.as_ref())).map_err(failed)?,
        None => Output::Standard,
    };
    let servers: Result<Vec<_>, _> = arguments.addresses.iter().map(|address| server(address)).collect();
    let (start, density) = begin(&arguments, &filter, saved.as_ref());
    let record = record(&arguments, &start).map_err(failed)?;
    let request = WatchStageChangesRequest {
        start: Some(start),
        filter: Some(filter.clone()),
        include_unchanged: arguments.include_unchanged,
        checkpoint_interval: Some(arguments.checkpoint_interval.try_into().map_err(|_| usage("too long".into()))?),
    };
    let file = place.as_ref().filter(|place| place.saved().is_some()).map(|place| place.path().to_owned());
    let sink = Sink {
        density,
        printer: Printer::new(arguments.format),
        output,
        place,
        record,
        until: Until { caught_up: arguments.until_caught_up, count: arguments.count },
        seen: Seen::default(),
        filter: place::filter_json(&filter),
        include_unchanged: arguments.include_unchanged,
    };
    let (name, interval) = (arguments.client_name, arguments.checkpoint_interval);
    Ok((Follower::new(servers.map_err(usage)?, request, name, interval, sink), file))
}

/// Where the stream starts, and what is known of it: the cursor file's word comes before `--from`.
fn begin(arguments: &Watch, filter: &WatchFilter, saved: Option<&Place>) -> (Start, Density) {
    let everything = arguments.include_unchanged && *filter == WatchFilter::default();
    if let Some(place) = saved {
        let density = Density::new(place.phase(), everything, &place.positions);
        return (Start::AfterCursor(place.cursor.clone()), density);
    }
    let (start, phase) = match &arguments.from {
        From::Now => (Start::Now(StartNow {}), Phase::Live),
        From::Beginning => (Start::Beginning(StartBeginning {}), Phase::Live),
        From::Snapshot => (Start::Snapshot(StartSnapshot {}), Phase::Snapshot),
        From::Cursor(cursor) => (Start::AfterCursor(cursor.clone()), Phase::Unknown),
    };
    (start, Density::new(phase, everything, &BTreeMap::new()))
}

fn server(address: &str) -> Result<Server, String> {
    let name = address.trim_start_matches("http://").to_owned();
    Ok(Server { name, endpoint: endpoint(address, CONNECT_PATIENCE)? })
}

fn record(arguments: &Watch, start: &Start) -> Result<Option<Record>, String> {
    let Some(path) = &arguments.record else { return Ok(None) };
    let name = arguments.client_name.as_ref().and_then(|name| name.to_str().ok().map(str::to_owned));
    let after = match start {
        Start::AfterCursor(cursor) => Some(cursor.as_str()),
        _ => None,
    };
    let record = Record::open(path, &name.unwrap_or_else(new_name), after);
    record.map(Some).map_err(|error| format!("can't write --record {}: {error}", path.display()))
}

#[expect(clippy::disallowed_methods, reason = "a client names its own stream: nothing is decided by it")]
fn new_name() -> String {
    format!("watch-{}", Uuid::now_v7())
}

/// Where the cursor comes from, for what is said if it can't be continued.
fn origin(sink: &Sink, file: Option<PathBuf>) -> Origin<'_> {
    let output = match &sink.output {
        Output::File { path, bytes, .. } if *bytes > 0 => Some(path.display().to_string()),
        _ => None,
    };
    let saved = sink.place.as_ref().and_then(PlaceFile::saved);
    let snapshot = saved.filter(|place| place.snapshot && place.filter != sink.filter);
    Origin {
        file: file.map(|file| file.display().to_string()),
        output,
        snapshot_filter: snapshot.map(|place| place.filter.as_str()),
    }
}
