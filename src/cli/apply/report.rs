//! What a person sees of a run: progress while it goes, single lines about what hinders it, and the summary.

use crate::cli::retry::cause;
use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::fmt;
use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::{Instant, interval};
use tonic::Status;

/// How often the bar is drawn, and how often a plain line is written.
const BAR_INTERVAL: Duration = Duration::from_millis(100);
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// The least time between two lines about a server that doesn't answer.
const OUTAGE_INTERVAL: Duration = Duration::from_secs(5);

/// How a call ended that wasn't refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    Created,
    Moved,
    NoChange,
    /// The server had it already, and it changed nothing.
    Replayed,
    /// Only asked for (`validate_only`): nothing was to change.
    Validated,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lines with a call, or what was meant to be one.
    pub read: u64,
    pub created: u64,
    pub moved: u64,
    pub no_change: u64,
    pub replayed: u64,
    pub validated: u64,
    pub refused: u64,
    pub retries: u64,
}

impl Counts {
    /// Lines that are done with.
    pub const fn done(&self) -> u64 {
        self.created + self.moved + self.no_change + self.replayed + self.validated + self.refused
    }
}

/// The counts as they grow.
#[derive(Default)]
struct Counters {
    read: AtomicU64,
    created: AtomicU64,
    moved: AtomicU64,
    no_change: AtomicU64,
    replayed: AtomicU64,
    validated: AtomicU64,
    refused: AtomicU64,
    retries: AtomicU64,
    under_way: AtomicU64,
}

/// Counts and tells.
pub struct Report {
    started: Instant,
    counters: Counters,
    /// Milliseconds from the start to the last answer.
    answered: AtomicU64,
    outage: AtomicBool,
    /// Milliseconds from the start, plus one, to the last line about an outage.
    told: AtomicU64,
    /// Bytes of the file that were read, and how many it has.
    pub bytes_read: Arc<AtomicU64>,
    bytes: Option<u64>,
    address: String,
    bar: Option<ProgressBar>,
}

impl Report {
    /// With a bar if standard error is a terminal.
    pub fn new(address: String, bytes: Option<u64>) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| bar(bytes));
        Self {
            started: Instant::now(),
            counters: Counters::default(),
            answered: AtomicU64::new(0),
            outage: AtomicBool::new(false),
            told: AtomicU64::new(0),
            bytes_read: Arc::default(),
            bytes,
            address,
            bar,
        }
    }

    pub fn counts(&self) -> Counts {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            read: count(&self.counters.read),
            created: count(&self.counters.created),
            moved: count(&self.counters.moved),
            no_change: count(&self.counters.no_change),
            replayed: count(&self.counters.replayed),
            validated: count(&self.counters.validated),
            refused: count(&self.counters.refused),
            retries: count(&self.counters.retries),
        }
    }

    /// A line was read.
    pub fn read(&self) {
        self.counters.read.fetch_add(1, Ordering::Relaxed);
    }

    /// A call was begun.
    pub fn begun(&self) {
        self.counters.under_way.fetch_add(1, Ordering::Relaxed);
    }

    /// A call ended.
    pub fn ended(&self) {
        self.counters.under_way.fetch_sub(1, Ordering::Relaxed);
    }

    /// Calls that were begun and haven't ended.
    pub fn under_way(&self) -> u64 {
        self.counters.under_way.load(Ordering::Relaxed)
    }

    pub fn done(&self, done: Done) {
        let counter = match done {
            Done::Created => &self.counters.created,
            Done::Moved => &self.counters.moved,
            Done::NoChange => &self.counters.no_change,
            Done::Replayed => &self.counters.replayed,
            Done::Validated => &self.counters.validated,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub fn refused(&self) {
        self.counters.refused.fetch_add(1, Ordering::Relaxed);
    }

    fn milliseconds(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    /// A call has its answer.
    pub fn answered(&self) {
        self.answered.store(self.milliseconds(), Ordering::Relaxed);
        // Read first: a write by each call would be passed between the cores all the time.
        if self.outage.load(Ordering::Relaxed) && self.outage.swap(false, Ordering::Relaxed) {
            self.say(format_args!("{} takes calls again", self.address));
        }
    }

    /// How long ago the last answer was, or the start if there was none.
    pub fn since_answer(&self) -> Duration {
        Duration::from_millis(self.milliseconds().saturating_sub(self.answered.load(Ordering::Relaxed)))
    }

    /// A call is going to be sent again.
    pub fn retrying(&self, status: &Status) {
        self.counters.retries.fetch_add(1, Ordering::Relaxed);
        let (now, told) = (self.milliseconds() + 1, self.told.load(Ordering::Relaxed));
        let due = told == 0 || now.saturating_sub(told) >= OUTAGE_INTERVAL.as_millis() as u64;
        // One of those that fail together tells it.
        if due && self.told.compare_exchange(told, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.outage.store(true, Ordering::Relaxed);
            self.say(format_args!("{} doesn't take calls now, trying again: {}", self.address, cause(status)));
        }
    }

    /// A line to standard error, above the bar if there is one.
    pub fn say(&self, text: impl fmt::Display) {
        // Nobody may be listening any more; that is no reason to stop.
        let write = || drop(writeln!(std::io::stderr(), "lead-pipeline: {text}"));
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// Shows how far it is, for ever.
    pub async fn show(self: Arc<Self>) {
        let mut ticks = interval(if self.bar.is_some() { BAR_INTERVAL } else { LINE_INTERVAL });
        ticks.tick().await;
        let (mut last, mut last_done) = (Instant::now(), 0);
        loop {
            ticks.tick().await;
            let counts = self.counts();
            let rate = rate(self.started.elapsed(), counts.done());
            if let Some(bar) = &self.bar {
                bar.set_position(self.bytes_done(&counts).max(bar.position()));
                bar.set_message(format!("{} calls, {rate}/s{}", HumanCount(counts.done()), hitches(&counts)));
            } else {
                let recent = self::rate(last.elapsed(), counts.done() - last_done);
                let part = self.bytes.map(|bytes| self.bytes_done(&counts) * 100 / bytes);
                let part = part.map_or_else(String::new, |part| format!(" ({part}%)"));
                let done = HumanCount(counts.done());
                self.say(format_args!("{done} calls{part}, {recent}/s{}", hitches(&counts)));
            }
            (last, last_done) = (Instant::now(), counts.done());
        }
    }

    /// The bytes of the file that the calls done so far come from, about: it is read ahead of them.
    fn bytes_done(&self, counts: &Counts) -> u64 {
        let read = self.bytes_read.load(Ordering::Relaxed);
        let part = counts.done() as f64 / counts.read.max(1) as f64;
        let done = (read as f64 * part.min(1.0)) as u64;
        self.bytes.map_or(done, |bytes| done.min(bytes))
    }

    /// Takes the bar away: what follows is the summary.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// The server's address, to be shown.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The summary as text, a count a line.
    pub fn summary(&self, rejects: &Path) -> String {
        summary(&self.counts(), self.started.elapsed(), rejects)
    }
}

fn bar(bytes: Option<u64>) -> ProgressBar {
    let (template, bar) = match bytes {
        Some(bytes) => ("{bar:40} {percent:>3}%  {msg}", ProgressBar::new(bytes)),
        None => ("{spinner} {msg}", ProgressBar::new_spinner()),
    };
    bar.set_draw_target(ProgressDrawTarget::stderr());
    bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

fn rate(elapsed: Duration, done: u64) -> HumanCount {
    HumanCount((done as f64 / elapsed.as_secs_f64().max(0.001)) as u64)
}

fn hitches(counts: &Counts) -> String {
    let hitch = |count: u64, what: &str| match count {
        0 => String::new(),
        count => format!(", {} {what}", HumanCount(count)),
    };
    hitch(counts.refused, "refused") + &hitch(counts.retries, "retries")
}

fn summary(counts: &Counts, elapsed: Duration, rejects: &Path) -> String {
    use fmt::Write as _;
    let mut text = String::new();
    let mut row = |name: &str, count: u64, more: &str| {
        // Writing to a String can't fail.
        let _ = writeln!(text, "{name:<10} {:>12}{more}", HumanCount(count).to_string());
    };
    row("created", counts.created, "");
    row("moved", counts.moved, "");
    row("no change", counts.no_change, "");
    row("replayed", counts.replayed, "");
    if counts.validated > 0 {
        row("validated", counts.validated, "");
    }
    let where_to = if counts.refused > 0 { format!("  see {}", rejects.display()) } else { String::new() };
    row("refused", counts.refused, &where_to);
    row("retries", counts.retries, "");
    let done = counts.done();
    let seconds = elapsed.as_secs_f64();
    let _ = write!(text, "{} calls in {seconds:.1} s, {} per second", HumanCount(done), rate(elapsed, done));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts() -> Counts {
        Counts { read: 12_005, created: 1_000, moved: 9_000, no_change: 2_000, ..Counts::default() }
    }

    #[test]
    fn the_summary_has_a_count_a_line() {
        let text = summary(&counts(), Duration::from_secs(2), Path::new("r"));
        let expected = "\
created           1,000
moved             9,000
no change         2,000
replayed              0
refused               0
retries               0
12,000 calls in 2.0 s, 6,000 per second";
        assert_eq!(text, expected);
    }

    #[test]
    fn the_summary_says_where_refused_lines_are() {
        let counts = Counts { refused: 5, validated: 1, ..counts() };
        let text = summary(&counts, Duration::from_secs(2), Path::new("calls.rejects.ndjson"));
        assert!(text.contains("refused               5  see calls.rejects.ndjson\n"), "{text}");
        assert!(text.contains("validated             1\n"), "{text}");
        assert!(text.contains("12,006 calls"), "{text}");
    }

    #[test]
    fn progress_is_of_calls_that_are_done_not_of_lines_read_ahead() {
        let report = Report::new("x".into(), Some(1000));
        report.bytes_read.store(1000, Ordering::Relaxed);
        let half = Counts { read: 10, moved: 5, ..Counts::default() };
        assert_eq!(report.bytes_done(&half), 500);
        assert_eq!(report.bytes_done(&Counts::default()), 0);
    }
}
