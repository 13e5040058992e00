//! The pipeline as data, and what it means for one lead.

use super::render::lead as render_lead;
use super::status::refusal_reason;
use crate::domain::{
    Context, Details, Explanation, Lead, Outcome, Stage, Transition, TriggerKind, accepted_triggers, explain,
    transitions,
};
use crate::proto;
use crate::proto::trigger::Kind;

/// Everything that `DescribePipeline` tells.
pub fn pipeline() -> proto::DescribePipelineResponse {
    proto::DescribePipelineResponse {
        stages: Stage::ALL.iter().map(|stage| describe_stage(*stage)).collect(),
        triggers: TriggerKind::ALL.iter().map(|kind| describe_trigger(*kind)).collect(),
        transitions: transitions().map(|transition| describe_transition(&transition)).collect(),
    }
}

fn describe_stage(stage: Stage) -> proto::StageDescription {
    proto::StageDescription {
        stage: stage.code().into(),
        kind: stage.kind().code().into(),
        conversation_mode: stage.conversation_mode(None).code().into(),
        meaning: stage.meaning().into(),
    }
}

fn describe_trigger(kind: TriggerKind) -> proto::TriggerDescription {
    proto::TriggerDescription { trigger: kind.name().into(), meaning: kind.meaning().into() }
}

fn describe_transition(transition: &Transition) -> proto::Transition {
    let results = transition.results.iter().map(|result| {
        let (outcome, to_stages, refusal) = match result.outcome {
            Outcome::Moved(stages) => (proto::Outcome::Moved, codes(stages), 0),
            Outcome::Same => (proto::Outcome::NoChange, Vec::new(), 0),
            Outcome::Refused(kind) => (proto::Outcome::Unspecified, Vec::new(), refusal_reason(kind).into()),
        };
        let condition = result.condition.map(|condition| condition.words().to_owned()).unwrap_or_default();
        proto::TransitionResult { outcome: outcome.into(), to_stages, refusal, condition }
    });
    proto::Transition {
        from_stage: transition.from.code().into(),
        trigger: transition.trigger.name().into(),
        results: results.collect(),
    }
}

fn codes(stages: &[Stage]) -> Vec<i32> {
    stages.iter().map(|stage| stage.code().into()).collect()
}

/// What every trigger would do to the lead.
pub fn lead(lead: &Lead, context: Context) -> proto::ExplainLeadResponse {
    let accepted = accepted_triggers(lead, context);
    let triggers = explain(lead, context);
    proto::ExplainLeadResponse {
        lead: Some(render_lead(lead)),
        triggers: triggers.iter().map(|explanation| describe_explanation(explanation, lead, &accepted)).collect(),
    }
}

fn describe_explanation(explanation: &Explanation, lead: &Lead, accepted: &[TriggerKind]) -> proto::TriggerExplanation {
    let (outcome, to_stages, refusal) = match &explanation.verdict {
        Ok(stages) if stages.is_empty() => (proto::Outcome::NoChange, Vec::new(), 0),
        Ok(stages) => (proto::Outcome::Moved, codes(stages), 0),
        Err(refusal) => (proto::Outcome::Unspecified, Vec::new(), refusal_reason(refusal.kind()).into()),
    };
    proto::TriggerExplanation {
        trigger: explanation.kind.name().into(),
        example: Some(proto::Trigger { kind: Some(example(explanation.kind, &explanation.details)) }),
        outcome: outcome.into(),
        to_stages,
        refusal,
        explanation: explanation.sentence(lead, accepted),
    }
}

/// The trigger with the details that were looked at; the others are left out.
fn example(kind: TriggerKind, details: &Details) -> Kind {
    let (channel, failure) = match details {
        Details::Channel(channel) => (channel.code().into(), 0),
        Details::Attempt(channel, failure) => (channel.code().into(), failure.code().into()),
        _ => (0, 0),
    };
    let contact_point = if let Details::ContactPoint(point) = details { point.code().into() } else { 0 };
    let meeting_id = if let Details::MeetingId(id) = details { id.to_string() } else { String::new() };
    match kind {
        TriggerKind::MessageSent => Kind::MessageSent(proto::MessageSent {}),
        TriggerKind::LeadReplied => Kind::LeadReplied(proto::LeadReplied { channel }),
        TriggerKind::ChecklistCompleted => Kind::ChecklistCompleted(proto::ChecklistCompleted {}),
        TriggerKind::MeetingBooked => Kind::MeetingBooked(proto::MeetingBooked { meeting: None }),
        TriggerKind::MeetingCancelled => Kind::MeetingCancelled(proto::MeetingCancelled { meeting_id }),
        TriggerKind::MeetingTimePassed => Kind::MeetingTimePassed(proto::MeetingTimePassed { meeting_id }),
        TriggerKind::WentQuiet => Kind::WentQuiet(proto::WentQuiet {}),
        TriggerKind::AskedForLater => Kind::AskedForLater(proto::AskedForLater {}),
        TriggerKind::ChannelUsedUp => Kind::ChannelUsedUp(proto::ChannelUsedUp { channel }),
        TriggerKind::AllChannelsUsedUp => Kind::AllChannelsUsedUp(proto::AllChannelsUsedUp {}),
        TriggerKind::ContactInfoAdded => Kind::ContactInfoAdded(proto::ContactInfoAdded { contact_point }),
        TriggerKind::ContactAttemptFailed => {
            Kind::ContactAttemptFailed(proto::ContactAttemptFailed { channel, failure })
        }
        TriggerKind::AllContactAttemptsFailed => Kind::AllContactAttemptsFailed(proto::AllContactAttemptsFailed {}),
        TriggerKind::ContactLeftCompany => Kind::ContactLeftCompany(proto::ContactLeftCompany { evidence: 0 }),
        TriggerKind::OptedOut => Kind::OptedOut(proto::OptedOut {}),
        TriggerKind::Blocklisted => Kind::Blocklisted(proto::Blocklisted {}),
        TriggerKind::NotInterested => Kind::NotInterested(proto::NotInterested {}),
    }
}
