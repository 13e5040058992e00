//! How a watch ends: what it says then, and its exit code.

use super::density::Violation;
use crate::cli::retry::cause;
use std::process::ExitCode;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// How a watch ended.
#[derive(Debug)]
pub enum Ending {
    /// It has seen what it was to see.
    Done,
    /// Nobody reads its output any more.
    Unread,
    /// A person or the system wants it.
    Signal(u8),
    /// The stream has broken a promise.
    Violation(Violation),
    /// The cursor can't be continued.
    Cursor { status: Status, reason: Reason },
    /// The server's last word is no.
    Refused(Status),
    /// It can't go on here.
    Failed(String),
}

/// Why a cursor can't be continued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    Invalid,
    Expired,
    Diverged,
}

impl Reason {
    /// The reason that stands in an error, if it is about the cursor.
    pub fn of(status: &Status) -> Option<Self> {
        match status.get_details_error_info()?.reason.as_str() {
            "CURSOR_INVALID" => Some(Self::Invalid),
            "CURSOR_EXPIRED" => Some(Self::Expired),
            "CURSOR_DIVERGED" => Some(Self::Diverged),
            _ => None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Invalid => "CURSOR_INVALID",
            Self::Expired => "CURSOR_EXPIRED",
            Self::Diverged => "CURSOR_DIVERGED",
        }
    }
}

/// Where the cursor that can't be continued came from: it decides what to do about it.
pub struct Origin<'a> {
    /// The cursor file.
    pub file: Option<String>,
    /// The file that changes are written to.
    pub output: Option<String>,
    /// The filter that its snapshot was begun with, if that isn't complete and the filter is another one now.
    pub snapshot_filter: Option<&'a str>,
}

impl Ending {
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Done | Self::Unread => 0,
            Self::Refused(status) if status.code() == Code::InvalidArgument => 2,
            Self::Failed(_) | Self::Refused(_) => 1,
            Self::Cursor { .. } => 3,
            Self::Violation(_) => 4,
            Self::Signal(number) => 128 + number,
        })
    }

    /// What there is to say about it.
    pub fn words(&self, origin: &Origin<'_>) -> Option<String> {
        match self {
            Self::Done | Self::Unread | Self::Signal(_) => None,
            Self::Failed(words) => Some(words.clone()),
            Self::Violation(violation) => Some(format!("stopped: the stream broke its promise: {violation}")),
            Self::Refused(status) => Some(format!("the server refuses the watch: {}", cause(status))),
            Self::Cursor { status, reason } => {
                let what = what_to_do(*reason, status, origin);
                Some(format!("{}: {}. {what}", reason.name(), cause(status)))
            }
        }
    }
}

fn what_to_do(reason: Reason, status: &Status, origin: &Origin<'_>) -> String {
    let files: Vec<&str> = [&origin.file, &origin.output].into_iter().flatten().map(String::as_str).collect();
    let remove = if files.is_empty() { String::new() } else { format!("remove {} and ", files.join(" and ")) };
    match reason {
        Reason::Invalid => match origin.snapshot_filter {
            Some(filter) => {
                let begun = if filter == "{}" { "no filter".to_owned() } else { format!("the filter {filter}") };
                format!(
                    "What to do: the snapshot was begun with {begun}; or {remove}start a new one with --from snapshot"
                )
            }
            None => format!(
                "What to do: look where the cursor came from, or {remove}choose where to start: --from now, beginning or \
                 snapshot"
            ),
        },
        Reason::Expired => {
            let earliest = status.get_details_error_info().and_then(|mut info| info.metadata.remove("earliest_cursor"));
            let earliest = earliest.map_or_else(String::new, |cursor| {
                format!(", or, if what was pruned isn't needed, with --from {cursor}")
            });
            format!("What to do: {remove}start anew with --from snapshot{earliest}")
        }
        Reason::Diverged => format!(
            "What to do: what was printed may be wrong, so throw away what you made of it, {remove}start anew with \
             --from beginning or --from snapshot"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;
    use tonic_types::ErrorDetails;

    fn cursor(code: Code, reason: &str) -> Ending {
        let metadata = HashMap::from([("earliest_cursor".to_owned(), "AQg".to_owned())]);
        let details = ErrorDetails::with_error_info(reason, "leadpipeline", metadata);
        let status = Status::with_error_details(code, "no", details);
        Ending::Cursor { reason: Reason::of(&status).expect("about the cursor"), status }
    }

    #[test]
    fn a_cursor_that_cannot_be_continued_says_what_to_do() {
        let mut origin = Origin { file: Some("/c".into()), output: None, snapshot_filter: None };
        let expired = cursor(Code::OutOfRange, "CURSOR_EXPIRED").words(&origin).expect("words");
        let expected = "CURSOR_EXPIRED: no. What to do: remove /c and start anew with --from snapshot, or, if what was \
                        pruned isn't needed, with --from AQg";
        assert_eq!(expired, expected);
        origin.output = Some("/o".into());
        let diverged = cursor(Code::DataLoss, "CURSOR_DIVERGED").words(&origin).expect("words");
        assert!(diverged.contains("remove /c and /o and start anew with --from beginning"), "{diverged}");
        let origin = Origin { file: None, output: None, snapshot_filter: Some("{\"agentIds\":[\"anna\"]}") };
        let invalid = cursor(Code::InvalidArgument, "CURSOR_INVALID").words(&origin).expect("words");
        assert!(invalid.contains("begun with the filter {\"agentIds\":[\"anna\"]}; or start a new one"), "{invalid}");
    }
}
