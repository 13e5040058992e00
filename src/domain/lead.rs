//! A lead, and who acts on it.

use super::channel::{Channels, ContactFailures};
use super::coded::coded_enum;
use super::ids::{ActorId, AgentId, LeadId, MeetingId};
use super::stage::{ConversationMode, DeadReason, Stage};

/// A moment: microseconds since 1970-01-01 00:00 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Later than any time that can be told.
    pub const MAX: Self = Self(i64::MAX);

    /// The moment so much later.
    #[must_use]
    pub const fn after(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

/// A length of time, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(pub i64);

impl From<std::time::Duration> for Span {
    fn from(duration: std::time::Duration) -> Self {
        Self(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX))
    }
}

/// A meeting on the calendar; `starts_at` is before `ends_at`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meeting {
    pub id: MeetingId,
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
}

coded_enum! {
    /// What an actor is.
    pub enum ActorKind {
        Person = 1, "PERSON";
        AiAgent = 2, "AI_AGENT";
        Service = 3, "SERVICE";
        System = 4, "SYSTEM";
    }
}

/// Who does something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    pub kind: ActorKind,
    pub id: ActorId,
}

/// A lead as it stands after its last history entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lead {
    pub id: LeadId,
    pub agent: AgentId,
    pub stage: Stage,
    /// The number of the lead's history entries.
    pub version: i32,
    pub dead: Option<DeadReason>,
    pub channels: Channels,
    pub failures: ContactFailures,
    pub furthest: Stage,
    pub meeting: Option<Meeting>,
    pub created_at: Timestamp,
    pub stage_entered_at: Timestamp,
    pub last_outreach_at: Option<Timestamp>,
    pub last_reply_at: Option<Timestamp>,
    /// When its follow-up is due, if it has one.
    pub next_follow_up_at: Option<Timestamp>,
}

impl Lead {
    /// How the AI agent is to behave towards the lead.
    #[must_use]
    pub const fn conversation_mode(&self) -> ConversationMode {
        self.stage.conversation_mode(self.dead)
    }
}
