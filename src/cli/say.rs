//! What every command says to people in the same way.

use prost_types::Timestamp;
use std::fmt;
use std::io::Write as _;
use std::time::SystemTime;

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
