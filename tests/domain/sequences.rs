//! Random sequences of commands: what holds of every history, and the same as on paper ([`super::model`]).

use lead_pipeline::domain::{
    Action, AttemptFailure, Channel, ContactPoint, Context, DeadReason, Decision, Evidence, Lead, Meeting, Outcome,
    OutreachMode, Override, Refusal, Span, Stage, Step, Timestamp, Trigger, create, decide, transitions,
};
use proptest::prelude::*;
use proptest::sample::select;

use super::model::Model;
use super::support::{attempts, creation, meeting};

/// A command, the agent's mode at that time, and how much later it comes.
type Command = (Action, OutreachMode, i64);

fn a_meeting() -> impl Strategy<Value = Meeting> {
    (select(vec!["m-1", "m-2"]), 0..400_i64, 1..50_i64)
        .prop_map(|(id, starts_at, takes)| meeting(id, starts_at, starts_at + takes))
}

fn a_trigger() -> impl Strategy<Value = Trigger> {
    let channel = || select(Channel::ALL);
    // What moves a lead along comes more often than what ends it: else no sequence gets far.
    prop_oneof![
        4 => Just(Trigger::MessageSent),
        4 => prop::option::of(channel()).prop_map(|channel| Trigger::LeadReplied { channel }),
        4 => Just(Trigger::ChecklistCompleted),
        4 => a_meeting().prop_map(|meeting| Trigger::MeetingBooked { meeting }),
        2 => a_meeting().prop_map(|meeting| Trigger::MeetingCancelled { meeting_id: meeting.id }),
        3 => a_meeting().prop_map(|meeting| Trigger::MeetingTimePassed { meeting_id: meeting.id }),
        1 => select(vec![Trigger::WentQuiet, Trigger::AskedForLater]),
        6 => channel().prop_map(|channel| Trigger::ChannelUsedUp { channel }),
        2 => Just(Trigger::AllChannelsUsedUp),
        3 => select(ContactPoint::ALL).prop_map(|contact_point| Trigger::ContactInfoAdded { contact_point }),
        6 => select(attempts().collect::<Vec<(Channel, AttemptFailure)>>())
            .prop_map(|(channel, failure)| Trigger::ContactAttemptFailed { channel, failure }),
        1 => Just(Trigger::AllContactAttemptsFailed),
        1 => select(Evidence::ALL).prop_map(|evidence| Trigger::ContactLeftCompany { evidence }),
        1 => select(vec![Trigger::OptedOut, Trigger::Blocklisted, Trigger::NotInterested]),
    ]
}

fn an_override() -> impl Strategy<Value = Override> {
    (select(Stage::ALL), prop::option::of(a_meeting()), any::<bool>()).prop_map(|(stage, meeting, reopen_channels)| {
        Override { stage, meeting: meeting.filter(|_| stage == Stage::Scheduled), reopen_channels }
    })
}

fn a_command() -> impl Strategy<Value = Command> {
    let action = prop_oneof![6 => a_trigger().prop_map(Action::Trigger), 1 => an_override().prop_map(Action::Override)];
    (action, select(OutreachMode::ALL), 0..20_i64)
}

fn contact_points() -> impl Strategy<Value = Vec<ContactPoint>> {
    select(vec![vec![ContactPoint::Email], vec![ContactPoint::Phone], ContactPoint::ALL.to_vec()])
}

/// Decides every command, one after the other; calls `check` with the lead before, and what was decided.
fn run(
    contact_points: &[ContactPoint],
    commands: &[Command],
    mut check: impl FnMut(&Lead, Context, &Action, &Result<Decision, Refusal>),
) -> (Lead, Vec<Step>) {
    let Decision { mut lead, mut steps, .. } = create(&creation(contact_points), Timestamp(0));
    let mut now = 0;
    for (action, mode, later) in commands {
        now += later;
        let context = Context { mode: *mode, now: Timestamp(now), failures_until_bad: 3, check_in_interval: Span(7) };
        let result = decide(&lead, context, action);
        check(&lead, context, action, &result);
        if let Ok(decision) = result {
            lead = decision.lead;
            steps.extend(decision.steps);
        }
    }
    (lead, steps)
}

/// Whether the table has a result with these moves for the trigger.
fn is_listed(from: Stage, trigger: &Trigger, steps: &[Step]) -> bool {
    let entered: Vec<Stage> = steps.iter().filter(|step| step.from != Some(step.to)).map(|step| step.to).collect();
    let transition =
        transitions().find(|it| it.from == from && it.trigger == trigger.kind()).expect("every pair is there");
    transition.results.iter().any(|result| match result.outcome {
        Outcome::Moved(stages) => stages == entered,
        Outcome::Same => entered.is_empty(),
        Outcome::Refused(_) => false,
    })
}

/// The lead as the model tells it.
fn assert_same(lead: &Lead, model: &Model) {
    assert_eq!(lead.stage, model.stage());
    assert_eq!(lead.version as usize, model.history.len());
    assert_eq!(lead.dead.map_or(0, DeadReason::code), model.dead);
    for channel in Channel::ALL {
        assert_eq!(lead.channels.get(*channel), model.channel(*channel), "{channel}");
    }
    let failures = |point| model.points.get(&point).map_or(0, |point| point.failures);
    assert_eq!(lead.failures.email, failures(ContactPoint::Email));
    assert_eq!(lead.failures.phone, failures(ContactPoint::Phone));
    assert_eq!(lead.meeting.as_ref().map(|it| (it.id.clone(), it.starts_at)), model.meeting);
    assert_eq!(lead.furthest, model.furthest());
    assert_eq!(lead.stage_entered_at, model.entered);
    assert_eq!((lead.last_outreach_at, lead.last_reply_at), (model.outreach, model.reply));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_command_does_what_the_model_does(
        points in contact_points(),
        commands in prop::collection::vec(a_command(), 1..60),
    ) {
        let mut model = Model::new(&points, Timestamp(0));
        run(&points, &commands, |before, context, action, result| {
            assert_same(before, &model);
            // A refused trigger changes nothing, so it leaves no trace on paper either.
            let mut tried = model.clone();
            let done = match action {
                Action::Trigger(trigger) => tried.trigger(context.mode, context.now, trigger),
                Action::Override(chosen) => Some(tried.set_stage(context.now, chosen)),
            };
            let (decision, done) = match (result, done) {
                (Ok(decision), Some(done)) => (decision, done),
                (Err(_), None) => return,
                (_, done) => panic!("{action:?} on {before:?}: {result:?}, on paper {:?}", done.map(|it| it.entered)),
            };
            model = tried;
            assert_same(&decision.lead, &model);
            assert_eq!(decision.follow_up, done.follow_up);
            assert_eq!(decision.stamps.stage_entered, !done.entered.is_empty());
            assert_eq!(decision.stamps.outreach, matches!(action, Action::Trigger(Trigger::MessageSent)));
            assert_eq!(decision.stamps.reply, matches!(action, Action::Trigger(Trigger::LeadReplied { .. })));
        });
    }

    #[test]
    fn every_history_is_a_chain_that_tells_the_lead(
        points in contact_points(),
        commands in prop::collection::vec(a_command(), 1..60),
    ) {
        let (lead, steps) = run(&points, &commands, |before, _, action, result| {
            let Ok(decision) = result else { return };
            let after = &decision.lead;
            assert_eq!(after.version as usize, before.version as usize + decision.steps.len());
            assert!((1..=2).contains(&decision.steps.len()));
            assert_eq!(before.furthest.furthest(after.furthest), after.furthest, "the furthest stage goes back");
            assert!(after.dead >= before.dead, "the dead mark is lowered");
            if let Action::Trigger(trigger) = action {
                assert!(before.dead.is_none() || after.stage == before.stage, "a trigger moved a dead lead");
                assert!(is_listed(before.stage, trigger, &decision.steps) || before.dead.is_some());
            }
        });
        prop_assert_eq!(steps[0].from, None);
        for pair in steps.windows(2) {
            prop_assert_eq!(pair[1].from, Some(pair[0].to));
            prop_assert_eq!(pair[1].dead_raised, pair[1].dead > pair[0].dead);
        }
        let last = steps[steps.len() - 1];
        prop_assert_eq!((last.to, last.dead, steps.len()), (lead.stage, lead.dead, lead.version as usize));
    }

    #[test]
    fn the_same_sequence_gives_the_same_lead(
        points in contact_points(),
        commands in prop::collection::vec(a_command(), 1..60),
    ) {
        prop_assert_eq!(run(&points, &commands, |_, _, _, _| {}), run(&points, &commands, |_, _, _, _| {}));
    }
}
