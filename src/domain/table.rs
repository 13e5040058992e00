//! The transition table: the one list of legal moves. [`decide`](super::decide()) executes it, the documentation and
//! the description of the pipeline are made from it.

use super::condition::{Case, Condition};
use super::refusal::{Refusal, RefusalKind};
use super::stage::Stage::{
    self, BadContact, BadPhone, Contacted, Engaged, Exhausted, Lost, MeetingCompleted, MovedCompany, New, Nurture,
    Qualified, Scheduled, Won,
};
use super::trigger::TriggerKind::{
    self, AllChannelsUsedUp, AllContactAttemptsFailed, AskedForLater, Blocklisted, ChannelUsedUp, ChecklistCompleted,
    ContactAttemptFailed, ContactInfoAdded, ContactLeftCompany, LeadReplied, MeetingBooked, MeetingCancelled,
    MeetingTimePassed, MessageSent, NotInterested, OptedOut, WentQuiet,
};

/// What can come of a trigger in a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    pub from: Stage,
    pub trigger: TriggerKind,
    /// The first whose condition holds applies; the last has none.
    pub results: &'static [TransitionResult],
}

/// One thing that can come of a trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransitionResult {
    pub outcome: Outcome,
    /// `None`: it applies if nothing before it did.
    pub condition: Option<Condition>,
}

/// What becomes of a lead's stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It enters these stages, one after the other.
    Moved(&'static [Stage]),
    /// Accepted and recorded; the stage stays.
    Same,
    /// Refused; nothing is recorded.
    Refused(RefusalKind),
}

/// Every stage and trigger with what can come of it, for a lead that isn't dead. A dead lead refuses every trigger but
/// the three that set the dead mark, which leave its stage.
pub fn transitions() -> impl Iterator<Item = Transition> {
    Stage::ALL.iter().flat_map(|from| {
        TriggerKind::ALL.iter().map(|trigger| Transition {
            from: *from,
            trigger: *trigger,
            results: results(*from, *trigger),
        })
    })
}

/// The stages that the lead of this case enters, none if it stays where it is; or why the trigger is refused.
pub(super) fn stages_entered(case: &Case) -> Result<&'static [Stage], Refusal> {
    let applies = |result: &&TransitionResult| result.condition.is_none_or(|condition| condition.holds(case));
    let result = results(case.before.stage, case.trigger.kind()).iter().find(applies).unwrap_or(&NOT_ALLOWED);
    match result.outcome {
        Outcome::Moved(stages) => Ok(stages),
        Outcome::Same => Ok(&[]),
        Outcome::Refused(kind) => Err(case.refusal(kind)),
    }
}

fn results(from: Stage, trigger: TriggerKind) -> &'static [TransitionResult] {
    let row = TABLE.iter().find(|row| row.trigger == trigger && row.from.contains(&from));
    row.map_or(&[NOT_ALLOWED], |row| row.results)
}

struct Row {
    trigger: TriggerKind,
    from: &'static [Stage],
    results: &'static [TransitionResult],
}

const fn row(trigger: TriggerKind, from: &'static [Stage], results: &'static [TransitionResult]) -> Row {
    Row { trigger, from, results }
}

const fn to(stages: &'static [Stage]) -> TransitionResult {
    TransitionResult { outcome: Outcome::Moved(stages), condition: None }
}

impl TransitionResult {
    const fn when(self, condition: Condition) -> Self {
        Self { condition: Some(condition), ..self }
    }
}

const SAME: TransitionResult = TransitionResult { outcome: Outcome::Same, condition: None };
const NOT_ALLOWED: TransitionResult =
    TransitionResult { outcome: Outcome::Refused(RefusalKind::TriggerNotAllowed), condition: None };
const ABSENT: TransitionResult = TransitionResult {
    outcome: Outcome::Refused(RefusalKind::ChannelAbsent),
    condition: Some(Condition::ChannelAbsent),
};
const NOT_STARTED: TransitionResult = TransitionResult {
    outcome: Outcome::Refused(RefusalKind::MeetingNotStarted),
    condition: Some(Condition::MeetingNotStarted),
};

const ACTIVE: &[Stage] = &[New, Contacted, Engaged, Qualified, Scheduled, MeetingCompleted];
const NO_END: &[Stage] = &[New, Contacted, Engaged, Qualified, Scheduled, MeetingCompleted, Nurture, Exhausted];
const END: &[Stage] = &[Won, Lost, BadPhone, BadContact, MovedCompany];
/// Where a meeting can't be cancelled or pass: a report about one is late or early, and harmless.
const NOT_SCHEDULED: &[Stage] = &[New, Contacted, Engaged, Qualified, MeetingCompleted, Nurture, Exhausted];
/// Where contact info can't revive, for the lead isn't paused.
const NOT_EXHAUSTED: &[Stage] = &[New, Contacted, Engaged, Qualified, Scheduled, MeetingCompleted, Nurture];
/// Where the outreach depends on its channels: used up, they pause the lead.
const OUTREACH: &[Stage] = &[New, Contacted, Engaged, Qualified];
/// A booked meeting, a completed one and nurture are not interrupted by used-up channels.
const UNINTERRUPTED: &[Stage] = &[Scheduled, MeetingCompleted, Nurture, Exhausted];

/// The legal moves; what isn't listed is refused.
const TABLE: &[Row] = &[
    row(MessageSent, &[New], &[to(&[Contacted])]),
    row(MessageSent, &[Contacted, Engaged, Qualified, Scheduled, MeetingCompleted, Nurture], &[SAME]),
    row(LeadReplied, &[Contacted, Nurture], &[to(&[Engaged])]),
    row(LeadReplied, &[Engaged, Qualified, Scheduled, MeetingCompleted], &[SAME]),
    row(LeadReplied, &[Exhausted], &[to(&[Contacted, Engaged])]),
    row(ChecklistCompleted, &[Engaged], &[to(&[Qualified])]),
    row(ChecklistCompleted, &[Qualified, Scheduled, MeetingCompleted], &[SAME]),
    row(MeetingBooked, &[Qualified], &[to(&[Scheduled])]),
    row(MeetingBooked, &[Scheduled], &[SAME]),
    row(MeetingCancelled, &[Scheduled], &[SAME.when(Condition::OtherMeeting), to(&[Engaged])]),
    row(MeetingCancelled, NOT_SCHEDULED, &[SAME]),
    row(MeetingTimePassed, &[Scheduled], &[SAME.when(Condition::OtherMeeting), NOT_STARTED, to(&[MeetingCompleted])]),
    row(MeetingTimePassed, NOT_SCHEDULED, &[SAME]),
    row(WentQuiet, ACTIVE, &[to(&[Nurture])]),
    row(WentQuiet, &[Nurture], &[SAME]),
    row(AskedForLater, ACTIVE, &[to(&[Nurture])]),
    row(AskedForLater, &[Nurture], &[SAME]),
    row(
        ChannelUsedUp,
        OUTREACH,
        &[ABSENT, SAME.when(Condition::ChannelsUnchanged), to(&[Exhausted]).when(Condition::ModeHasNoneOpen), SAME],
    ),
    row(ChannelUsedUp, UNINTERRUPTED, &[ABSENT, SAME]),
    row(AllChannelsUsedUp, OUTREACH, &[to(&[Exhausted])]),
    row(AllChannelsUsedUp, UNINTERRUPTED, &[SAME]),
    row(ContactInfoAdded, NOT_EXHAUSTED, &[SAME]),
    row(ContactInfoAdded, &[Exhausted], &[to(&[Contacted]).when(Condition::ModeHasOpen), SAME]),
    row(
        ContactAttemptFailed,
        OUTREACH,
        &[
            ABSENT,
            SAME.when(Condition::ChannelsUnchanged),
            to(&[BadPhone]).when(Condition::OnlyPhoneAndBad),
            to(&[BadContact]).when(Condition::AllContactPointsBad),
            to(&[BadPhone]).when(Condition::PhoneModeAndBad),
            to(&[Exhausted]).when(Condition::ModeHasNoneOpen),
            SAME,
        ],
    ),
    row(
        ContactAttemptFailed,
        UNINTERRUPTED,
        &[
            ABSENT,
            SAME.when(Condition::ChannelsUnchanged),
            to(&[BadPhone]).when(Condition::OnlyPhoneAndBad),
            to(&[BadContact]).when(Condition::AllContactPointsBad),
            to(&[BadPhone]).when(Condition::PhoneModeAndBad),
            SAME,
        ],
    ),
    row(AllContactAttemptsFailed, NO_END, &[to(&[BadPhone]).when(Condition::OnlyPhoneTried), to(&[BadContact])]),
    row(ContactLeftCompany, NO_END, &[to(&[MovedCompany])]),
    row(OptedOut, NO_END, &[to(&[Lost])]),
    row(OptedOut, END, &[SAME]),
    row(Blocklisted, NO_END, &[to(&[Lost])]),
    row(Blocklisted, END, &[SAME]),
    row(NotInterested, NO_END, &[to(&[Lost])]),
    row(NotInterested, END, &[SAME]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_stage_and_trigger_is_listed_twice() {
        let mut listed: Vec<_> =
            TABLE.iter().flat_map(|row| row.from.iter().map(|from| (row.trigger, *from))).collect();
        let all = listed.len();
        listed.sort_unstable();
        listed.dedup();
        assert_eq!(listed.len(), all);
    }

    #[test]
    fn only_the_last_result_of_a_row_is_unconditional() {
        for row in TABLE {
            let (last, others) = row.results.split_last().expect("a row has results");
            assert_eq!(last.condition, None, "{} from {:?}", row.trigger, row.from);
            assert!(others.iter().all(|result| result.condition.is_some()), "{} from {:?}", row.trigger, row.from);
        }
    }

    #[test]
    fn the_groups_of_stages_are_the_kinds() {
        use super::super::stage::StageKind;
        let of = |wanted: fn(StageKind) -> bool| -> Vec<Stage> {
            Stage::ALL.iter().copied().filter(|stage| wanted(stage.kind())).collect()
        };
        assert_eq!(ACTIVE, of(|kind| kind == StageKind::Active));
        assert_eq!(NO_END, of(|kind| kind != StageKind::End));
        assert_eq!(END, of(|kind| kind == StageKind::End));
        assert_eq!([OUTREACH, UNINTERRUPTED].concat(), NO_END);
    }
}
