//! Errors become gRPC statuses here, and nowhere else: one code, one reason, and texts that are fit for a caller.

use super::check::{Invalid, names, shown};
use super::render::timestamp;
use crate::domain::{AgentId, Context, Lead, LeadId, Refusal, RefusalKind, TriggerKind, accepted_triggers};
use crate::proto::ErrorReason;
use crate::store::StoreError;
use crate::watch::WatchError;
use crate::writer::CommandError;
use std::collections::HashMap;
use std::time::Duration;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

const DOMAIN: &str = "leadpipeline";

/// How long a caller is asked to wait where waiting helps.
const RETRY: Duration = Duration::from_millis(200);

/// A status in the making.
struct Failure {
    code: Code,
    reason: ErrorReason,
    message: String,
    metadata: HashMap<String, String>,
    details: ErrorDetails,
}

impl Failure {
    fn new(code: Code, reason: ErrorReason, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), metadata: HashMap::new(), details: ErrorDetails::new() }
    }

    fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }

    fn retry(mut self) -> Self {
        self.details.set_retry_info(Some(RETRY));
        self
    }

    /// `request_id` is set on a write.
    fn status(mut self, request_id: Option<&str>) -> Status {
        if let Some(request_id) = request_id {
            self.metadata.insert("request_id".into(), request_id.into());
        }
        let reason = self.reason.as_str_name().trim_start_matches("ERROR_REASON_");
        self.details.set_error_info(reason, DOMAIN, self.metadata);
        Status::with_error_details(self.code, self.message, self.details)
    }
}

/// A request whose fields are wrong.
pub fn invalid(invalid: Invalid, request_id: Option<&str>) -> Status {
    let message = invalid.0.first().map(|wrong| format!("{} {}", wrong.field, wrong.description));
    let more = if invalid.0.len() > 1 { " (the details name every wrong field)" } else { "" };
    let message = message.unwrap_or_default() + more;
    let mut failure = Failure::new(Code::InvalidArgument, ErrorReason::InvalidRequest, message);
    failure.details.set_bad_request(invalid.0);
    failure.status(request_id)
}

/// A command that did nothing, or of which that isn't known.
pub fn command(error: CommandError, lead_id: &LeadId, request_id: &str) -> Status {
    let failure = match error {
        CommandError::LeadNotFound => not_found(lead_id),
        CommandError::LeadAlreadyExists => {
            let message = format!("lead {lead_id} exists already, created by another request");
            Failure::new(Code::AlreadyExists, ErrorReason::LeadAlreadyExists, message).with("lead_id", lead_id.as_str())
        }
        CommandError::RequestIdReused => {
            let message =
                format!("request_id {request_id} was used on lead {lead_id} for other content: use a new one");
            Failure::new(Code::AlreadyExists, ErrorReason::RequestIdReused, message).with("lead_id", lead_id.as_str())
        }
        CommandError::VersionMismatch { expected, current } => {
            let message = format!("lead {lead_id} is at version {current}, not at the expected {expected}");
            Failure::new(Code::Aborted, ErrorReason::VersionMismatch, message)
                .with("lead_id", lead_id.as_str())
                .with("expected_version", expected.to_string())
                .with("current_version", current.to_string())
        }
        CommandError::Refused { trigger, refusal, lead, context } => refused(trigger, refusal, &lead, context),
        CommandError::Overloaded => overloaded("the server has more commands than it queues; nothing was applied"),
        CommandError::Stopping => {
            let message = "the server is stopping; nothing was applied";
            Failure::new(Code::Unavailable, ErrorReason::Unavailable, message).retry()
        }
        CommandError::Unavailable => {
            let message = "the database didn't answer in time; nothing was applied";
            Failure::new(Code::Unavailable, ErrorReason::Unavailable, message).retry()
        }
        CommandError::DeadlineExceeded => {
            let message = "the deadline passed before the command was decided; nothing was applied";
            Failure::new(Code::DeadlineExceeded, ErrorReason::DeadlineExceeded, message)
        }
        CommandError::OutcomeUnknown => {
            let message = format!(
                "the database didn't answer in time; whether it was applied isn't known: retry with request_id {request_id}"
            );
            Failure::new(Code::Unavailable, ErrorReason::OutcomeUnknown, message).retry()
        }
        CommandError::Internal => internal(),
    };
    failure.status(Some(request_id))
}

/// Why a stream of triggers ends because the server does.
pub fn stopping() -> Status {
    let message = "the server is stopping: send what has no answer again, with the same request_id";
    Failure::new(Code::Unavailable, ErrorReason::Unavailable, message).retry().status(None)
}

/// Why a stream of triggers ends because its caller has set it a deadline.
pub fn stream_deadline() -> Status {
    let message = "the stream's deadline has passed: what has no answer may be sent again, with the same request_id";
    Failure::new(Code::DeadlineExceeded, ErrorReason::DeadlineExceeded, message).status(None)
}

fn refused(trigger: TriggerKind, refusal: Refusal, lead: &Lead, context: Context) -> Failure {
    let accepted = accepted_triggers(lead, context);
    let message = refusal.sentence(trigger, lead, &accepted);
    let reason = refusal_reason(refusal.kind());
    let failure = Failure::new(Code::FailedPrecondition, reason, message)
        .with("lead_id", lead.id.as_str())
        .with("stage", format!("STAGE_{}", lead.stage))
        .with("accepted_triggers", names("", &accepted).replace(", ", ","));
    match refusal {
        Refusal::LeadIsDead(dead) => failure.with("dead_reason", format!("DEAD_REASON_{dead}")),
        Refusal::TriggerNotAllowed => failure,
        Refusal::MeetingNotStarted(starts_at) => failure.with("starts_at", timestamp(starts_at).to_string()),
        Refusal::ChannelAbsent(channel) => failure.with("channel", format!("CHANNEL_{channel}")),
    }
}

/// The reason that stands for a refusal.
pub const fn refusal_reason(refusal: RefusalKind) -> ErrorReason {
    match refusal {
        RefusalKind::LeadIsDead => ErrorReason::LeadIsDead,
        RefusalKind::TriggerNotAllowed => ErrorReason::TriggerNotAllowed,
        RefusalKind::MeetingNotStarted => ErrorReason::MeetingNotStarted,
        RefusalKind::ChannelAbsent => ErrorReason::ChannelAbsent,
    }
}

fn not_found(lead_id: &LeadId) -> Failure {
    Failure::new(Code::NotFound, ErrorReason::LeadNotFound, format!("there is no lead {lead_id}"))
        .with("lead_id", lead_id.as_str())
}

fn overloaded(message: &str) -> Failure {
    Failure::new(Code::ResourceExhausted, ErrorReason::Overloaded, message).retry()
}

fn internal() -> Failure {
    Failure::new(Code::Internal, ErrorReason::Internal, "a defect of the service; its log says more")
}

/// A lead that was to be read and isn't there.
pub fn lead_not_found(lead_id: &LeadId) -> Status {
    not_found(lead_id).status(None)
}

/// A page token that wasn't made for this list.
pub fn page_token(token: &str) -> Status {
    let mut check = super::check::Check::default();
    let what = format!("is {}, which is no next_page_token of this list with these filters", shown(token));
    check.wrong("page_token", what);
    match check.done::<()>(None) {
        Ok(()) => internal().status(None),
        Err(wrong) => invalid(wrong, None),
    }
}

/// A read that the database didn't answer.
pub fn store(error: &StoreError) -> Status {
    if error.may_pass() {
        tracing::warn!(%error, "a read failed");
        let message = "the database can't be reached";
        return Failure::new(Code::Unavailable, ErrorReason::Unavailable, message).retry().status(None);
    }
    tracing::error!(%error, "a read failed");
    internal().status(None)
}

/// A write beside the writers that the database didn't answer.
pub fn store_write(error: &StoreError, request_id: &str) -> Status {
    match error {
        StoreError::Lost(_) | StoreError::Silent(_) => outcome_unknown(request_id),
        error if error.may_pass() => {
            tracing::warn!(%error, "a write failed");
            let message = "the database can't do it now; nothing was applied";
            Failure::new(Code::Unavailable, ErrorReason::Unavailable, message).retry().status(Some(request_id))
        }
        error => {
            tracing::error!(%error, "a write failed");
            internal().status(Some(request_id))
        }
    }
}

/// Nobody knows whether a request was accepted.
pub fn outcome_unknown(request_id: &str) -> Status {
    let message =
        format!("the database didn't answer; whether it was accepted isn't known: retry with request_id {request_id}");
    Failure::new(Code::Unavailable, ErrorReason::OutcomeUnknown, message).retry().status(Some(request_id))
}

/// Why the progress of a revival ends before the revival does.
pub fn revival_goes_on(request_id: &str) -> Status {
    let message = "the server is stopping; the revival goes on: call again with the same request_id to see it";
    Failure::new(Code::Unavailable, ErrorReason::Unavailable, message).retry().status(Some(request_id))
}

/// A request_id that stands for another revival of the agent.
pub fn revival_reused(agent: &AgentId, request_id: &str) -> Status {
    let message = format!("request_id {request_id} was used for agent {agent} with other content: use a new one");
    Failure::new(Code::AlreadyExists, ErrorReason::RequestIdReused, message)
        .with("agent_id", agent.as_str())
        .status(Some(request_id))
}

/// A revival that isn't there.
pub fn revival_not_found(revival_id: &str) -> Status {
    let message = format!("there is no revival {revival_id}");
    Failure::new(Code::NotFound, ErrorReason::RevivalNotFound, message).with("revival_id", revival_id).status(None)
}

/// An agent that nobody has named.
pub fn agent_not_found(agent: &AgentId) -> Status {
    let message = format!("there is no agent {agent}: neither a lead nor ReviveForMode has named it");
    Failure::new(Code::NotFound, ErrorReason::AgentNotFound, message).with("agent_id", agent.as_str()).status(None)
}

/// A follow-up that isn't the caller's any more. `follow_up_id` is a valid one.
pub fn lease_lost(follow_up_id: &str) -> Status {
    let message = format!(
        "the lease of follow-up {follow_up_id} has ended, it went to somebody else, or it was cancelled: lease again"
    );
    Failure::new(Code::Aborted, ErrorReason::LeaseLost, message).with("follow_up_id", follow_up_id).status(None)
}

/// More callers wait for follow-ups than the server has room for.
pub fn waiters() -> Status {
    let message = "as many callers wait for follow-ups as the server has room for: ask again, or without wait";
    overloaded(message).status(None)
}

/// A read that waited when the server stopped.
pub fn stopping_read() -> Status {
    let message = "the server is stopping: ask again, on another replica";
    Failure::new(Code::Unavailable, ErrorReason::Unavailable, message).retry().status(None)
}

/// A defect.
pub fn defect() -> Status {
    internal().status(None)
}

/// A call before the database has been reached. `request_id` is set on a write.
pub fn not_ready(request_id: Option<&str>) -> Status {
    let message = "the database hasn't been reached yet; nothing was applied";
    Failure::new(Code::Unavailable, ErrorReason::Unavailable, message).retry().status(request_id)
}

/// A watch that didn't begin, or ended.
pub fn watch(error: &WatchError) -> Status {
    match error {
        WatchError::CursorInvalid => {
            let message = "after_cursor is no cursor of this service, or is damaged: start anew";
            let mut failure = Failure::new(Code::InvalidArgument, ErrorReason::CursorInvalid, message);
            failure.details.add_bad_request_violation("after_cursor", "is no cursor of this service, or is damaged");
            failure.status(None)
        }
        WatchError::SnapshotFilter => {
            let message = "after_cursor is from the middle of a snapshot with another filter: go on with that filter, \
                           or start a new snapshot";
            let mut failure = Failure::new(Code::InvalidArgument, ErrorReason::CursorInvalid, message);
            failure.details.add_bad_request_violation("filter", "is another than that of the snapshot of after_cursor");
            failure.status(None)
        }
        WatchError::CursorExpired { earliest } => {
            let message = "the history behind this cursor was pruned: start with a snapshot, or after earliest_cursor";
            Failure::new(Code::OutOfRange, ErrorReason::CursorExpired, message)
                .with("earliest_cursor", earliest)
                .status(None)
        }
        WatchError::CursorDiverged => {
            let message = "the database has lost history that this cursor has seen: start anew with a snapshot";
            Failure::new(Code::DataLoss, ErrorReason::CursorDiverged, message).status(None)
        }
        WatchError::Overloaded => overloaded(
            "the server has as many watches as it serves (--watchers): try again later, or on another replica",
        )
        .status(None),
        WatchError::GoingAway => {
            let message = "the server is stopping: watch again after the last cursor";
            Failure::new(Code::Unavailable, ErrorReason::Unavailable, message).retry().status(None)
        }
        WatchError::TooOld => {
            let message = "the stream has reached its age limit: watch again after the last cursor";
            Failure::new(Code::Unavailable, ErrorReason::Unavailable, message).retry().status(None)
        }
        WatchError::Store(error) => store(error),
    }
}
