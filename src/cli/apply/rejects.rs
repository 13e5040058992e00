//! The file of rejected lines: each with what was wrong, in a form that can be corrected and applied again.

use super::call::{Fault, envelope};
use crate::cli::retry::cause;
use crate::record::code_name;
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use tonic::Status;
use tonic_types::StatusExt as _;

/// Characters of a line that is shown because it can't be read as a call.
const SHOWN_CHARACTERS: usize = 1000;

/// What was wrong with a line.
#[derive(Debug, PartialEq, Serialize)]
pub struct Problem {
    /// The gRPC code by its name.
    code: Cow<'static, str>,
    /// The service's reason, or one of this program's own for a line that wasn't sent.
    reason: String,
    message: String,
    /// What the service says beside it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<String, String>,
}

impl From<&Fault> for Problem {
    fn from(fault: &Fault) -> Self {
        Self {
            code: "INVALID_ARGUMENT".into(),
            reason: fault.reason.into(),
            message: fault.message.clone(),
            metadata: BTreeMap::new(),
        }
    }
}

impl From<&Status> for Problem {
    fn from(status: &Status) -> Self {
        let (reason, metadata) = match status.get_details_error_info() {
            Some(info) => (info.reason, info.metadata),
            None => (String::new(), HashMap::new()),
        };
        Self {
            code: code_name(status.code()).into(),
            reason,
            message: cause(status),
            metadata: metadata.into_iter().collect(),
        }
    }
}

impl Problem {
    /// Of a call whose time was up: what stands in the status was only the last attempt's.
    pub fn unanswered(status: &Status) -> Self {
        let last = Self::from(status);
        let message = format!("no answer in time, so it may be applied or not; the last attempt: {}", last.message);
        Self { message, ..last }
    }
}

/// A rejected line.
pub struct Rejected<'a> {
    pub line: u64,
    pub text: &'a str,
    /// Whether `text` is the line itself: only then it may be applied again as it is.
    pub exact: bool,
    /// The `request_id` that was sent, if the line has none of its own.
    pub made_id: Option<&'a str>,
    pub problem: Problem,
}

impl Rejected<'_> {
    /// The line for the file, with its end.
    fn json(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Readable<'a> {
            line: u64,
            call: &'a str,
            request: &'a RawValue,
            error: &'a Problem,
        }
        #[derive(Serialize)]
        struct Unreadable<'a> {
            line: u64,
            text: String,
            error: &'a Problem,
        }
        let (line, error) = (self.line, &self.problem);
        let call = self.exact.then(|| envelope(self.text)).and_then(Result::ok);
        let written = if let Some(envelope) = call {
            let with_id = self.made_id.and_then(|id| with_request_id(envelope.request, id));
            let request = with_id.as_deref().unwrap_or(envelope.request);
            serde_json::to_vec(&Readable { line, call: &envelope.call, request, error })
        } else {
            let text = self.text.chars().take(SHOWN_CHARACTERS).collect();
            serde_json::to_vec(&Unreadable { line, text, error })
        };
        let mut written = written.expect("texts and numbers have a JSON form");
        written.push(b'\n');
        written
    }
}

/// The request with the id that it was sent under: its outcome may be unknown, and applied again under another id it
/// could have a second effect.
fn with_request_id(request: &RawValue, id: &str) -> Option<Box<RawValue>> {
    let mut fields: serde_json::Map<String, serde_json::Value> = serde_json::from_str(request.get()).ok()?;
    fields.remove("requestId");
    fields.insert("request_id".into(), id.into());
    serde_json::value::to_raw_value(&fields).ok()
}

/// Where rejected lines go. The file comes to be with the first of them.
pub struct RejectFile {
    path: PathBuf,
    file: Mutex<Option<File>>,
}

impl RejectFile {
    /// Removes what an earlier run left, so that the file is there only if this run rejected something.
    ///
    /// # Errors
    /// If it is the input itself, or could not be written; nothing was removed then.
    pub fn prepare(path: PathBuf, input: &fs::Metadata) -> Result<Self, String> {
        let shown = path.display();
        match fs::metadata(&path) {
            Ok(old) if old.is_dir() => return Err(format!("--rejects {shown} is a directory")),
            Ok(old) if (old.dev(), old.ino()) == (input.dev(), input.ino()) && old.is_file() => {
                return Err(format!("the rejected lines would replace the input {shown}: give --rejects another file"));
            }
            // A device or a pipe is written to, and stays.
            Ok(old) if old.is_file() => {
                fs::remove_file(&path).map_err(|error| format!("can't replace --rejects {shown}: {error}"))?;
            }
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
                if !folder.is_dir() {
                    return Err(format!("--rejects {shown}: there is no folder {}", folder.display()));
                }
            }
            Err(error) => return Err(format!("--rejects {shown}: {error}")),
        }
        Ok(Self { path, file: Mutex::default() })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a line. It is in the system's hands at once: the file is whole whenever the program ends.
    pub fn add(&self, rejected: &Rejected<'_>) -> io::Result<()> {
        let json = rejected.json();
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if file.is_none() {
            *file = Some(OpenOptions::new().create(true).append(true).open(&self.path)?);
        }
        file.as_mut().map_or(Ok(()), |file| file.write_all(&json))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::Code;
    use tonic_types::ErrorDetails;

    fn refused() -> Status {
        let metadata = HashMap::from([("stage".to_owned(), "STAGE_WON".to_owned())]);
        let details = ErrorDetails::with_error_info("TRIGGER_NOT_ALLOWED", "leadpipeline", metadata);
        Status::with_error_details(Code::FailedPrecondition, "no", details)
    }

    fn json(text: &str, made_id: Option<&str>, problem: Problem) -> String {
        let rejected = Rejected { line: 17, text, exact: true, made_id, problem };
        String::from_utf8(rejected.json()).expect("JSON is UTF-8")
    }

    #[test]
    fn a_refused_call_is_kept_as_it_stood() {
        let text = r#"{"request": {"leadId": "a",  "trigger": {"won": 1.0}}, "call": "ApplyTrigger"}"#;
        let error = r#"{"code":"FAILED_PRECONDITION","reason":"TRIGGER_NOT_ALLOWED","message":"no","metadata":{"stage":"STAGE_WON"}}"#;
        let expected = format!(
            "{{\"line\":17,\"call\":\"ApplyTrigger\",\"request\":{{\"leadId\": \"a\",  \"trigger\": {{\"won\": 1.0}}}},\"error\":{error}}}\n"
        );
        assert_eq!(json(text, None, Problem::from(&refused())), expected);
    }

    #[test]
    fn an_id_that_was_made_is_kept_too() {
        let text = r#"{"call":"CreateLead","request":{"lead_id":"a","requestId":""}}"#;
        let written = json(text, Some("made"), Problem::from(&refused()));
        assert!(written.contains(r#""request":{"lead_id":"a","request_id":"made"}"#), "{written}");
    }

    #[test]
    fn a_line_that_is_no_call_is_shown_cut() {
        let fault = Fault::new("NOT_JSON", "expected value at column 1");
        let written = json(&"é".repeat(5000), None, Problem::from(&fault));
        let read: serde_json::Value = serde_json::from_str(&written).expect("JSON");
        assert_eq!(read["text"], "é".repeat(SHOWN_CHARACTERS));
        assert_eq!(read["error"]["code"], "INVALID_ARGUMENT");
        assert_eq!(read["error"]["reason"], "NOT_JSON");
        assert!(read["error"].get("metadata").is_none());
    }

    #[test]
    fn a_piece_of_a_line_is_never_given_back_as_a_call() {
        let text = r#"{"call":"CreateLead","request":{}}"#;
        let problem = Problem::from(&Fault::new("NOT_UTF8", ""));
        let rejected = Rejected { line: 1, text, exact: false, made_id: None, problem };
        assert!(String::from_utf8_lossy(&rejected.json()).starts_with(r#"{"line":1,"text":"{\"call\""#));
    }

    #[test]
    fn the_file_comes_to_be_with_the_first_line_and_an_old_one_goes() {
        let folder = tempfile::tempdir().expect("a folder");
        let (input, path) = (folder.path().join("calls"), folder.path().join("rejects"));
        fs::write(&input, "").and_then(|()| fs::write(&path, "stale")).expect("files");
        let metadata = fs::metadata(&input).expect("the input");
        let file = RejectFile::prepare(path.clone(), &metadata).expect("it can be written");
        assert!(!path.exists());
        let problem = || Problem::from(&Fault::new("X", ""));
        for line in [1, 2] {
            file.add(&Rejected { line, text: "x", exact: true, made_id: None, problem: problem() }).expect("written");
        }
        assert_eq!(fs::read_to_string(&path).expect("the file").lines().count(), 2);
    }

    #[test]
    fn what_must_not_be_replaced_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let input = folder.path().join("calls");
        fs::write(&input, "keep").expect("a file");
        let metadata = fs::metadata(&input).expect("the input");
        let refused = |path: PathBuf| RejectFile::prepare(path, &metadata).err().expect("refused");
        assert!(refused(input.clone()).contains("would replace the input"));
        assert!(refused(folder.path().into()).contains("is a directory"));
        assert!(refused(folder.path().join("none/x")).contains("there is no folder"));
        assert_eq!(fs::read_to_string(&input).expect("the file"), "keep");
        RejectFile::prepare("/dev/null".into(), &metadata).expect("a device is no file to replace");
        assert!(Path::new("/dev/null").exists());
    }
}
