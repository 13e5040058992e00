//! The dead mark.

use super::*;

const DEAD: [(Trigger, DeadReason); 3] = [
    (Trigger::NotInterested, DeadReason::NotInterested),
    (Trigger::Blocklisted, DeadReason::Blocklisted),
    (Trigger::OptedOut, DeadReason::OptedOut),
];

fn marked_lead(stage: Stage, reason: DeadReason) -> Lead {
    let mut lead = lead_in(stage);
    lead.dead = Some(reason);
    lead
}

#[test]
fn the_dead_triggers_lose_and_mark_a_lead() {
    for (trigger, reason) in DEAD {
        let decision = accept(&lead_in(Stage::Nurture), trigger);
        assert_eq!(stages_of(&decision), [(Some(Stage::Nurture), Stage::Lost)]);
        assert_eq!(decision.lead.dead, Some(reason));
        assert_eq!((decision.steps[0].dead, decision.steps[0].dead_raised), (Some(reason), true));
        assert_eq!(decision.follow_up, FollowUp::Cancel);
    }
}

#[test]
fn in_an_end_stage_the_dead_triggers_only_mark() {
    for (trigger, reason) in DEAD {
        let decision = accept(&lead_in(Stage::Won), trigger);
        assert_eq!(stages_of(&decision), [(Some(Stage::Won), Stage::Won)]);
        assert_eq!((decision.lead.dead, decision.steps[0].dead_raised), (Some(reason), true));
    }
}

#[test]
fn the_mark_rises_by_rank_and_never_falls() {
    for (trigger, reason) in DEAD {
        for (_, before) in DEAD {
            let decision = accept(&marked_lead(Stage::Lost, before), trigger.clone());
            assert_eq!(decision.lead.dead, Some(before.max(reason)));
            assert_eq!(decision.steps[0].dead_raised, reason > before, "{reason} on {before}");
        }
    }
}

#[test]
fn a_dead_lead_is_moved_by_no_trigger_whatever_its_stage() {
    for stage in [Stage::Engaged, Stage::Exhausted, Stage::Won] {
        let lead = marked_lead(stage, DeadReason::NotInterested);
        assert_eq!(apply(&lead, Trigger::MessageSent), Err(Refusal::LeadIsDead(DeadReason::NotInterested)));
        // Even one that the stage would refuse anyway: the mark is looked at first.
        assert_eq!(apply(&lead, Trigger::ChecklistCompleted), Err(Refusal::LeadIsDead(DeadReason::NotInterested)));
        assert_eq!(stages_of(&accept(&lead, Trigger::OptedOut)), [(Some(stage), stage)]);
    }
}

#[test]
fn an_override_keeps_the_mark_and_gives_a_dead_lead_no_follow_up() {
    for (from, to) in [(Stage::Exhausted, Stage::Contacted), (Stage::Lost, Stage::Nurture)] {
        let lead = marked_lead(from, DeadReason::Blocklisted);
        let chosen = Override { stage: to, meeting: None, reopen_channels: true };
        let decision = decide(&lead, context(Blended), &Action::Override(chosen)).expect("never refused");
        assert_eq!((decision.lead.stage, decision.lead.dead), (to, Some(DeadReason::Blocklisted)));
        assert_eq!((decision.follow_up, decision.steps[0].dead_raised), (FollowUp::Cancel, false));
    }
}
