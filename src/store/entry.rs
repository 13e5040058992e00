//! An entry of the log, and what caused it.

use crate::domain::{
    Actor, AgentId, AttemptFailure, Channel, ContactPoint, ConversationMode, DeadReason, Evidence, LeadId, Meeting,
    MeetingId, OutreachMode, Reason, RequestId, Stage, Timestamp, Trigger, TriggerKind,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A digest of what a request contained: the first 16 bytes of a SHA-256.
pub type Digest = [u8; 16];

/// What caused an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    Creation { contact_points: Vec<ContactPoint> },
    Override { meeting: Option<Meeting>, reopen_channels: bool },
    Trigger(Trigger),
    Revival { revival_id: Uuid, mode: OutreachMode },
}

/// One durable entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub lead_id: LeadId,
    pub agent: AgentId,
    pub partition: i32,
    pub position: i64,
    pub version: i32,
    /// Which of its request's entries this is: 0 or 1.
    pub step: i16,
    pub from: Option<Stage>,
    pub to: Stage,
    pub dead: Option<DeadReason>,
    /// Whether this entry set or raised the dead mark.
    pub dead_raised: bool,
    pub cause: Cause,
    pub actor: Actor,
    pub reason: Reason,
    pub request_id: RequestId,
    pub digest: Digest,
    pub occurred_at: Option<Timestamp>,
    pub recorded_at: Timestamp,
    pub tag: i64,
}

impl Entry {
    /// Whether the entry changed the stage.
    #[must_use]
    pub fn moved(&self) -> bool {
        self.from != Some(self.to)
    }

    /// The revival that made the entry, if one did.
    #[must_use]
    pub const fn revival_id(&self) -> Option<Uuid> {
        match self.cause {
            Cause::Revival { revival_id, .. } => Some(revival_id),
            _ => None,
        }
    }

    /// How the agent is to behave after this entry.
    #[must_use]
    pub const fn conversation_mode(&self) -> ConversationMode {
        self.to.conversation_mode(self.dead)
    }
}

const CREATION: i16 = 0;
const OVERRIDE: i16 = 1;
const REVIVAL: i16 = 2;
/// A trigger's cause is this and the trigger's own number.
const TRIGGER: i16 = 100;

/// The details of a cause as they are stored; what a cause doesn't have is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Details {
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<i16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    contact_point: Option<i16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<i16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<i16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    meeting_id: Option<String>,
    /// Microseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    starts_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ends_at: Option<i64>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    reopen_channels: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    contact_points: Vec<i16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revival_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outreach_mode: Option<i16>,
}

impl Details {
    fn of_meeting(meeting: &Meeting) -> Self {
        Self {
            meeting_id: Some(meeting.id.to_string()),
            starts_at: Some(meeting.starts_at.0),
            ends_at: Some(meeting.ends_at.0),
            ..Self::default()
        }
    }

    fn meeting(&self) -> Option<Meeting> {
        Some(Meeting {
            id: self.meeting_id()?,
            starts_at: Timestamp(self.starts_at?),
            ends_at: Timestamp(self.ends_at?),
        })
    }

    fn meeting_id(&self) -> Option<MeetingId> {
        MeetingId::parse(self.meeting_id.as_deref()?).ok()
    }

    fn channel(&self) -> Option<Channel> {
        Channel::from_code(self.channel?.into())
    }
}

impl Cause {
    /// The cause's number and details, as stored.
    pub(super) fn to_columns(&self) -> (i16, Option<Details>) {
        match self {
            Self::Creation { contact_points } => {
                let contact_points = contact_points.iter().map(|point| point.code()).collect();
                (CREATION, Some(Details { contact_points, ..Details::default() }))
            }
            Self::Override { meeting, reopen_channels } => {
                let details = meeting.as_ref().map(Details::of_meeting).unwrap_or_default();
                (OVERRIDE, some_if_any(Details { reopen_channels: *reopen_channels, ..details }))
            }
            Self::Revival { revival_id, mode } => {
                let (revival_id, outreach_mode) = (Some(*revival_id), Some(mode.code()));
                (REVIVAL, Some(Details { revival_id, outreach_mode, ..Details::default() }))
            }
            Self::Trigger(trigger) => (TRIGGER + trigger.kind().code(), some_if_any(trigger_details(trigger))),
        }
    }

    /// The cause that was stored; `None` if no such cause can have been.
    pub(super) fn from_columns(cause: i16, details: Option<Details>) -> Option<Self> {
        let details = details.unwrap_or_default();
        match cause {
            CREATION => {
                let points = details.contact_points.iter().map(|code| ContactPoint::from_code((*code).into()));
                Some(Self::Creation { contact_points: points.collect::<Option<_>>()? })
            }
            REVIVAL => Some(Self::Revival {
                revival_id: details.revival_id?,
                mode: OutreachMode::from_code(details.outreach_mode?.into())?,
            }),
            OVERRIDE => Some(Self::Override { meeting: details.meeting(), reopen_channels: details.reopen_channels }),
            _ => {
                let kind = TriggerKind::from_code(i32::from(cause) - i32::from(TRIGGER))?;
                trigger_from(kind, &details).map(Self::Trigger)
            }
        }
    }
}

fn some_if_any(details: Details) -> Option<Details> {
    (details != Details::default()).then_some(details)
}

fn trigger_details(trigger: &Trigger) -> Details {
    let details = Details::default();
    match trigger {
        Trigger::LeadReplied { channel } => Details { channel: channel.map(Channel::code), ..details },
        Trigger::MeetingBooked { meeting } => Details::of_meeting(meeting),
        Trigger::MeetingCancelled { meeting_id } | Trigger::MeetingTimePassed { meeting_id } => {
            Details { meeting_id: Some(meeting_id.to_string()), ..details }
        }
        Trigger::ChannelUsedUp { channel } => Details { channel: Some(channel.code()), ..details },
        Trigger::ContactInfoAdded { contact_point } => Details { contact_point: Some(contact_point.code()), ..details },
        Trigger::ContactAttemptFailed { channel, failure } => {
            Details { channel: Some(channel.code()), failure: Some(failure.code()), ..details }
        }
        Trigger::ContactLeftCompany { evidence } => Details { evidence: Some(evidence.code()), ..details },
        Trigger::MessageSent
        | Trigger::ChecklistCompleted
        | Trigger::WentQuiet
        | Trigger::AskedForLater
        | Trigger::AllChannelsUsedUp
        | Trigger::AllContactAttemptsFailed
        | Trigger::OptedOut
        | Trigger::Blocklisted
        | Trigger::NotInterested => details,
    }
}

fn trigger_from(kind: TriggerKind, details: &Details) -> Option<Trigger> {
    Some(match kind {
        TriggerKind::MessageSent => Trigger::MessageSent,
        TriggerKind::LeadReplied => Trigger::LeadReplied { channel: details.channel() },
        TriggerKind::ChecklistCompleted => Trigger::ChecklistCompleted,
        TriggerKind::MeetingBooked => Trigger::MeetingBooked { meeting: details.meeting()? },
        TriggerKind::MeetingCancelled => Trigger::MeetingCancelled { meeting_id: details.meeting_id()? },
        TriggerKind::MeetingTimePassed => Trigger::MeetingTimePassed { meeting_id: details.meeting_id()? },
        TriggerKind::WentQuiet => Trigger::WentQuiet,
        TriggerKind::AskedForLater => Trigger::AskedForLater,
        TriggerKind::ChannelUsedUp => Trigger::ChannelUsedUp { channel: details.channel()? },
        TriggerKind::AllChannelsUsedUp => Trigger::AllChannelsUsedUp,
        TriggerKind::ContactInfoAdded => {
            Trigger::ContactInfoAdded { contact_point: ContactPoint::from_code(details.contact_point?.into())? }
        }
        TriggerKind::ContactAttemptFailed => Trigger::ContactAttemptFailed {
            channel: details.channel()?,
            failure: AttemptFailure::from_code(details.failure?.into())?,
        },
        TriggerKind::AllContactAttemptsFailed => Trigger::AllContactAttemptsFailed,
        TriggerKind::ContactLeftCompany => {
            Trigger::ContactLeftCompany { evidence: Evidence::from_code(details.evidence?.into())? }
        }
        TriggerKind::OptedOut => Trigger::OptedOut,
        TriggerKind::Blocklisted => Trigger::Blocklisted,
        TriggerKind::NotInterested => Trigger::NotInterested,
    })
}
