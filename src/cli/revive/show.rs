//! What a person sees of a revival: how far it is, and the counts at its end.

use super::MODE;
use crate::cli::say::{name, say, span};
use crate::cli::table::{Columns, Side};
use crate::proto::{Revival, RevivalState};
use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::fmt::{self, Write as _};
use std::io::IsTerminal as _;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// How often a plain line is written where there is no bar.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// Draws a bar if standard error is a terminal, and writes a line now and then if not.
pub struct Show {
    bar: Option<ProgressBar>,
    written: Instant,
}

impl Show {
    pub fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(bar);
        Self { bar, written: Instant::now() }
    }

    /// Shows how far it is.
    pub fn progress(&mut self, revival: &Revival) {
        let words = words(revival);
        if let Some(bar) = &self.bar {
            let done = done(revival);
            // Nobody knows yet how many there are: it isn't full for that.
            bar.set_length(revival.remaining.map_or(u64::MAX, |remaining| done + unsigned(remaining)));
            bar.set_position(done);
            bar.set_message(words);
        } else if revival.state() == RevivalState::Running && self.written.elapsed() >= LINE_INTERVAL {
            self.written = Instant::now();
            say(words);
        }
    }

    /// A line to standard error, above the bar if there is one.
    pub fn say(&self, text: impl fmt::Display) {
        match &self.bar {
            Some(bar) => bar.suspend(|| say(text)),
            None => say(text),
        }
    }

    /// Takes the bar away: what follows are the counts.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::new(u64::MAX)
        .with_style(ProgressStyle::with_template("{bar:40} {percent:>3}%  {msg}").expect("the template is right"));
    bar.set_draw_target(ProgressDrawTarget::stderr());
    bar
}

fn unsigned(count: i64) -> u64 {
    count.max(0).unsigned_abs()
}

fn skipped(revival: &Revival) -> i64 {
    revival.skipped_dead + revival.skipped_no_open_channel + revival.skipped_moved_on
}

/// Leads that were looked at.
fn done(revival: &Revival) -> u64 {
    unsigned(revival.revived + skipped(revival))
}

fn words(revival: &Revival) -> String {
    let count = |count: i64| HumanCount(unsigned(count)).to_string();
    let remaining = revival.remaining.map_or_else(|| "counting".into(), |left| format!("{} remaining", count(left)));
    format!("{} revived, {} skipped, {remaining}", count(revival.revived), count(skipped(revival)))
}

/// The counts as text, one a line, and what they are of.
pub fn summary(revival: &Revival) -> String {
    let mut counts = vec![
        ("revived", revival.revived),
        ("skipped: dead", revival.skipped_dead),
        ("skipped: no open channel", revival.skipped_no_open_channel),
        ("skipped: moved on", revival.skipped_moved_on),
    ];
    if revival.state() == RevivalState::Superseded {
        counts.push(("not looked at", revival.remaining.unwrap_or_default()));
    }
    let rows = counts.into_iter().map(|(name, count)| [name.to_owned(), HumanCount(unsigned(count)).to_string()]);
    let rows: Vec<_> = rows.collect();
    let columns = Columns::of([("", Side::Left), ("", Side::Right)], &rows);
    let mut text = String::new();
    for row in &rows {
        columns.push(row, &mut text);
    }
    let state = match revival.state() {
        RevivalState::Unspecified => "would be revived so: nothing was changed",
        RevivalState::Running => "goes on",
        RevivalState::Finished => "finished",
        RevivalState::Superseded => "superseded",
    };
    let mode = name(revival.outreach_mode().as_str_name(), MODE);
    // Writing to a String can't fail.
    let _ = write!(text, "{}, {mode}: {state}", revival.agent_id);
    let time = |time: Option<prost_types::Timestamp>| SystemTime::try_from(time?).ok();
    let took = time(revival.finished_at).zip(time(revival.accepted_at));
    if let Some(took) = took.and_then(|(end, start)| end.duration_since(start).ok()) {
        let _ = write!(text, " after {}", span(took));
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::OutreachMode;

    fn revival(state: RevivalState) -> Revival {
        let time = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        Revival {
            agent_id: "anna".into(),
            outreach_mode: OutreachMode::Blended.into(),
            state: state.into(),
            revived: 12_000,
            skipped_dead: 3,
            skipped_no_open_channel: 17,
            remaining: Some(500),
            accepted_at: time(100),
            finished_at: time(165),
            ..Default::default()
        }
    }

    #[test]
    fn the_summary_has_a_count_a_line() {
        let expected = "\
revived                   12,000
skipped: dead                  3
skipped: no open channel      17
skipped: moved on              0
not looked at                500
anna, BLENDED: superseded after 1m 5s
";
        assert_eq!(summary(&revival(RevivalState::Superseded)), expected);
        assert!(
            summary(&revival(RevivalState::Finished))
                .ends_with("moved on              0\nanna, BLENDED: finished after 1m 5s\n")
        );
    }

    #[test]
    fn progress_is_told_also_while_leads_are_counted() {
        assert_eq!(words(&revival(RevivalState::Running)), "12,000 revived, 20 skipped, 500 remaining");
        assert_eq!(words(&Revival::default()), "0 revived, 0 skipped, counting");
    }
}
