//! Recorded histories: what a client sent and was told, one JSON object a line, in the order in which it was told. Comes
//! in: calls with their answers, streams with their responses. Goes out: lines, and what they say when they are read
//! back. Never judges what they say: that is `lead-pipeline verify`.
//!
//! ```json
//! {"call": "ApplyTrigger", "request": {...}, "response": {...}}
//! {"call": "ApplyTrigger", "request": {...}, "error": {"code": "UNAVAILABLE", "reason": "OUTCOME_UNKNOWN", ...}}
//! {"stream": "audit", "request": {"beginning": {}}}
//! {"stream": "audit", "response": {"changes": [...], "coverage": [...], "cursor": "AQg..."}}
//! ```
//!
//! Messages are proto JSON with the proto's names. Each attempt of a call is a line: one that got no answer may have had
//! an effect. A stream has a line for its request, then one a response; if it is taken up again under the same name,
//! the new request is `after_cursor` of the last response.

use crate::contract::{self, Names};
use crate::proto::{
    ApplyTriggerRequest, ApplyTriggerResponse, CreateLeadRequest, CreateLeadResponse, OverrideStageRequest,
    OverrideStageResponse, WatchStageChangesRequest, WatchStageChangesResponse,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// A line of a history.
#[expect(clippy::large_enum_variant, reason = "a line is looked at and dropped: there is no other to be small for")]
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    /// A call and its answer.
    Call(Exchange),
    /// A stream begins, or is taken up again.
    Request { stream: String, request: WatchStageChangesRequest },
    /// A response of a stream.
    Response { stream: String, response: WatchStageChangesResponse },
}

/// A call that writes, and what was answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Exchange {
    CreateLead(CreateLeadRequest, Result<CreateLeadResponse, Failure>),
    ApplyTrigger(ApplyTriggerRequest, Result<ApplyTriggerResponse, Failure>),
    OverrideStage(OverrideStageRequest, Result<OverrideStageResponse, Failure>),
}

/// The error that a call ended with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The gRPC code by its name.
    pub code: String,
    /// The service's reason; empty if the error isn't the service's, as that of a lost connection.
    #[serde(default)]
    pub reason: String,
    #[serde(default)]
    pub message: String,
}

impl From<&Status> for Failure {
    fn from(status: &Status) -> Self {
        let reason = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
        Self { code: code_name(status.code()), reason, message: status.message().to_owned() }
    }
}

/// The name of a code in the contract's spelling: tonic has it only for its own Debug form.
#[must_use]
pub fn code_name(code: Code) -> String {
    let mut name = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

/// A line as it stands in a file.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    call: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    stream: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    request: Option<Cow<'a, RawValue>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    response: Option<Cow<'a, RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<Cow<'a, Failure>>,
}

impl Line {
    /// The line as it stands in a file, with its end.
    #[must_use]
    pub fn json(&self) -> Vec<u8> {
        match self {
            Self::Call(exchange) => call_json(exchange),
            Self::Request { stream, request } => request_json(stream, request),
            Self::Response { stream, response } => response_json(stream, response),
        }
    }

    /// Reads a line.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let envelope: Envelope<'_> = serde_json::from_str(text).map_err(|error| error.to_string())?;
        match envelope {
            Envelope { call: Some(call), stream: None, request: Some(request), response, error } => {
                let answer = match (&response, error) {
                    (Some(response), None) => Ok(response.as_ref()),
                    (None, Some(error)) => Err(error.into_owned()),
                    _ => return Err("a call has a response or an error".into()),
                };
                Parts { call: &call, request: &request }.exchange(answer).map(Self::Call)
            }
            Envelope { call: None, stream: Some(stream), request: Some(request), response: None, error: None } => {
                let request = read("WatchStageChangesRequest", &request)?;
                Ok(Self::Request { stream: stream.into_owned(), request })
            }
            Envelope { call: None, stream: Some(stream), request: None, response: Some(response), error: None } => {
                let response = read("WatchStageChangesResponse", &response)?;
                Ok(Self::Response { stream: stream.into_owned(), response })
            }
            _ => Err("it is neither a call with its answer nor a stream's request or response".into()),
        }
    }
}

fn call_json(exchange: &Exchange) -> Vec<u8> {
    match exchange {
        Exchange::CreateLead(request, answer) => exchange_json("CreateLead", request, answer),
        Exchange::ApplyTrigger(request, answer) => exchange_json("ApplyTrigger", request, answer),
        Exchange::OverrideStage(request, answer) => exchange_json("OverrideStage", request, answer),
    }
}

fn exchange_json(call: &str, request: &impl prost::Message, answer: &Result<impl prost::Message, Failure>) -> Vec<u8> {
    line(&Envelope {
        call: Some(call.into()),
        request: Some(Cow::Owned(raw(&format!("{call}Request"), request))),
        response: answer.as_ref().ok().map(|answer| Cow::Owned(raw(&format!("{call}Response"), answer))),
        error: answer.as_ref().err().map(Cow::Borrowed),
        ..Envelope::default()
    })
}

fn request_json(stream: &str, request: &WatchStageChangesRequest) -> Vec<u8> {
    let request = Cow::Owned(raw("WatchStageChangesRequest", request));
    line(&Envelope { stream: Some(stream.into()), request: Some(request), ..Envelope::default() })
}

fn response_json(stream: &str, response: &WatchStageChangesResponse) -> Vec<u8> {
    let response = Cow::Owned(raw("WatchStageChangesResponse", response));
    line(&Envelope { stream: Some(stream.into()), response: Some(response), ..Envelope::default() })
}

fn raw(name: &str, message: &impl prost::Message) -> Box<RawValue> {
    contract::json(&contract::message(name), message, Names::Proto)
}

fn read<T: prost::Message + Default>(name: &str, raw: &RawValue) -> Result<T, String> {
    contract::read(&contract::message(name), raw.get()).map_err(|error| format!("{name}: {error}"))
}

/// A call whose messages are still JSON.
struct Parts<'a> {
    call: &'a str,
    request: &'a RawValue,
}

impl Parts<'_> {
    fn exchange(&self, answer: Result<&RawValue, Failure>) -> Result<Exchange, String> {
        Ok(match self.call {
            "CreateLead" => Exchange::CreateLead(self.request()?, self.answer(answer)?),
            "ApplyTrigger" => Exchange::ApplyTrigger(self.request()?, self.answer(answer)?),
            "OverrideStage" => Exchange::OverrideStage(self.request()?, self.answer(answer)?),
            other => return Err(format!("call is {other:?}: it must be CreateLead, ApplyTrigger or OverrideStage")),
        })
    }

    fn request<T: prost::Message + Default>(&self) -> Result<T, String> {
        read(&format!("{}Request", self.call), self.request)
    }

    fn answer<T: prost::Message + Default>(
        &self,
        answer: Result<&RawValue, Failure>,
    ) -> Result<Result<T, Failure>, String> {
        let name = format!("{}Response", self.call);
        answer.map_or_else(|failure| Ok(Err(failure)), |raw| read(&name, raw).map(Ok))
    }
}

fn line(envelope: &Envelope<'_>) -> Vec<u8> {
    let mut json = serde_json::to_vec(envelope).expect("texts and messages have a JSON form");
    json.push(b'\n');
    json
}

/// Writes a history. One process a file; within it, any number of tasks.
pub struct Recorder {
    file: Mutex<File>,
}

impl Recorder {
    /// Goes on with a history, or begins it. A line that an earlier writer was killed in the middle of is cut off: it was
    /// never whole, so nothing was built on it.
    ///
    /// # Errors
    /// If the file can't be opened for reading and writing.
    pub fn append(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
        if file.metadata()?.is_file() {
            let end = end_of_whole_lines(&mut file)?;
            file.set_len(end)?;
        }
        Ok(Self { file: Mutex::new(file) })
    }

    /// Adds a call and its answer.
    ///
    /// # Errors
    /// If it can't be written: the history isn't whole then.
    pub fn call(&self, exchange: &Exchange) -> io::Result<()> {
        self.write(&call_json(exchange))
    }

    /// Adds the request of a stream: when it begins, and when it is taken up again.
    ///
    /// # Errors
    /// If it can't be written: the history isn't whole then.
    pub fn request(&self, stream: &str, request: &WatchStageChangesRequest) -> io::Result<()> {
        self.write(&request_json(stream, request))
    }

    /// Adds a response of a stream.
    ///
    /// # Errors
    /// If it can't be written: the history isn't whole then.
    pub fn response(&self, stream: &str, response: &WatchStageChangesResponse) -> io::Result<()> {
        self.write(&response_json(stream, response))
    }

    /// In one write, so that the line is in the system's hands whole.
    fn write(&self, line: &[u8]) -> io::Result<()> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner).write_all(line)
    }
}

/// Where the last whole line ends: looked for from the end of the file.
fn end_of_whole_lines(file: &mut File) -> io::Result<u64> {
    const STEP: u64 = 64 * 1024;
    let mut end = file.seek(SeekFrom::End(0))?;
    while end > 0 {
        let start = end.saturating_sub(STEP);
        file.seek(SeekFrom::Start(start))?;
        let mut piece = vec![0; (end - start) as usize];
        file.read_exact(&mut piece)?;
        if let Some(last) = piece.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + last as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{Coverage, Stage, StageChange, StartBeginning, watch_stage_changes_request::Start};
    use std::fs;

    fn lines() -> Vec<Line> {
        let change =
            StageChange { lead_id: "a".into(), position: 7, to_stage: Stage::New.into(), ..Default::default() };
        let created = CreateLeadResponse { changes: vec![change.clone()], ..Default::default() };
        let lost = Failure { code: "UNAVAILABLE".into(), reason: "OUTCOME_UNKNOWN".into(), message: "\"?\"".into() };
        let request =
            WatchStageChangesRequest { start: Some(Start::Beginning(StartBeginning {})), ..Default::default() };
        let coverage = vec![Coverage { partition: 3, after: 6, through: 7 }];
        let response = WatchStageChangesResponse { changes: vec![change], coverage, ..Default::default() };
        vec![
            Line::Call(Exchange::CreateLead(
                CreateLeadRequest { lead_id: "a".into(), ..Default::default() },
                Ok(created),
            )),
            Line::Call(Exchange::OverrideStage(OverrideStageRequest::default(), Err(lost))),
            Line::Request { stream: "s".into(), request },
            Line::Response { stream: "s".into(), response },
        ]
    }

    #[test]
    fn lines_come_back_as_they_were() {
        for line in lines() {
            let json = String::from_utf8(line.json()).expect("JSON is UTF-8");
            assert_eq!(json.matches('\n').count(), 1, "{json}");
            assert_eq!(Line::parse(json.trim_end()), Ok(line), "{json}");
        }
    }

    #[test]
    fn lines_have_the_names_of_the_contract() {
        let json: Vec<String> =
            lines().iter().map(|line| String::from_utf8(line.json()).expect("JSON is UTF-8")).collect();
        let change = r#"{"lead_id":"a","position":"7","to_stage":"STAGE_NEW"}"#;
        let created = r#"{"call":"CreateLead","request":{"lead_id":"a"},"response":{"changes":["#;
        assert_eq!(json[0], format!("{created}{change}]}}}}\n"));
        let error = r#""error":{"code":"UNAVAILABLE","reason":"OUTCOME_UNKNOWN","message":"\"?\""}}"#;
        assert_eq!(json[1], format!("{{\"call\":\"OverrideStage\",\"request\":{{}},{error}\n"));
        assert_eq!(json[2], "{\"stream\":\"s\",\"request\":{\"beginning\":{}}}\n");
    }

    #[test]
    fn what_is_no_line_is_refused_in_words() {
        for (text, said) in [
            ("", "EOF"),
            ("{}", "neither a call"),
            (r#"{"call":"GetLead","request":{},"response":{}}"#, "must be CreateLead"),
            (r#"{"call":"CreateLead","request":{}}"#, "a response or an error"),
            (r#"{"call":"CreateLead","request":{"x":1},"response":{}}"#, "CreateLeadRequest"),
            (r#"{"stream":"s"}"#, "neither a call"),
        ] {
            let error = Line::parse(text).expect_err("it is no line");
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn a_line_that_was_cut_off_is_removed_before_the_history_goes_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("history");
        let request = WatchStageChangesRequest::default();
        Recorder::append(&path).and_then(|recorder| recorder.request("s", &request)).expect("recorded");
        let whole = fs::read(&path).expect("a file");
        fs::write(&path, [whole.as_slice(), &vec![b'x'; 200_000]].concat()).expect("a cut line");
        Recorder::append(&path).and_then(|recorder| recorder.request("s", &request)).expect("recorded");
        assert_eq!(fs::read(&path).expect("a file"), [whole.as_slice(), &whole].concat());
    }

    #[test]
    fn codes_have_the_names_of_the_contract() {
        let names = [
            (Code::FailedPrecondition, "FAILED_PRECONDITION"),
            (Code::Internal, "INTERNAL"),
            (Code::Cancelled, "CANCELLED"),
            (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"),
        ];
        for (code, name) in names {
            assert_eq!(code_name(code), name);
        }
    }
}
