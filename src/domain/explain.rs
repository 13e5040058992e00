//! What each trigger would do to a lead now, found by deciding it, and the same in sentences for people.

use super::channel::{AttemptFailure, Channel, ContactPoint, Evidence};
use super::decide::decide;
use super::decision::Context;
use super::ids::MeetingId;
use super::lead::{Lead, Meeting, Timestamp};
use super::refusal::Refusal;
use super::stage::Stage;
use super::trigger::{Action, Trigger, TriggerKind};

/// What one trigger would do to a lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    pub kind: TriggerKind,
    pub details: Details,
    /// The stages that the lead would enter, none if it would stay; or why the trigger would be refused.
    pub verdict: Result<Vec<Stage>, Refusal>,
}

/// The details of a trigger that decide what it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Details {
    /// It has none, or any value does the same.
    None,
    Channel(Channel),
    Attempt(Channel, AttemptFailure),
    ContactPoint(ContactPoint),
    MeetingId(MeetingId),
}

/// What every trigger would do to the lead, in the order of [`TriggerKind::ALL`]: one explanation each, or one for each
/// value of the details that decide.
#[must_use]
pub fn explain(lead: &Lead, context: Context) -> Vec<Explanation> {
    let explain_one = |kind: TriggerKind, (details, trigger)| {
        let verdict = decide(lead, context, &Action::Trigger(trigger)).map(|decision| {
            let moves = decision.steps.iter().filter(|step| step.from != Some(step.to));
            moves.map(|step| step.to).collect()
        });
        Explanation { kind, details, verdict }
    };
    let kinds = TriggerKind::ALL.iter();
    kinds.flat_map(|kind| examples(*kind, lead).into_iter().map(|example| explain_one(*kind, example))).collect()
}

/// The triggers that the lead accepts now, with some details at least.
#[must_use]
pub fn accepted_triggers(lead: &Lead, context: Context) -> Vec<TriggerKind> {
    let mut accepted: Vec<TriggerKind> =
        explain(lead, context).iter().filter(|it| it.verdict.is_ok()).map(|it| it.kind).collect();
    accepted.dedup();
    accepted
}

/// The trigger with every value of the details that decide.
fn examples(kind: TriggerKind, lead: &Lead) -> Vec<(Details, Trigger)> {
    let plain = |trigger| vec![(Details::None, trigger)];
    match kind {
        TriggerKind::MessageSent => plain(Trigger::MessageSent),
        TriggerKind::LeadReplied => plain(Trigger::LeadReplied { channel: None }),
        TriggerKind::ChecklistCompleted => plain(Trigger::ChecklistCompleted),
        TriggerKind::MeetingBooked => plain(Trigger::MeetingBooked { meeting: any_meeting() }),
        TriggerKind::MeetingCancelled => {
            let (details, meeting_id) = meeting_example(lead);
            vec![(details, Trigger::MeetingCancelled { meeting_id })]
        }
        TriggerKind::MeetingTimePassed => {
            let (details, meeting_id) = meeting_example(lead);
            vec![(details, Trigger::MeetingTimePassed { meeting_id })]
        }
        TriggerKind::WentQuiet => plain(Trigger::WentQuiet),
        TriggerKind::AskedForLater => plain(Trigger::AskedForLater),
        TriggerKind::ChannelUsedUp => Channel::ALL
            .iter()
            .map(|channel| (Details::Channel(*channel), Trigger::ChannelUsedUp { channel: *channel }))
            .collect(),
        TriggerKind::AllChannelsUsedUp => plain(Trigger::AllChannelsUsedUp),
        TriggerKind::ContactInfoAdded => ContactPoint::ALL
            .iter()
            .map(|point| (Details::ContactPoint(*point), Trigger::ContactInfoAdded { contact_point: *point }))
            .collect(),
        TriggerKind::ContactAttemptFailed => attempt_examples(),
        TriggerKind::AllContactAttemptsFailed => plain(Trigger::AllContactAttemptsFailed),
        TriggerKind::ContactLeftCompany => plain(Trigger::ContactLeftCompany { evidence: Evidence::ToldUs }),
        TriggerKind::OptedOut => plain(Trigger::OptedOut),
        TriggerKind::Blocklisted => plain(Trigger::Blocklisted),
        TriggerKind::NotInterested => plain(Trigger::NotInterested),
    }
}

fn attempt_examples() -> Vec<(Details, Trigger)> {
    let pairs = Channel::ALL.iter().flat_map(|channel| AttemptFailure::ALL.iter().map(|failure| (*channel, *failure)));
    pairs
        .filter(|pair| *pair != (Channel::Email, AttemptFailure::RejectedByCarrier))
        .map(|(channel, failure)| {
            (Details::Attempt(channel, failure), Trigger::ContactAttemptFailed { channel, failure })
        })
        .collect()
}

/// The current meeting; without one no id decides anything.
fn meeting_example(lead: &Lead) -> (Details, MeetingId) {
    match &lead.meeting {
        Some(meeting) => (Details::MeetingId(meeting.id.clone()), meeting.id.clone()),
        None => (Details::None, any_meeting().id),
    }
}

fn any_meeting() -> Meeting {
    Meeting {
        id: MeetingId::parse("any").expect("three letters are a valid id"),
        starts_at: Timestamp(0),
        ends_at: Timestamp(1),
    }
}

impl Explanation {
    /// The explanation in a sentence. `accepted` is what [`accepted_triggers`] says of the lead.
    #[must_use]
    pub fn sentence(&self, lead: &Lead, accepted: &[TriggerKind]) -> String {
        let stages = match &self.verdict {
            Ok(stages) => stages,
            Err(refusal) => return refusal.sentence(self.kind, lead, accepted),
        };
        let trigger = format!("{}{}", self.kind, self.details);
        let mark = self.kind.dead_reason().filter(|reason| Some(*reason) > lead.dead);
        let what = match mark {
            Some(reason) => format!("{trigger} marks the lead dead ({reason}), and it"),
            None => format!("{trigger} is recorded, and the lead"),
        };
        if stages.is_empty() {
            return format!("{what} stays in {}.", lead.stage);
        }
        let way: Vec<&str> = stages.iter().map(|stage| stage.name()).collect();
        format!("{what} moves from {} to {}.", lead.stage, way.join(" and on to "))
    }
}

impl Refusal {
    /// Why the lead refuses the trigger, and what it accepts, in a sentence fit for the caller. `accepted` is what
    /// [`accepted_triggers`] says of the lead.
    #[must_use]
    pub fn sentence(self, trigger: TriggerKind, lead: &Lead, accepted: &[TriggerKind]) -> String {
        let why = match self {
            Self::TriggerNotAllowed => format!(", so it refuses {trigger}"),
            Self::LeadIsDead(reason) => format!(" and dead ({reason}), so it refuses {trigger}"),
            Self::MeetingNotStarted(_) => {
                format!(" and its meeting hasn't started, so it refuses {trigger} until then")
            }
            Self::ChannelAbsent(channel) => {
                let point = channel.contact_point();
                format!(" and lacks the contact point {point}, so it refuses {trigger} for {channel}")
            }
        };
        format!("The lead is in {}{why}; it accepts {} now.", lead.stage, listed(accepted))
    }
}

/// `a, b and c`.
fn listed(kinds: &[TriggerKind]) -> String {
    let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
    match names.split_last() {
        None => "nothing".to_owned(),
        Some((only, [])) => (*only).to_owned(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}

impl std::fmt::Display for Details {
    /// What follows the trigger's name in a sentence.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => Ok(()),
            Self::Channel(channel) => write!(f, " for {channel}"),
            Self::Attempt(channel, failure) => write!(f, " for {channel} with {failure}"),
            Self::ContactPoint(point) => write!(f, " for {point}"),
            Self::MeetingId(id) => write!(f, " for {id}"),
        }
    }
}
