//! What a decision depends on, and what it says.

use super::channel::OutreachMode;
use super::lead::{Lead, Span, Timestamp};
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
    /// How long after a lead's entering NURTURE, a message or a check-in the next check-in is due.
    pub check_in_interval: Span,
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
    /// When the service is to look at the lead by itself.
    pub timer: Timer,
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

impl FollowUp {
    /// When the follow-up is due that there is afterwards.
    #[must_use]
    pub fn due(self, kept: Option<Timestamp>, now: Timestamp, check_in_interval: Span) -> Option<Timestamp> {
        match self {
            Self::Keep => kept,
            Self::Cancel => None,
            Self::DueNow => Some(now),
            Self::AfterCheckIn => Some(now.after(check_in_interval)),
        }
    }
}

/// When the service is to look at a lead by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// When it was to before.
    Keep,
    /// Never.
    None,
    /// When its meeting ends.
    MeetingEnd,
    /// When it has been quiet for too long, counted from this decision.
    Quiet,
}

/// What several decisions on one lead, one after the other, make of what is to happen later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agenda {
    pub follow_up: FollowUp,
    /// How many follow-ups there were: each has a number of its own.
    pub follow_ups: i32,
    pub timer: Timer,
}

impl Agenda {
    /// Before any decision.
    pub const UNCHANGED: Self = Self { follow_up: FollowUp::Keep, follow_ups: 0, timer: Timer::Keep };

    /// With one more decision.
    #[must_use]
    pub fn then(self, decision: &Decision) -> Self {
        let made = matches!(decision.follow_up, FollowUp::DueNow | FollowUp::AfterCheckIn);
        Self {
            follow_up: if decision.follow_up == FollowUp::Keep { self.follow_up } else { decision.follow_up },
            follow_ups: self.follow_ups + i32::from(made),
            timer: if decision.timer == Timer::Keep { self.timer } else { decision.timer },
        }
    }
}
