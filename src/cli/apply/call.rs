//! A line of the file becomes a typed call here, or a fault that says what is wrong with it.

use crate::contract::{self, message};
use crate::proto::{ApplyTriggerRequest, CreateLeadRequest, OverrideStageRequest};
use prost_reflect::MessageDescriptor;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::error::Category;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::sync::Arc;
use uuid::Uuid;

/// A call that can be sent. Its `request_id` is always set.
#[derive(Clone, Debug, PartialEq)]
pub enum Call {
    CreateLead(CreateLeadRequest),
    ApplyTrigger(ApplyTriggerRequest),
    OverrideStage(OverrideStageRequest),
}

/// What is wrong with a line, found before anything is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// For programs.
    pub reason: &'static str,
    /// For people.
    pub message: String,
}

impl Fault {
    pub fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}

/// A line as it stands in the file. `line` and `error` stand in a file of rejected lines, which can be applied again.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with call and request")]
pub struct Envelope<'a> {
    #[serde(borrow)]
    pub call: Cow<'a, str>,
    #[serde(borrow)]
    pub request: &'a RawValue,
    #[serde(default, rename = "line")]
    _line: IgnoredAny,
    #[serde(default, rename = "error")]
    _error: IgnoredAny,
}

/// Reads the outer object of a line.
///
/// # Errors
/// Why it can't be read.
pub fn envelope(text: &str) -> Result<Envelope<'_>, Fault> {
    let read = serde_json::from_str::<Envelope<'_>>(text).map_err(|error| {
        let reason = match error.classify() {
            Category::Data => "NOT_A_CALL",
            Category::Io | Category::Syntax | Category::Eof => "NOT_JSON",
        };
        Fault::new(reason, said(&error, 0))
    })?;
    // The reader would take an array for an object without names.
    if text.trim_start().starts_with('{') {
        return Ok(read);
    }
    Err(Fault::new("NOT_A_CALL", "must be a JSON object"))
}

/// A line that was read: the lead that it belongs to, and its call or what is wrong with it.
pub struct Parsed {
    /// Calls of one lead are sent in order. Empty where a fault hides the lead.
    pub lead: Arc<str>,
    pub call: Result<Call, Fault>,
    /// Whether the `request_id` is in the file, or was made here.
    pub made_id: bool,
}

impl Parsed {
    /// A line without a lead.
    pub fn fault(fault: Fault) -> Self {
        Self { lead: Arc::default(), call: Err(fault), made_id: false }
    }
}

/// Reads lines by the contract's own descriptors, so that it can't fall behind the contract.
pub struct Parser {
    create_lead: MessageDescriptor,
    apply_trigger: MessageDescriptor,
    override_stage: MessageDescriptor,
}

impl Parser {
    pub fn new() -> Self {
        Self {
            create_lead: message("CreateLeadRequest"),
            apply_trigger: message("ApplyTriggerRequest"),
            override_stage: message("OverrideStageRequest"),
        }
    }

    /// Reads a line.
    pub fn parse(&self, text: &str) -> Parsed {
        let envelope = match envelope(text) {
            Ok(envelope) => envelope,
            Err(fault) => return Parsed::fault(fault),
        };
        match self.call(text, &envelope) {
            Ok(mut call) => {
                let made_id = call.ensure_request_id();
                Parsed { lead: call.lead(), call: Ok(call), made_id }
            }
            Err(fault) => Parsed { lead: named_lead(envelope.request), call: Err(fault), made_id: false },
        }
    }

    fn call(&self, line: &str, envelope: &Envelope<'_>) -> Result<Call, Fault> {
        Ok(match envelope.call.as_ref() {
            "CreateLead" => Call::CreateLead(request(&self.create_lead, line, envelope.request)?),
            "ApplyTrigger" => Call::ApplyTrigger(request(&self.apply_trigger, line, envelope.request)?),
            "OverrideStage" => Call::OverrideStage(request(&self.override_stage, line, envelope.request)?),
            other => {
                let other: String = other.chars().take(64).collect();
                let message = format!("call is {other:?}: it must be CreateLead, ApplyTrigger or OverrideStage");
                return Err(Fault::new("UNKNOWN_CALL", message));
            }
        })
    }
}

fn request<T: prost::Message + Default>(
    descriptor: &MessageDescriptor,
    line: &str,
    raw: &RawValue,
) -> Result<T, Fault> {
    let before = raw.get().as_ptr().addr() - line.as_ptr().addr();
    let fault = |error: &serde_json::Error| {
        Fault::new("REQUEST_UNREADABLE", format!("{}: {}", descriptor.name(), said(error, before)))
    };
    contract::read(descriptor, raw.get()).map_err(|error| fault(&error))
}

impl Call {
    pub fn request_id(&self) -> &str {
        match self {
            Self::CreateLead(request) => &request.request_id,
            Self::ApplyTrigger(request) => &request.request_id,
            Self::OverrideStage(request) => &request.request_id,
        }
    }

    /// Whether the server is asked only what the call would do.
    pub const fn validate_only(&self) -> bool {
        match self {
            Self::CreateLead(_) => false,
            Self::ApplyTrigger(request) => request.validate_only,
            Self::OverrideStage(request) => request.validate_only,
        }
    }

    /// Gives the call a `request_id` if it has none: before the first attempt, so that each retry is the same request.
    fn ensure_request_id(&mut self) -> bool {
        let request_id = match self {
            Self::CreateLead(request) => &mut request.request_id,
            Self::ApplyTrigger(request) => &mut request.request_id,
            Self::OverrideStage(request) => &mut request.request_id,
        };
        let made = request_id.is_empty();
        if made {
            *request_id = new_request_id();
        }
        made
    }

    /// The lead's id, also of a lead that is created without one: then it is the `request_id` in lower case.
    fn lead(&self) -> Arc<str> {
        match self {
            Self::CreateLead(request) if request.lead_id.is_empty() => request.request_id.to_ascii_lowercase().into(),
            Self::CreateLead(request) => request.lead_id.as_str().into(),
            Self::ApplyTrigger(request) => request.lead_id.as_str().into(),
            Self::OverrideStage(request) => request.lead_id.as_str().into(),
        }
    }
}

/// The lead of a request that can't be read as a whole: its fault takes its turn among the lead's calls, so that the
/// rejected lines of a lead stand in order.
fn named_lead(request: &RawValue) -> Arc<str> {
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(borrow, alias = "leadId")]
        lead_id: Cow<'a, str>,
    }
    serde_json::from_str::<Named<'_>>(request.get()).map(|named| Arc::from(named.lead_id)).unwrap_or_default()
}

#[expect(clippy::disallowed_methods, reason = "a client makes its own ids: nothing is decided by them")]
fn new_request_id() -> String {
    Uuid::now_v7().to_string()
}

/// An error's text with the column in the line of the file; the line that the JSON reader counts is always 1.
fn said(error: &serde_json::Error, before: usize) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((what, _)) if error.column() > 0 => format!("{what} at column {}", before + error.column()),
        Some((what, _)) => what.to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests;
