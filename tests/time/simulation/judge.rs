//! What must be so of a year, by what a watch has told of it.

use super::{CHECK_IN, QUIET_AFTER};
use crate::support::requests::all_leads;
use crate::support::server::Client;
use lead_pipeline::proto::cause::Kind as Cause;
use lead_pipeline::proto::trigger::Kind as Trigger;
use lead_pipeline::proto::{
    ActorKind, DeadReason, FollowUp, GetFunnelRequest, Lead, Meeting, Stage, StageChange, StageFunnel,
};
use std::collections::{BTreeMap, BTreeSet};

/// All that a watch has told, and when.
pub struct Year<'a> {
    pub now: i64,
    pub changes: &'a [StageChange],
}

/// How often it happened.
#[derive(Debug, Default)]
pub struct Seen {
    pub meetings: usize,
    pub quiet: usize,
    pub revived: usize,
}

/// A lead's life so far.
#[derive(Default)]
struct Life {
    version: i32,
    stage: Stage,
    dead: bool,
    meeting: Option<Meeting>,
    /// Since when the lead has said nothing, while it is in a conversation.
    silent_since: Option<i64>,
    entered_at: i64,
}

/// What the changes make of the funnel.
#[derive(Default)]
struct Fold {
    leads: BTreeMap<String, Life>,
    moves: BTreeMap<(Stage, Stage), i64>,
    /// How long the visits of each stage took, in microseconds.
    visits: BTreeMap<Stage, Vec<i64>>,
    completed: BTreeSet<String>,
    seen: Seen,
}

fn micros(time: Option<&prost_types::Timestamp>) -> i64 {
    time.map(|time| time.seconds * 1_000_000 + i64::from(time.nanos) / 1_000).expect("a time")
}

/// A follow-up is handed out of a lead that may have one, and not before it is due.
pub fn handed_out(follow_up: &FollowUp, now: i64) -> Stage {
    let lead = follow_up.lead.as_ref().expect("a lead");
    assert_eq!(lead.dead_reason(), DeadReason::Unspecified, "a dead lead: {follow_up:?}");
    assert!(matches!(lead.stage(), Stage::Contacted | Stage::Nurture), "{follow_up:?}");
    // The clock has gone on a little since `now`.
    assert!(follow_up.due_at.is_some_and(|due| due.seconds <= now + 600), "{follow_up:?}");
    lead.stage()
}

impl Year<'_> {
    /// Fails unless everything was as it must be.
    pub async fn judge(&self, client: &mut Client) -> Seen {
        let mut fold = Fold::default();
        for change in self.changes {
            fold.take(change);
        }
        for lead in all_leads(client).await {
            let life = fold.leads.get(&lead.lead_id).expect("it was watched");
            assert_eq!((life.version, life.stage), (lead.version, lead.stage()), "the watch told all of {lead:?}");
            self.at_the_end(life, &lead);
        }
        let funnel = client.get_funnel(GetFunnelRequest::default()).await.expect("a funnel").into_inner();
        assert!(!funnel.counts_only);
        for stage in &funnel.stages {
            fold.is_as_told(stage);
        }
        fold.seen
    }

    /// Nothing is overdue, and a dead lead is left alone.
    fn at_the_end(&self, life: &Life, lead: &Lead) {
        let next = lead.next_follow_up_at.map(|at| at.seconds);
        if life.dead {
            assert_eq!(next, None, "a dead lead has no follow-up: {lead:?}");
            return;
        }
        if let Some(silent_since) = life.silent_since {
            assert!(silent_since / 1_000_000 + QUIET_AFTER >= self.now - 600, "not quiet in time: {lead:?}");
        }
        if let Some(meeting) = life.meeting.as_ref().filter(|_| life.stage == Stage::Scheduled) {
            let ends_at = micros(meeting.ends_at.as_ref()) / 1_000_000;
            assert!(ends_at >= self.now - 600, "not completed in time: {lead:?}");
        }
        match life.stage {
            Stage::Nurture => assert!(next.is_some_and(|at| at <= self.now + CHECK_IN), "no check-in: {lead:?}"),
            Stage::Contacted => (),
            _ => assert_eq!(next, None, "{lead:?}"),
        }
    }
}

impl Fold {
    fn take(&mut self, change: &StageChange) {
        let life = self.leads.entry(change.lead_id.clone()).or_default();
        assert_eq!((change.version, change.from_stage()), (life.version + 1, life.stage), "each once: {change:?}");
        let cause = change.cause.as_ref().and_then(|cause| cause.kind.as_ref()).expect("a cause");
        let at = micros(change.recorded_at.as_ref());
        let moved = change.from_stage != change.to_stage;
        if life.dead {
            assert!(!moved || matches!(cause, Cause::Override(_)), "a dead lead was moved: {change:?}");
        }
        match cause {
            Cause::Trigger(trigger) => {
                let trigger = trigger.kind.as_ref().expect("a trigger");
                if change.actor.as_ref().is_some_and(|actor| actor.kind() == ActorKind::System) {
                    by_itself(life, trigger, change, &mut self.seen);
                }
                if let Trigger::MeetingTimePassed(passed) = trigger {
                    assert!(self.completed.insert(passed.meeting_id.clone()), "a meeting ended twice: {change:?}");
                }
            }
            Cause::Revival(_) => {
                assert_eq!((change.from_stage(), change.to_stage()), (Stage::Exhausted, Stage::Contacted));
                self.seen.revived += 1;
            }
            Cause::Override(_) | Cause::Creation(_) => (),
        }
        if moved {
            *self.moves.entry((change.from_stage(), change.to_stage())).or_default() += 1;
            if change.version > 1 {
                self.visits.entry(change.from_stage()).or_default().push(at - life.entered_at);
            }
            life.entered_at = at;
        }
        life.go_on(change, cause, at);
    }

    /// The funnel that the service tells is that of the changes.
    fn is_as_told(&mut self, told: &StageFunnel) {
        let stage = told.stage();
        let into: i64 = self.moves.iter().filter(|((_, to), _)| *to == stage).map(|(_, count)| count).sum();
        let next: BTreeMap<Stage, i64> =
            self.moves.iter().filter(|((from, _), _)| *from == stage).map(|((_, to), count)| (*to, *count)).collect();
        assert_eq!((told.entries, told.leads), (into, into - next.values().sum::<i64>()), "{stage:?}");
        let told_next = told.next_stages.iter().map(|next| (next.stage(), next.leads));
        assert_eq!(told_next.collect::<BTreeMap<_, _>>(), next, "{stage:?}");
        let visits = self.visits.entry(stage).or_default();
        visits.sort_unstable();
        assert_eq!(told.visits, visits.len() as i64, "{stage:?}");
        for (share, told) in [(0.5, told.median_time_in_stage), (0.9, told.p90_time_in_stage)] {
            let told = told.map(|time| time.seconds as f64 * 1e6 + f64::from(time.nanos) / 1e3);
            match (percentile(visits, share), told) {
                (Some(expected), Some(told)) => assert!((expected - told).abs() < 5.0, "{stage:?}: {expected} {told}"),
                (expected, told) => assert_eq!(expected, told, "{stage:?}"),
            }
        }
    }
}

/// The value that a share of the others is below, between two if it lies between them.
fn percentile(sorted: &[i64], share: f64) -> Option<f64> {
    let place = share * (sorted.len().checked_sub(1)? as f64);
    let (below, above) = (sorted[place.floor() as usize] as f64, sorted[place.ceil() as usize] as f64);
    Some((above - below).mul_add(place.fract(), below))
}

/// What the service did by itself was due.
fn by_itself(life: &Life, trigger: &Trigger, change: &StageChange, seen: &mut Seen) {
    let at = micros(change.recorded_at.as_ref());
    match trigger {
        Trigger::MeetingTimePassed(passed) => {
            assert_eq!((change.from_stage(), change.to_stage()), (Stage::Scheduled, Stage::MeetingCompleted));
            let meeting = life.meeting.as_ref().expect("a meeting");
            assert_eq!(passed.meeting_id, meeting.meeting_id);
            assert!(at >= micros(meeting.ends_at.as_ref()), "before its end: {change:?}");
            seen.meetings += 1;
        }
        Trigger::WentQuiet(_) => {
            assert_eq!(change.to_stage(), Stage::Nurture);
            let silent_since = life.silent_since.expect("a conversation");
            assert!(at >= silent_since + QUIET_AFTER * 1_000_000, "before its time: {change:?}");
            seen.quiet += 1;
        }
        other => panic!("not the service's to do: {other:?}"),
    }
}

impl Life {
    /// Takes over what a change makes of the lead.
    fn go_on(&mut self, change: &StageChange, cause: &Cause, at: i64) {
        let talks = |stage| matches!(stage, Stage::Engaged | Stage::Qualified);
        let trigger = match cause {
            Cause::Trigger(trigger) => trigger.kind.as_ref(),
            _ => None,
        };
        if let Some(Trigger::MeetingBooked(booked)) = trigger {
            self.meeting.clone_from(&booked.meeting);
        }
        let replied = matches!(trigger, Some(Trigger::LeadReplied(_)));
        self.silent_since = match (talks(change.from_stage()), talks(change.to_stage())) {
            (_, false) => None,
            (true, true) if !replied => self.silent_since,
            _ => Some(at),
        };
        self.version = change.version;
        self.stage = change.to_stage();
        self.dead |= change.dead_reason() != DeadReason::Unspecified;
    }
}
