//! The calls that change leads: each becomes a command, and its answer a message.

use super::check::Invalid;
use super::observe::Note;
use super::service::Calls;
use super::{parse, render, status};
use crate::proto;
use crate::proto::batch_create_leads_result::Result as BatchResult;
use crate::writer::{Answer, Command, CommandError};
use futures::future::join_all;
use std::time::Duration;
use tokio::time::Instant;
use tonic::metadata::MetadataMap;
use tonic::{Request, Status};

/// How long before the caller's deadline a write is given up.
const EARLY: Duration = Duration::from_millis(2);

/// When a write must have its answer, and what to say if it hasn't.
#[derive(Clone, Copy)]
struct Deadline {
    at: Instant,
    /// The deadline is the caller's own, not the server's.
    callers: bool,
}

pub async fn create_lead(
    calls: &Calls,
    request: Request<proto::CreateLeadRequest>,
) -> Result<proto::CreateLeadResponse, Status> {
    let (deadline, note) = (deadline(calls, request.metadata()), Note::of(&request));
    let request = request.into_inner();
    create(calls, request, deadline, &note).await
}

async fn create(
    calls: &Calls,
    request: proto::CreateLeadRequest,
    deadline: Deadline,
    note: &Note,
) -> Result<proto::CreateLeadResponse, Status> {
    let made = calls.made_id();
    let sent = sent_id(&request.request_id, made);
    note.lead(&request.lead_id);
    note.request(&sent);
    let command = parse::create(request, made).map_err(|wrong: Invalid| status::invalid(wrong, Some(&sent)))?;
    let (answer, request_id) = submit(calls, command, deadline, note).await?;
    Ok(proto::CreateLeadResponse {
        lead: Some(render::lead(&answer.lead)),
        changes: render::changes(&answer),
        replayed: answer.replayed,
        request_id,
    })
}

pub async fn batch_create_leads(
    calls: &Calls,
    request: Request<proto::BatchCreateLeadsRequest>,
) -> Result<proto::BatchCreateLeadsResponse, Status> {
    let deadline = deadline(calls, request.metadata());
    let requests = parse::batch(request.into_inner().requests, calls.settings.batch_leads)
        .map_err(|wrong| status::invalid(wrong, None))?;
    let creations = requests.into_iter().map(|request| async move {
        let result = match create(calls, request, deadline, &Note::default()).await {
            Ok(response) => BatchResult::Response(response),
            Err(status) => BatchResult::Error(as_message(&status)),
        };
        proto::BatchCreateLeadsResult { result: Some(result) }
    });
    Ok(proto::BatchCreateLeadsResponse { results: join_all(creations).await })
}

/// A status as the message that stands for it inside a response.
fn as_message(status: &Status) -> tonic_types::pb::Status {
    prost::Message::decode(status.details()).unwrap_or_else(|_| tonic_types::pb::Status {
        code: status.code().into(),
        message: status.message().to_owned(),
        details: Vec::new(),
    })
}

pub async fn apply_trigger(
    calls: &Calls,
    request: Request<proto::ApplyTriggerRequest>,
) -> Result<proto::ApplyTriggerResponse, Status> {
    let (deadline, note) = (deadline(calls, request.metadata()), Note::of(&request));
    let request = request.into_inner();
    let made = calls.made_id();
    let sent = sent_id(&request.request_id, made);
    note.lead(&request.lead_id);
    note.request(&sent);
    let command = parse::apply_trigger(request, made, calls.store.clock().now())
        .map_err(|wrong| status::invalid(wrong, Some(&sent)))?;
    let (answer, request_id) = submit(calls, command, deadline, &note).await?;
    Ok(proto::ApplyTriggerResponse {
        outcome: render::outcome(answer.moved()).into(),
        lead: Some(render::lead(&answer.lead)),
        changes: render::changes(&answer),
        replayed: answer.replayed,
        request_id,
    })
}

pub async fn override_stage(
    calls: &Calls,
    request: Request<proto::OverrideStageRequest>,
) -> Result<proto::OverrideStageResponse, Status> {
    let (deadline, note) = (deadline(calls, request.metadata()), Note::of(&request));
    let request = request.into_inner();
    let made = calls.made_id();
    let sent = sent_id(&request.request_id, made);
    note.lead(&request.lead_id);
    note.request(&sent);
    let command = parse::override_stage(request, made, calls.store.clock().now())
        .map_err(|wrong| status::invalid(wrong, Some(&sent)))?;
    let (answer, request_id) = submit(calls, command, deadline, &note).await?;
    Ok(proto::OverrideStageResponse {
        outcome: render::outcome(answer.moved()).into(),
        lead: Some(render::lead(&answer.lead)),
        changes: render::changes(&answer),
        replayed: answer.replayed,
        request_id,
    })
}

/// The id that an error about a request is to carry: what was sent, or what the server made.
fn sent_id(sent: &str, made: crate::domain::RequestId) -> String {
    if sent.is_empty() {
        return made.to_string();
    }
    match crate::domain::RequestId::parse(sent) {
        Ok(request_id) => request_id.to_string(),
        // Whatever was sent, but not a megabyte of it.
        Err(_) => sent.chars().take(64).collect(),
    }
}

async fn submit(calls: &Calls, command: Command, deadline: Deadline, note: &Note) -> Result<(Answer, String), Status> {
    let (lead_id, request_id) = (command.lead_id.clone(), command.request_id.to_string());
    match calls.writers.submit(command, deadline.at).await {
        Ok(answer) => {
            note.outcome(match (answer.replayed, answer.moved()) {
                (true, _) => "replayed",
                (false, true) => "moved",
                (false, false) => "no change",
            });
            Ok((answer, request_id))
        }
        Err(CommandError::Unavailable) if deadline.callers => {
            Err(status::command(CommandError::DeadlineExceeded, &lead_id, &request_id))
        }
        Err(error) => Err(status::command(error, &lead_id, &request_id)),
    }
}

/// The caller's deadline, if it comes before the server's own patience ends.
fn deadline(calls: &Calls, metadata: &MetadataMap) -> Deadline {
    let patience = calls.settings.write_patience;
    let asked = metadata.get("grpc-timeout").and_then(|value| value.to_str().ok()).and_then(timeout);
    match asked.filter(|asked| *asked < patience) {
        // A little early, so that our own word reaches the caller, and not the transport's "cancelled".
        Some(asked) => Deadline { at: Instant::now() + asked.saturating_sub(EARLY), callers: true },
        None => Deadline { at: Instant::now() + patience, callers: false },
    }
}

/// A `grpc-timeout` header: up to eight digits and a unit.
fn timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u64 = digits.parse().ok().filter(|_| digits.len() <= 8)?;
    match unit {
        "H" => Some(Duration::from_secs(number * 3600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}
