//! The calls that change leads: each becomes a command, and its answer a message.

use super::check::Invalid;
use super::observe::{Arrived, Note};
use super::service::{Calls, Service};
use super::{parse, render, status};
use crate::domain::{LeadId, RequestId};
use crate::proto;
use crate::proto::batch_create_leads_result::Result as BatchResult;
use crate::writer::{Answer, Command, CommandError, Submitted};
use futures::future::join_all;
use std::time::Duration;
use tokio::time::Instant;
use tonic::{Request, Status};

/// What a call says beside its message.
#[derive(Clone)]
pub struct Call {
    pub arrived: Instant,
    /// The caller's own deadline, counted from the arrival.
    pub timeout: Option<Duration>,
    pub note: Note,
}

impl Call {
    pub fn of<T>(request: &Request<T>) -> Self {
        let header = request.metadata().get("grpc-timeout").and_then(|value| value.to_str().ok());
        Self {
            // As the transport counts, whose own timer would end the call without a reason.
            arrived: request.extensions().get().map_or_else(Instant::now, |Arrived(at)| Instant::from_std(*at)),
            timeout: header.and_then(timeout),
            note: Note::of(request),
        }
    }
}

pub async fn create_lead(
    service: &Service,
    request: Request<proto::CreateLeadRequest>,
) -> Result<proto::CreateLeadResponse, Status> {
    let call = Call::of(&request);
    create(service, request.into_inner(), &call).await
}

async fn create(
    service: &Service,
    request: proto::CreateLeadRequest,
    call: &Call,
) -> Result<proto::CreateLeadResponse, Status> {
    let made = service.made_id();
    let sent = sent_id(&request.request_id, made);
    call.note.about(&request.lead_id, &sent);
    let command = parse::create(request, made).map_err(|wrong: Invalid| status::invalid(wrong, Some(&sent)))?;
    let (answer, request_id) = submit(service, command, call).await?;
    Ok(proto::CreateLeadResponse {
        lead: Some(render::lead(&answer.lead)),
        changes: render::changes(&answer),
        replayed: answer.replayed,
        request_id,
    })
}

pub async fn batch_create_leads(
    service: &Service,
    request: Request<proto::BatchCreateLeadsRequest>,
) -> Result<proto::BatchCreateLeadsResponse, Status> {
    let call = Call::of(&request);
    let requests = parse::batch(request.into_inner().requests, service.batch_leads())
        .map_err(|wrong| status::invalid(wrong, None))?;
    service.calls(None)?;
    call.note.outcome("batch");
    // The call's own note is about the batch, not about one of its leads.
    let each = Call { note: Note::default(), ..call };
    let creations = requests.into_iter().map(async |request| {
        let result = match create(service, request, &each).await {
            Ok(response) => BatchResult::Response(response),
            Err(status) => BatchResult::Error(as_message(&status)),
        };
        proto::BatchCreateLeadsResult { result: Some(result) }
    });
    Ok(proto::BatchCreateLeadsResponse { results: join_all(creations).await })
}

/// A status as the message that stands for it inside a response.
pub fn as_message(status: &Status) -> tonic_types::pb::Status {
    prost::Message::decode(status.details()).unwrap_or_else(|_| tonic_types::pb::Status {
        code: status.code().into(),
        message: status.message().to_owned(),
        details: Vec::new(),
    })
}

pub async fn apply_trigger(
    service: &Service,
    request: Request<proto::ApplyTriggerRequest>,
) -> Result<proto::ApplyTriggerResponse, Status> {
    let call = Call::of(&request);
    let command = trigger(service, request.into_inner(), &call)?;
    submit(service, command, &call).await.map(applied)
}

/// The command that a trigger is.
pub fn trigger(service: &Service, request: proto::ApplyTriggerRequest, call: &Call) -> Result<Command, Status> {
    let made = service.made_id();
    let sent = sent_id(&request.request_id, made);
    call.note.about(&request.lead_id, &sent);
    parse::apply_trigger(request, made, service.now()).map_err(|wrong| status::invalid(wrong, Some(&sent)))
}

/// What a trigger did.
pub fn applied((answer, request_id): (Answer, String)) -> proto::ApplyTriggerResponse {
    proto::ApplyTriggerResponse {
        outcome: render::outcome(answer.moved).into(),
        lead: Some(render::lead(&answer.lead)),
        changes: render::changes(&answer),
        replayed: answer.replayed,
        request_id,
    }
}

pub async fn override_stage(
    service: &Service,
    request: Request<proto::OverrideStageRequest>,
) -> Result<proto::OverrideStageResponse, Status> {
    let call = Call::of(&request);
    let request = request.into_inner();
    let made = service.made_id();
    let sent = sent_id(&request.request_id, made);
    call.note.about(&request.lead_id, &sent);
    let command =
        parse::override_stage(request, made, service.now()).map_err(|wrong| status::invalid(wrong, Some(&sent)))?;
    let (answer, request_id) = submit(service, command, &call).await?;
    Ok(proto::OverrideStageResponse {
        outcome: render::outcome(answer.moved).into(),
        lead: Some(render::lead(&answer.lead)),
        changes: render::changes(&answer),
        replayed: answer.replayed,
        request_id,
    })
}

/// The id that an error about a request is to carry: what was sent, or what the server made.
pub fn sent_id(sent: &str, made: RequestId) -> String {
    if sent.is_empty() {
        return made.to_string();
    }
    match RequestId::parse(sent) {
        Ok(request_id) => request_id.to_string(),
        // Whatever was sent, but not a megabyte of it, and nothing that grows on the way.
        Err(_) => sent.chars().filter(char::is_ascii).take(64).collect(),
    }
}

async fn submit(service: &Service, command: Command, call: &Call) -> Result<(Answer, String), Status> {
    let (calls, pass) = Pass::of(service, &command, call)?;
    let submitted = calls.writers.submit(command, pass.deadline);
    pass.answer(submitted).await
}

/// What is kept of a command while the writer has it.
pub struct Pass {
    lead_id: LeadId,
    request_id: String,
    pub deadline: Instant,
    /// The caller's own deadline comes before the server's patience ends.
    hurried: bool,
    note: Note,
}

impl Pass {
    pub fn of<'a>(service: &'a Service, command: &Command, call: &Call) -> Result<(&'a Calls, Self), Status> {
        let (lead_id, request_id) = (command.lead_id.clone(), command.request_id.to_string());
        call.note.about(lead_id.as_str(), &request_id);
        let calls = service.calls(Some(&request_id))?;
        let patience = calls.settings.write_patience;
        let wait = call.timeout.map_or(patience, |timeout| timeout.min(patience));
        let (deadline, hurried) = (call.arrived + wait, wait < patience);
        Ok((calls, Self { lead_id, request_id, deadline, hurried, note: call.note.clone() }))
    }

    /// The answer to a command that was submitted, or not.
    pub async fn answer(self, submitted: Result<Submitted, CommandError>) -> Result<(Answer, String), Status> {
        let answer = match submitted {
            Ok(submitted) => submitted.answer().await,
            Err(error) => Err(error),
        };
        match answer {
            Ok(answer) => {
                self.note.outcome(match (answer.replayed, answer.moved) {
                    (true, _) => "replayed",
                    (false, true) => "moved",
                    (false, false) => "no change",
                });
                Ok((answer, self.request_id))
            }
            Err(CommandError::Unavailable) if self.hurried => {
                Err(status::command(CommandError::DeadlineExceeded, &self.lead_id, &self.request_id))
            }
            Err(error) => Err(status::command(error, &self.lead_id, &self.request_id)),
        }
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
