//! The marks that a trigger leaves on a lead beside its stage.

use super::channel::{AttemptFailure, Channel, ChannelState, ContactFailures, ContactPoint};
use super::decision::Context;
use super::lead::Lead;
use super::trigger::{Trigger, TriggerKind};

/// The lead with the trigger's marks, still in its stage. The marks are the same in every stage; whether the trigger is
/// accepted at all is for the table to say.
pub(super) fn marked(lead: &Lead, context: Context, trigger: &Trigger) -> Lead {
    let mut lead = lead.clone();
    lead.dead = lead.dead.max(trigger.kind().dead_reason());
    match trigger {
        Trigger::MessageSent => lead.last_outreach_at = Some(context.now),
        Trigger::LeadReplied { channel } => {
            lead.last_reply_at = Some(context.now);
            replied(&mut lead, *channel);
        }
        Trigger::MeetingBooked { meeting } => lead.meeting = Some(meeting.clone()),
        Trigger::ChannelUsedUp { channel } => lead.channels.use_up(*channel),
        Trigger::AllChannelsUsedUp => {
            for channel in context.mode.channels() {
                lead.channels.use_up(*channel);
            }
        }
        Trigger::ContactInfoAdded { contact_point } => {
            lead.channels.set_all(*contact_point, ChannelState::Open);
            *lead.failures.get_mut(*contact_point) = 0;
        }
        Trigger::ContactAttemptFailed { channel, failure } => {
            attempt_failed(&mut lead, channel.contact_point(), *failure, context.failures_until_bad);
        }
        Trigger::AllContactAttemptsFailed => {
            let had = lead.channels;
            for point in ContactPoint::ALL.iter().filter(|point| had.tried_in(context.mode, **point)) {
                lead.channels.set_all(*point, ChannelState::Bad);
            }
        }
        Trigger::ChecklistCompleted
        | Trigger::MeetingCancelled { .. }
        | Trigger::MeetingTimePassed { .. }
        | Trigger::WentQuiet
        | Trigger::AskedForLater
        | Trigger::ContactLeftCompany { .. }
        | Trigger::OptedOut
        | Trigger::Blocklisted
        | Trigger::NotInterested => {}
    }
    lead
}

fn replied(lead: &mut Lead, channel: Option<Channel>) {
    lead.failures = ContactFailures::default();
    lead.channels.reopen_used_up();
    if let Some(channel) = channel {
        // A reply proves that the contact point works, so its other channel opens as well.
        lead.channels.set_all(channel.contact_point(), ChannelState::Open);
    }
}

fn attempt_failed(lead: &mut Lead, point: ContactPoint, failure: AttemptFailure, failures_until_bad: i32) {
    let failures = lead.failures.get_mut(point);
    *failures = failures.saturating_add(1);
    if failure != AttemptFailure::AttemptFailed || *failures >= failures_until_bad {
        lead.channels.set_all(point, ChannelState::Bad);
    }
}

impl TriggerKind {
    /// What the trigger changes beside the stage when it is accepted, in words; empty if nothing.
    #[must_use]
    pub const fn marks(self) -> &'static str {
        match self {
            Self::MessageSent => "the time of the last outreach",
            Self::LeadReplied => {
                "the time of the last reply; every USED_UP channel becomes OPEN, and so does every channel of the \
                 contact point it came by, if that is known, whatever its state; both failure counts become 0"
            }
            Self::MeetingBooked => "the meeting becomes the lead's current one",
            Self::ChannelUsedUp => "the channel becomes USED_UP if it is OPEN",
            Self::AllChannelsUsedUp => "every OPEN channel of the agent's mode becomes USED_UP",
            Self::ContactInfoAdded => "the contact point's channels become OPEN, its failure count 0",
            Self::ContactAttemptFailed => {
                "the contact point's failure count rises; it becomes BAD with INVALID_ADDRESS and REJECTED_BY_CARRIER \
                 at once, with ATTEMPT_FAILED when the count reaches the setting (3)"
            }
            Self::AllContactAttemptsFailed => {
                "the contact points that the agent's mode uses and the lead has become BAD; if there are none, all it \
                 has"
            }
            Self::OptedOut | Self::Blocklisted | Self::NotInterested => {
                "the dead mark, unless a higher one stands (NOT_INTERESTED < BLOCKLISTED < OPTED_OUT)"
            }
            Self::ChecklistCompleted
            | Self::MeetingCancelled
            | Self::MeetingTimePassed
            | Self::WentQuiet
            | Self::AskedForLater
            | Self::ContactLeftCompany => "",
        }
    }
}
