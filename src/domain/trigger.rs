//! What can be asked of a lead.

use super::channel::{AttemptFailure, Channel, ContactPoint, Evidence};
use super::coded::coded_enum;
use super::ids::{AgentId, LeadId, MeetingId};
use super::lead::Meeting;
use super::stage::{DeadReason, Stage};

coded_enum! {
    /// A trigger without its details. The names are the field names of `Trigger.kind` in the proto.
    pub enum TriggerKind {
        MessageSent = 1, "message_sent";
        LeadReplied = 2, "lead_replied";
        ChecklistCompleted = 3, "checklist_completed";
        MeetingBooked = 4, "meeting_booked";
        MeetingCancelled = 5, "meeting_cancelled";
        MeetingTimePassed = 6, "meeting_time_passed";
        WentQuiet = 7, "went_quiet";
        AskedForLater = 8, "asked_for_later";
        ChannelUsedUp = 9, "channel_used_up";
        AllChannelsUsedUp = 10, "all_channels_used_up";
        ContactInfoAdded = 11, "contact_info_added";
        ContactAttemptFailed = 12, "contact_attempt_failed";
        AllContactAttemptsFailed = 13, "all_contact_attempts_failed";
        ContactLeftCompany = 14, "contact_left_company";
        OptedOut = 15, "opted_out";
        Blocklisted = 16, "blocklisted";
        NotInterested = 17, "not_interested";
    }
}

/// What happened to a lead. `REJECTED_BY_CARRIER` never comes with the channel EMAIL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trigger {
    MessageSent,
    LeadReplied { channel: Option<Channel> },
    ChecklistCompleted,
    MeetingBooked { meeting: Meeting },
    MeetingCancelled { meeting_id: MeetingId },
    MeetingTimePassed { meeting_id: MeetingId },
    WentQuiet,
    AskedForLater,
    ChannelUsedUp { channel: Channel },
    AllChannelsUsedUp,
    ContactInfoAdded { contact_point: ContactPoint },
    ContactAttemptFailed { channel: Channel, failure: AttemptFailure },
    AllContactAttemptsFailed,
    ContactLeftCompany { evidence: Evidence },
    OptedOut,
    Blocklisted,
    NotInterested,
}

impl Trigger {
    /// The trigger without its details.
    #[must_use]
    pub const fn kind(&self) -> TriggerKind {
        match self {
            Self::MessageSent => TriggerKind::MessageSent,
            Self::LeadReplied { .. } => TriggerKind::LeadReplied,
            Self::ChecklistCompleted => TriggerKind::ChecklistCompleted,
            Self::MeetingBooked { .. } => TriggerKind::MeetingBooked,
            Self::MeetingCancelled { .. } => TriggerKind::MeetingCancelled,
            Self::MeetingTimePassed { .. } => TriggerKind::MeetingTimePassed,
            Self::WentQuiet => TriggerKind::WentQuiet,
            Self::AskedForLater => TriggerKind::AskedForLater,
            Self::ChannelUsedUp { .. } => TriggerKind::ChannelUsedUp,
            Self::AllChannelsUsedUp => TriggerKind::AllChannelsUsedUp,
            Self::ContactInfoAdded { .. } => TriggerKind::ContactInfoAdded,
            Self::ContactAttemptFailed { .. } => TriggerKind::ContactAttemptFailed,
            Self::AllContactAttemptsFailed => TriggerKind::AllContactAttemptsFailed,
            Self::ContactLeftCompany { .. } => TriggerKind::ContactLeftCompany,
            Self::OptedOut => TriggerKind::OptedOut,
            Self::Blocklisted => TriggerKind::Blocklisted,
            Self::NotInterested => TriggerKind::NotInterested,
        }
    }

    /// The channel that the trigger names.
    #[must_use]
    pub const fn channel(&self) -> Option<Channel> {
        match self {
            Self::ChannelUsedUp { channel } | Self::ContactAttemptFailed { channel, .. } => Some(*channel),
            Self::LeadReplied { channel } => *channel,
            _ => None,
        }
    }

    /// The id of the meeting that the trigger is about.
    #[must_use]
    pub const fn meeting_id(&self) -> Option<&MeetingId> {
        match self {
            Self::MeetingCancelled { meeting_id } | Self::MeetingTimePassed { meeting_id } => Some(meeting_id),
            Self::MeetingBooked { meeting } => Some(&meeting.id),
            _ => None,
        }
    }
}

impl TriggerKind {
    /// The dead mark that the trigger sets, if it is one of the three that do.
    #[must_use]
    pub const fn dead_reason(self) -> Option<DeadReason> {
        match self {
            Self::OptedOut => Some(DeadReason::OptedOut),
            Self::Blocklisted => Some(DeadReason::Blocklisted),
            Self::NotInterested => Some(DeadReason::NotInterested),
            _ => None,
        }
    }

    /// What the trigger means, in a few words.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::MessageSent => "the AI sent a message",
            Self::LeadReplied => "the lead replied",
            Self::ChecklistCompleted => "the qualification checklist is complete",
            Self::MeetingBooked => "a meeting was booked or rescheduled",
            Self::MeetingCancelled => "a meeting was cancelled",
            Self::MeetingTimePassed => "the time of a meeting has passed",
            Self::WentQuiet => "the lead went quiet",
            Self::AskedForLater => "the lead asked to be contacted later",
            Self::ChannelUsedUp => "everything planned on one channel was tried",
            Self::AllChannelsUsedUp => "everything planned on every channel was tried",
            Self::ContactInfoAdded => "a new or corrected contact point is known",
            Self::ContactAttemptFailed => "an attempt to reach the lead failed",
            Self::AllContactAttemptsFailed => "every attempt to reach the lead failed",
            Self::ContactLeftCompany => "the contact is no longer at the company",
            Self::OptedOut => "the lead asked not to be contacted",
            Self::Blocklisted => "the lead is on a list of contacts that must not be contacted",
            Self::NotInterested => "the lead isn't interested",
        }
    }
}

/// A lead to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Creation {
    pub lead_id: LeadId,
    pub agent: AgentId,
    /// At least one, each once, in the order of [`ContactPoint::ALL`].
    pub contact_points: Vec<ContactPoint>,
}

/// A stage set by a person. `meeting` comes only with SCHEDULED.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    pub stage: Stage,
    pub meeting: Option<Meeting>,
    pub reopen_channels: bool,
}

/// What is asked of a lead that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Trigger(Trigger),
    Override(Override),
}
