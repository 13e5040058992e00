//! Whether what a client was told is what the database has. Written beside the service's own rendering, not with it: an
//! error there would be the same on both sides.

use crate::domain::{
    Actor, AttemptFailure, Channel, ChannelState, ContactPoint, DeadReason, Evidence, Lead, Meeting, MeetingId,
    OutreachMode, Stage, Timestamp, Trigger,
};
use crate::proto;
use crate::proto::cause::Kind as CauseKind;
use crate::proto::trigger::Kind;
use crate::store::{Cause, Entry};

/// The first field that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub expected: String,
    pub found: String,
}

/// Compares pairs of a field's stored and told value until the first that differs.
macro_rules! differ {
    ($($name:literal: $stored:expr, $told:expr;)+) => {
        $(
            let (stored, told) = ($stored, $told);
            if stored != told {
                return Some(Difference {
                    expected: format!("{} {:?}", $name, stored),
                    found: format!("{} {:?}", $name, told),
                });
            }
        )+
    };
}

/// How a told change differs from the entry.
pub fn change_differs(change: &proto::StageChange, entry: &Entry) -> Option<Difference> {
    differ! {
        "position": (entry.partition, entry.position), (change.partition, change.position);
        "lead_id": entry.lead_id.as_str(), change.lead_id.as_str();
        "version": entry.version, change.version;
        "agent_id": entry.agent.as_str(), change.agent_id.as_str();
        "from_stage": entry.from.map_or(0, Stage::code), change.from_stage as i16;
        "to_stage": entry.to.code(), change.to_stage as i16;
        "stage_kind": entry.to.kind().code(), change.stage_kind as i16;
        "conversation_mode": entry.to.conversation_mode(entry.dead).code(), change.conversation_mode as i16;
        "dead_reason": entry.dead.map_or(0, DeadReason::code), change.dead_reason as i16;
        "cause": Some(entry.cause.clone()), cause(change);
        "actor": Some(shown_actor(&entry.actor)), change.actor.clone();
        "reason": entry.reason.as_str(), change.reason.as_str();
        "request_id": entry.request_id.to_string(), change.request_id.clone();
        "occurred_at": entry.occurred_at, moment(change.occurred_at.as_ref());
        "recorded_at": Some(entry.recorded_at), moment(change.recorded_at.as_ref());
    }
    None
}

/// How a told lead differs from what its history makes of it.
pub fn lead_differs(told: &proto::Lead, lead: &Lead) -> Option<Difference> {
    let channels = told.channels.unwrap_or_default();
    let failures = told.contact_failures.unwrap_or_default();
    differ! {
        "lead_id": lead.id.as_str(), told.lead_id.as_str();
        "version": lead.version, told.version;
        "agent_id": lead.agent.as_str(), told.agent_id.as_str();
        "stage": lead.stage.code(), told.stage as i16;
        "stage_kind": lead.stage.kind().code(), told.stage_kind as i16;
        "conversation_mode": lead.conversation_mode().code(), told.conversation_mode as i16;
        "dead_reason": lead.dead.map_or(0, DeadReason::code), told.dead_reason as i16;
        "email": Some(lead.channels.email), ChannelState::from_code(channels.email);
        "sms": Some(lead.channels.sms), ChannelState::from_code(channels.sms);
        "voice": Some(lead.channels.voice), ChannelState::from_code(channels.voice);
        "contact_failures": (lead.failures.email, lead.failures.phone), (failures.email, failures.phone);
        "furthest_stage": lead.furthest.code(), told.furthest_stage as i16;
        "meeting": lead.meeting.clone(), told.meeting.as_ref().and_then(meeting);
        "created_at": Some(lead.created_at), moment(told.created_at.as_ref());
        "stage_entered_at": Some(lead.stage_entered_at), moment(told.stage_entered_at.as_ref());
        "last_outreach_at": lead.last_outreach_at, moment(told.last_outreach_at.as_ref());
        "last_reply_at": lead.last_reply_at, moment(told.last_reply_at.as_ref());
    }
    None
}

/// How a told lead differs from its last entry: all that can be compared when its history was pruned.
pub fn lead_differs_from_entry(told: &proto::Lead, entry: &Entry) -> Option<Difference> {
    differ! {
        "version": entry.version, told.version;
        "agent_id": entry.agent.as_str(), told.agent_id.as_str();
        "stage": entry.to.code(), told.stage as i16;
        "dead_reason": entry.dead.map_or(0, DeadReason::code), told.dead_reason as i16;
    }
    None
}

/// How the lead of an answer differs from the last change of it.
pub fn answer_differs(lead: &proto::Lead, last: &proto::StageChange) -> Option<Difference> {
    differ! {
        "lead_id": last.lead_id.as_str(), lead.lead_id.as_str();
        "version": last.version, lead.version;
        "stage": last.to_stage, lead.stage;
        "stage_kind": last.stage_kind, lead.stage_kind;
        "conversation_mode": last.conversation_mode, lead.conversation_mode;
        "dead_reason": last.dead_reason, lead.dead_reason;
    }
    None
}

fn shown_actor(actor: &Actor) -> proto::Actor {
    proto::Actor { kind: actor.kind.code().into(), id: actor.id.to_string() }
}

/// The moment of a time that the service may have sent: in whole microseconds.
fn moment(time: Option<&prost_types::Timestamp>) -> Option<Timestamp> {
    let time = time?;
    let whole = time.nanos % 1_000 == 0 && (0..1_000_000_000).contains(&time.nanos);
    // Nothing else is a moment: the least one equals none that was stored.
    Some(Timestamp(if whole { time.seconds * 1_000_000 + i64::from(time.nanos) / 1_000 } else { i64::MIN }))
}

fn meeting(meeting: &proto::Meeting) -> Option<Meeting> {
    Some(Meeting {
        id: MeetingId::parse(&meeting.meeting_id).ok()?,
        starts_at: moment(meeting.starts_at.as_ref())?,
        ends_at: moment(meeting.ends_at.as_ref())?,
    })
}

/// The cause of a change, as it would be stored; none if it can't be one.
fn cause(change: &proto::StageChange) -> Option<Cause> {
    Some(match change.cause.as_ref()?.kind.as_ref()? {
        CauseKind::Creation(creation) => {
            let points = creation.contact_points.iter().map(|code| ContactPoint::from_code(*code));
            Cause::Creation { contact_points: points.collect::<Option<_>>()? }
        }
        CauseKind::Override(chosen) => Cause::Override {
            meeting: chosen.meeting.as_ref().map(|given| meeting(given).ok_or(())).transpose().ok()?,
            reopen_channels: chosen.reopen_channels,
        },
        CauseKind::Trigger(happened) => Cause::Trigger(trigger(happened.kind.as_ref()?)?),
        CauseKind::Revival(revived) => Cause::Revival {
            revival_id: uuid::Uuid::try_parse(&change.revival_id).ok()?,
            mode: OutreachMode::from_code(revived.outreach_mode)?,
        },
    })
}

fn trigger(kind: &Kind) -> Option<Trigger> {
    let meeting_id = |text: &str| MeetingId::parse(text).ok();
    Some(match kind {
        Kind::MessageSent(_) => Trigger::MessageSent,
        Kind::LeadReplied(details) if details.channel == 0 => Trigger::LeadReplied { channel: None },
        Kind::LeadReplied(details) => Trigger::LeadReplied { channel: Some(Channel::from_code(details.channel)?) },
        Kind::ChecklistCompleted(_) => Trigger::ChecklistCompleted,
        Kind::MeetingBooked(details) => Trigger::MeetingBooked { meeting: meeting(details.meeting.as_ref()?)? },
        Kind::MeetingCancelled(details) => Trigger::MeetingCancelled { meeting_id: meeting_id(&details.meeting_id)? },
        Kind::MeetingTimePassed(details) => Trigger::MeetingTimePassed { meeting_id: meeting_id(&details.meeting_id)? },
        Kind::WentQuiet(_) => Trigger::WentQuiet,
        Kind::AskedForLater(_) => Trigger::AskedForLater,
        Kind::ChannelUsedUp(details) => Trigger::ChannelUsedUp { channel: Channel::from_code(details.channel)? },
        Kind::AllChannelsUsedUp(_) => Trigger::AllChannelsUsedUp,
        Kind::ContactInfoAdded(details) => {
            Trigger::ContactInfoAdded { contact_point: ContactPoint::from_code(details.contact_point)? }
        }
        Kind::ContactAttemptFailed(details) => Trigger::ContactAttemptFailed {
            channel: Channel::from_code(details.channel)?,
            failure: AttemptFailure::from_code(details.failure)?,
        },
        Kind::AllContactAttemptsFailed(_) => Trigger::AllContactAttemptsFailed,
        Kind::ContactLeftCompany(details) => {
            Trigger::ContactLeftCompany { evidence: Evidence::from_code(details.evidence)? }
        }
        Kind::OptedOut(_) => Trigger::OptedOut,
        Kind::Blocklisted(_) => Trigger::Blocklisted,
        Kind::NotInterested(_) => Trigger::NotInterested,
    })
}
