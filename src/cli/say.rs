//! What a command tells a person beside its output.

use std::fmt;
use std::io::Write as _;

/// A line to standard error. Nobody may be listening any more; that is no reason to stop.
pub fn say(text: impl fmt::Display) {
    let _ = writeln!(std::io::stderr(), "lead-pipeline: {text}");
}
