//! What every command says to people in the same way.

use super::retry::cause;
use prost_types::Timestamp;
use std::fmt;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};
use tonic::{Code, Status};

/// A line to standard error. Nobody may be listening any more; that is no reason to stop.
pub fn say(text: impl fmt::Display) {
    let _ = writeln!(std::io::stderr(), "lead-pipeline: {text}");
}

/// A time to the millisecond, which is enough for a person.
pub fn time(time: Option<&Timestamp>) -> String {
    let time = time.and_then(|time| SystemTime::try_from(*time).ok());
    let time = time.filter(|time| *time >= SystemTime::UNIX_EPOCH);
    time.map_or_else(|| "-".into(), |time| humantime::format_rfc3339_millis(time).to_string())
}

/// Says why a server doesn't do what it was asked to; gives what the exit code is then.
pub fn refused(what: impl fmt::Display, status: &Status) -> ExitCode {
    say(format_args!("{what}: {}", cause(status)));
    ExitCode::from(if status.code() == Code::InvalidArgument { 2 } else { 1 })
}

/// How long something took, in the two largest units, which is enough for a person.
pub fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    let (large, small) = match seconds {
        86_400.. => ((seconds / 86_400, "d"), (seconds / 3600 % 24, "h")),
        3600.. => ((seconds / 3600, "h"), (seconds / 60 % 60, "m")),
        60.. => ((seconds / 60, "m"), (seconds % 60, "s")),
        1.. => return format!("{:.1}s", span.as_secs_f64()),
        0 => return format!("{}ms", span.as_millis()),
    };
    if small.0 == 0 {
        format!("{}{}", large.0, large.1)
    } else {
        format!("{}{} {}{}", large.0, large.1, small.0, small.1)
    }
}

/// The name of a value of an enum, without what its enum puts before each.
pub fn name(value: &'static str, prefix: &str) -> &'static str {
    value.strip_prefix(prefix).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_in_two_units() {
        let spans = [(250, "250ms"), (1_500, "1.5s"), (60_000, "1m"), (3_725_000, "1h 2m"), (187_200_000, "2d 4h")];
        for (millis, words) in spans {
            assert_eq!(span(Duration::from_millis(millis)), words);
        }
    }
}
