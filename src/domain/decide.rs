//! Decides what becomes of a lead: the table, its notes and the override, as one pure function.

use super::channel::{Channel, OutreachMode};
use super::lead::{Lead, Timestamp};
use super::stage::{DeadReason, Stage};
use super::trigger::{Action, Creation};

/// What a decision depends on beside the lead and the action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// The outreach mode of the lead's agent.
    pub mode: OutreachMode,
    /// The database's time. What is recorded gets its own, slightly later time: see [`Stamps`].
    pub now: Timestamp,
    /// How many ATTEMPT_FAILED in a row make a contact point BAD; at least 1.
    pub failures_until_bad: i32,
}

/// What becomes of the lead, and what is to be recorded: one entry for each step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The lead afterwards; its version is ahead by the number of steps, and the moments named by `stamps` are `now`.
    pub lead: Lead,
    /// The entries to record, in order; one or two.
    pub steps: Vec<Step>,
    /// Which moments of `lead` are to become the moment of recording.
    pub stamps: Stamps,
    /// What is to become of the lead's follow-up.
    pub follow_up: FollowUp,
}

/// One entry to record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The stage before; `None` on creation.
    pub from: Option<Stage>,
    pub to: Stage,
    /// The dead mark after the step.
    pub dead: Option<DeadReason>,
    /// Whether the step set or raised the dead mark.
    pub dead_raised: bool,
}

/// Moments of a lead that are the moment of recording, which only the database knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamps {
    pub stage_entered: bool,
    pub outreach: bool,
    pub reply: bool,
}

/// What is to become of a lead's follow-up, of which it has at most one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FollowUp {
    /// It stays as it is.
    Keep,
    /// There is none from now on.
    Cancel,
    /// One is due at once.
    DueNow,
    /// One is due after the check-in interval.
    AfterCheckIn,
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

/// The creation of a lead.
#[must_use]
pub fn create(creation: &Creation, now: Timestamp) -> Decision {
    let _ = (creation, now);
    todo!()
}

/// Decides an action on a lead.
///
/// # Errors
/// If the lead is dead or the table doesn't allow it; an override is never refused.
pub fn decide(lead: &Lead, context: Context, action: &Action) -> Result<Decision, Refusal> {
    let _ = (lead, context, action);
    todo!()
}
