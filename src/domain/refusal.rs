//! Why an action is refused.

use super::channel::Channel;
use super::coded::coded_enum;
use super::lead::Timestamp;
use super::stage::DeadReason;

coded_enum! {
    /// A refusal without its details. The names are those of the proto's `ErrorReason`.
    pub enum RefusalKind {
        LeadIsDead = 1, "LEAD_IS_DEAD";
        TriggerNotAllowed = 2, "TRIGGER_NOT_ALLOWED";
        MeetingNotStarted = 3, "MEETING_NOT_STARTED";
        ChannelAbsent = 4, "CHANNEL_ABSENT";
    }
}

/// Why an action is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The lead is dead.
    LeadIsDead(DeadReason),
    /// The table has no such move from the lead's stage.
    TriggerNotAllowed,
    /// The meeting's time can't have passed: it starts then.
    MeetingNotStarted(Timestamp),
    /// The lead lacks the contact point of this channel.
    ChannelAbsent(Channel),
}

impl Refusal {
    /// The refusal without its details.
    #[must_use]
    pub const fn kind(self) -> RefusalKind {
        match self {
            Self::LeadIsDead(_) => RefusalKind::LeadIsDead,
            Self::TriggerNotAllowed => RefusalKind::TriggerNotAllowed,
            Self::MeetingNotStarted(_) => RefusalKind::MeetingNotStarted,
            Self::ChannelAbsent(_) => RefusalKind::ChannelAbsent,
        }
    }
}

/// Why a revival leaves a lead EXHAUSTED.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unrevived {
    Dead,
    /// No channel of the mode is OPEN.
    NoOpenChannel,
}
