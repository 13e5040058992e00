//! What a decision depends on, and what it says.

use super::channel::OutreachMode;
use super::lead::{Lead, Timestamp};
use super::stage::{DeadReason, Stage};

/// What a decision depends on beside the lead and the action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// The outreach mode of the lead's agent.
    pub mode: OutreachMode,
    /// The database's time. What is recorded gets its own, slightly later time: see [`Stamps`].
    pub now: Timestamp,
    /// How many `ATTEMPT_FAILED` in a row make a contact point BAD; at least 1.
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
