//! The conditions of the transition table: in words for people, as a check for the decision.

use super::channel::{ChannelState, ContactPoint};
use super::decision::Context;
use super::lead::Lead;
use super::refusal::{Refusal, RefusalKind};
use super::trigger::Trigger;

/// When a result of the transition table applies. "Now" is with the trigger's marks made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    ChannelAbsent,
    ChannelsUnchanged,
    OtherMeeting,
    MeetingNotStarted,
    ModeHasOpen,
    ModeHasNoneOpen,
    OnlyPhoneAndBad,
    AllContactPointsBad,
    PhoneModeAndBad,
    OnlyPhoneTried,
}

/// A trigger on a lead that isn't dead: what a condition looks at.
pub(super) struct Case<'a> {
    pub before: &'a Lead,
    /// The lead with the trigger's marks, still in its stage.
    pub marked: &'a Lead,
    pub context: Context,
    pub trigger: &'a Trigger,
}

impl Condition {
    /// The condition in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::ChannelAbsent => "the lead lacks the channel's contact point",
            Self::ChannelsUnchanged => "this changes the state of no channel",
            Self::OtherMeeting => "it isn't the lead's current meeting",
            Self::MeetingNotStarted => "the meeting hasn't started",
            Self::ModeHasOpen => "the agent's mode has an OPEN channel now",
            Self::ModeHasNoneOpen => "the agent's mode has no OPEN channel now",
            Self::OnlyPhoneAndBad => "the phone is BAD now, and the lead's only contact point",
            Self::AllContactPointsBad => "every contact point that the lead has is BAD now",
            Self::PhoneModeAndBad => "the phone is BAD now, and all that the agent's mode uses",
            Self::OnlyPhoneTried => {
                "of the lead's contact points the agent's mode uses just the phone, or none and the phone is all it has"
            }
        }
    }

    /// Whether the condition holds.
    pub(super) fn holds(self, case: &Case) -> bool {
        let Case { before, marked, context, trigger } = case;
        let channels = &marked.channels;
        match self {
            Self::ChannelAbsent => {
                trigger.channel().is_some_and(|channel| before.channels.get(channel) == ChannelState::Absent)
            }
            Self::ChannelsUnchanged => before.channels == *channels,
            Self::OtherMeeting => before.meeting.as_ref().map(|meeting| &meeting.id) != trigger.meeting_id(),
            Self::MeetingNotStarted => before.meeting.as_ref().is_some_and(|meeting| context.now < meeting.starts_at),
            Self::ModeHasOpen => channels.any_open(context.mode),
            Self::ModeHasNoneOpen => !channels.any_open(context.mode),
            Self::OnlyPhoneAndBad => !channels.has(ContactPoint::Email) && channels.is_bad(ContactPoint::Phone),
            Self::AllContactPointsBad => {
                ContactPoint::ALL.iter().all(|point| !channels.has(*point) || channels.is_bad(*point))
            }
            Self::PhoneModeAndBad => !context.mode.uses(ContactPoint::Email) && channels.is_bad(ContactPoint::Phone),
            Self::OnlyPhoneTried => !before.channels.tried_in(context.mode, ContactPoint::Email),
        }
    }
}

impl Case<'_> {
    /// The refusal with the details of this case.
    pub(super) fn refusal(&self, kind: RefusalKind) -> Refusal {
        match (kind, self.trigger.channel(), &self.before.meeting) {
            (RefusalKind::ChannelAbsent, Some(channel), _) => Refusal::ChannelAbsent(channel),
            (RefusalKind::MeetingNotStarted, _, Some(meeting)) => Refusal::MeetingNotStarted(meeting.starts_at),
            _ => Refusal::TriggerNotAllowed,
        }
    }
}
