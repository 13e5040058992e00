//! What can be asked of the writer, and what it answers.

use crate::domain::{
    Action, Actor, Context, Creation, Lead, LeadId, Reason, Refusal, RequestId, Timestamp, TriggerKind,
};
use crate::store::{Digest, Entry};
use std::sync::Arc;

/// A write that is asked for. Every field was checked at the door.
#[derive(Clone, Debug)]
pub struct Command {
    pub lead_id: LeadId,
    pub request_id: RequestId,
    /// Tells other content under the same request_id.
    pub digest: Digest,
    pub actor: Actor,
    pub reason: Reason,
    pub occurred_at: Option<Timestamp>,
    pub expected_version: Option<i32>,
    pub validate_only: bool,
    pub body: Body,
}

/// What a command does.
#[derive(Clone, Debug)]
pub enum Body {
    Create(Creation),
    Act(Action),
}

/// What a command did.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The lead right after the command; in a replay, as it is now; if only validated, as it would be.
    pub lead: Lead,
    /// What was recorded. Only validated: what would be, with position 0.
    /// A replay of what was pruned has none.
    pub entries: Vec<Arc<Entry>>,
    /// Whether the stage changed.
    pub moved: bool,
    pub replayed: bool,
}

impl Answer {
    pub(super) fn new(lead: Lead, entries: Vec<Arc<Entry>>, replayed: bool) -> Self {
        let moved = entries.iter().any(|entry| entry.moved());
        Self { lead, entries, moved, replayed }
    }
}

/// Why a command did nothing, or why that isn't known.
#[derive(Clone, Debug)]
pub enum CommandError {
    LeadNotFound,
    LeadAlreadyExists,
    RequestIdReused,
    VersionMismatch {
        expected: i32,
        current: i32,
    },
    /// The rules refuse it: for this lead, in this context.
    Refused {
        trigger: TriggerKind,
        refusal: Refusal,
        lead: Box<Lead>,
        context: Context,
    },
    /// The queue is full; nothing was done.
    Overloaded,
    /// The server stops; nothing was done.
    Stopping,
    /// The caller's own deadline passed; nothing was done.
    DeadlineExceeded,
    /// The database didn't answer in time; nothing was done.
    Unavailable,
    /// The write was sent, and its answer didn't come in time.
    OutcomeUnknown,
    /// A defect; the log says more.
    Internal,
}
