//! Errors as the contract promises them.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Debug;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// Words that tell what the service is built of. No error may say them.
const INTERNAL_WORDS: [&str; 6] = ["sql", "postgres", "panicked", "src/", "relation", "constraint"];

/// Fails if an error shows a client what is inside.
pub fn assert_fit_for_callers(status: &Status) {
    let text = format!("{} {}", status.message(), String::from_utf8_lossy(status.details())).to_lowercase();
    for word in INTERNAL_WORDS {
        assert!(!text.contains(word), "an internal text reached the client: {text}");
    }
}

/// A call that failed.
pub struct Failed {
    pub status: Status,
    details: ErrorDetails,
}

/// The failure of a call that had to fail.
pub fn failed<T: Debug>(result: Result<T, Status>) -> Failed {
    let status = match result {
        Ok(answer) => panic!("should have failed, but answered {answer:?}"),
        Err(status) => status,
    };
    assert_fit_for_callers(&status);
    let details = status.get_error_details();
    Failed { status, details }
}

impl Failed {
    /// The code, and the reason by its name.
    #[track_caller]
    pub fn is(self, code: Code, reason: &str) -> Self {
        assert_eq!(self.status.code(), code, "{:?}", self.status);
        let info = self.details.error_info().unwrap_or_else(|| panic!("no ErrorInfo: {:?}", self.status));
        assert_eq!((info.domain.as_str(), info.reason.as_str()), ("leadpipeline", reason), "{:?}", self.status);
        self
    }

    /// INVALID_ARGUMENT whose BadRequest names just these fields.
    #[track_caller]
    pub fn names(self, fields: &[&str]) -> Self {
        let failed = self.is(Code::InvalidArgument, "INVALID_REQUEST");
        assert_eq!(failed.fields(), fields.iter().copied().collect(), "{:?}", failed.status);
        failed
    }

    #[track_caller]
    fn fields(&self) -> BTreeSet<&str> {
        let request = self.details.bad_request().expect("a BadRequest");
        for violation in &request.field_violations {
            assert!(!violation.description.is_empty(), "says what is wrong with {}", violation.field);
        }
        request.field_violations.iter().map(|violation| violation.field.as_str()).collect()
    }

    /// An entry of the metadata.
    #[track_caller]
    pub fn says(self, key: &str, value: &str) -> Self {
        assert_eq!(self.metadata().get(key).map(String::as_str), Some(value), "metadata {key}: {:?}", self.status);
        self
    }

    /// Whether the caller is asked to wait and try again.
    #[track_caller]
    pub fn asks_to_retry(self, retry: bool) -> Self {
        let delay = self.details.retry_info().and_then(|info| info.retry_delay);
        assert_eq!(delay.is_some(), retry, "{:?}", self.status);
        self
    }

    pub fn metadata(&self) -> &HashMap<String, String> {
        &self.details.error_info().expect("an ErrorInfo").metadata
    }
}
