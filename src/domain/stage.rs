//! The stages of a lead and what follows from them.

use super::coded::coded_enum;

coded_enum! {
    /// Where a lead stands.
    pub enum Stage {
        New = 1, "NEW";
        Contacted = 2, "CONTACTED";
        Engaged = 3, "ENGAGED";
        Qualified = 4, "QUALIFIED";
        Scheduled = 5, "SCHEDULED";
        MeetingCompleted = 6, "MEETING_COMPLETED";
        Nurture = 7, "NURTURE";
        Exhausted = 8, "EXHAUSTED";
        Won = 9, "WON";
        Lost = 10, "LOST";
        BadPhone = 11, "BAD_PHONE";
        BadContact = 12, "BAD_CONTACT";
        MovedCompany = 13, "MOVED_COMPANY";
    }
}

coded_enum! {
    /// The family a stage belongs to.
    pub enum StageKind {
        Active = 1, "ACTIVE";
        Nurture = 2, "NURTURE";
        Paused = 3, "PAUSED";
        End = 4, "END";
    }
}

coded_enum! {
    /// How the AI agent is to behave.
    pub enum ConversationMode {
        FirstTouch = 1, "FIRST_TOUCH";
        AwaitReply = 2, "AWAIT_REPLY";
        Converse = 3, "CONVERSE";
        BookMeeting = 4, "BOOK_MEETING";
        ConfirmMeeting = 5, "CONFIRM_MEETING";
        AwaitOutcome = 6, "AWAIT_OUTCOME";
        CheckIn = 7, "CHECK_IN";
        Hold = 8, "HOLD";
        Stop = 9, "STOP";
    }
}

coded_enum! {
    /// Why a lead is dead. Ranked: a later trigger raises the mark, nothing lowers it.
    pub enum DeadReason {
        NotInterested = 1, "NOT_INTERESTED";
        Blocklisted = 2, "BLOCKLISTED";
        OptedOut = 3, "OPTED_OUT";
    }
}

impl Stage {
    /// The family this stage belongs to.
    #[must_use]
    pub const fn kind(self) -> StageKind {
        match self {
            Self::New
            | Self::Contacted
            | Self::Engaged
            | Self::Qualified
            | Self::Scheduled
            | Self::MeetingCompleted => StageKind::Active,
            Self::Nurture => StageKind::Nurture,
            Self::Exhausted => StageKind::Paused,
            Self::Won | Self::Lost | Self::BadPhone | Self::BadContact | Self::MovedCompany => StageKind::End,
        }
    }

    /// How the agent behaves towards a lead in this stage, dead or not.
    #[must_use]
    pub const fn conversation_mode(self, dead: Option<DeadReason>) -> ConversationMode {
        if dead.is_some() {
            return ConversationMode::Stop;
        }
        match self {
            Self::New => ConversationMode::FirstTouch,
            Self::Contacted => ConversationMode::AwaitReply,
            Self::Engaged => ConversationMode::Converse,
            Self::Qualified => ConversationMode::BookMeeting,
            Self::Scheduled => ConversationMode::ConfirmMeeting,
            Self::MeetingCompleted => ConversationMode::AwaitOutcome,
            Self::Nurture => ConversationMode::CheckIn,
            Self::Exhausted => ConversationMode::Hold,
            Self::Won | Self::Lost | Self::BadPhone | Self::BadContact | Self::MovedCompany => ConversationMode::Stop,
        }
    }

    /// What the stage means, in a few words.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::New => "just added, hasn't been contacted yet",
            Self::Contacted => "AI sent the first message, waiting for reply",
            Self::Engaged => "lead is responding, conversation active",
            Self::Qualified => "meets the criteria, ready for meeting",
            Self::Scheduled => "meeting booked on the calendar",
            Self::MeetingCompleted => "meeting happened, awaiting outcome",
            Self::Nurture => "not ready now, AI follows up over time",
            Self::Exhausted => "all channels of the current outreach mode used up; revivable",
            Self::Won => "deal closed, converted to customer",
            Self::Lost => "declined, went elsewhere or not a fit",
            Self::BadPhone => "phone number invalid or unreachable",
            Self::BadContact => "no valid way to reach them",
            Self::MovedCompany => "contact no longer at the company; the account may still be viable",
        }
    }

    /// The place on the line NEW ... `MEETING_COMPLETED`, WON; `None` off the line.
    #[must_use]
    const fn progress(self) -> Option<i16> {
        match self {
            Self::New
            | Self::Contacted
            | Self::Engaged
            | Self::Qualified
            | Self::Scheduled
            | Self::MeetingCompleted
            | Self::Won => Some(self.code()),
            _ => None,
        }
    }

    /// The further of the two on the line; `self`, which is on the line, if `other` isn't.
    #[must_use]
    pub fn furthest(self, other: Self) -> Self {
        if other.progress() > self.progress() { other } else { self }
    }
}
