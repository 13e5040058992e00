//! Domain values become messages here.

use crate::domain::{
    Actor, Channel, Channels, ContactFailures, DeadReason, Lead, Meeting, OutreachMode, Stage, Timestamp, Trigger,
};
use crate::proto;
use crate::proto::cause::Kind as CauseKind;
use crate::proto::trigger::Kind;
use crate::store::{AgentRow, Cause, Entry, Revival};
use crate::writer::Answer;
use bytes::Bytes;
use prost::Message;

/// A time as the proto has it.
pub const fn timestamp(time: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: time.0.div_euclid(1_000_000),
        nanos: (time.0.rem_euclid(1_000_000) * 1_000) as i32,
    }
}

fn dead_reason(dead: Option<DeadReason>) -> i32 {
    dead.map_or(0, DeadReason::code).into()
}

/// A lead.
pub fn lead(lead: &Lead) -> proto::Lead {
    proto::Lead {
        lead_id: lead.id.to_string(),
        agent_id: lead.agent.to_string(),
        stage: lead.stage.code().into(),
        stage_kind: lead.stage.kind().code().into(),
        conversation_mode: lead.conversation_mode().code().into(),
        version: lead.version,
        dead_reason: dead_reason(lead.dead),
        channels: Some(channels(lead.channels)),
        stage_entered_at: Some(timestamp(lead.stage_entered_at)),
        furthest_stage: lead.furthest.code().into(),
        meeting: lead.meeting.as_ref().map(meeting),
        created_at: Some(timestamp(lead.created_at)),
        last_outreach_at: lead.last_outreach_at.map(timestamp),
        last_reply_at: lead.last_reply_at.map(timestamp),
        contact_failures: Some(failures(lead.failures)),
        next_follow_up_at: lead.next_follow_up_at.map(timestamp),
    }
}

fn channels(channels: Channels) -> proto::Channels {
    let state = |channel| channels.get(channel).code().into();
    proto::Channels { email: state(Channel::Email), sms: state(Channel::Sms), voice: state(Channel::Voice) }
}

const fn failures(failures: ContactFailures) -> proto::ContactFailures {
    proto::ContactFailures { email: failures.email, phone: failures.phone }
}

fn meeting(meeting: &Meeting) -> proto::Meeting {
    proto::Meeting {
        meeting_id: meeting.id.to_string(),
        starts_at: Some(timestamp(meeting.starts_at)),
        ends_at: Some(timestamp(meeting.ends_at)),
    }
}

pub fn actor(actor: &Actor) -> proto::Actor {
    proto::Actor { kind: actor.kind.code().into(), id: actor.id.to_string() }
}

/// A revival.
pub fn revival(revival: &Revival) -> proto::Revival {
    let state = match (revival.finished_at, revival.superseded) {
        (None, _) => proto::RevivalState::Running,
        (Some(_), false) => proto::RevivalState::Finished,
        (Some(_), true) => proto::RevivalState::Superseded,
    };
    proto::Revival {
        revival_id: revival.revival_id.to_string(),
        agent_id: revival.agent.to_string(),
        outreach_mode: revival.mode.code().into(),
        state: state.into(),
        revived: revival.revived,
        skipped_dead: revival.dead,
        skipped_no_open_channel: revival.no_open_channel,
        skipped_moved_on: revival.moved_on,
        remaining: revival.remaining,
        request_id: revival.request_id.to_string(),
        actor: Some(actor(&revival.actor)),
        accepted_at: Some(timestamp(revival.accepted_at)),
        finished_at: revival.finished_at.map(timestamp),
    }
}

/// An agent.
pub fn agent(row: &AgentRow) -> proto::Agent {
    let (mode, at, revival_id) = row.set.map_or((OutreachMode::Blended, None, String::new()), |(mode, at, id)| {
        (mode, Some(timestamp(at)), id.to_string())
    });
    proto::Agent { agent_id: row.agent.to_string(), outreach_mode: mode.code().into(), mode_set_at: at, revival_id }
}

/// An entry. One that was only validated has position 0, and no time.
pub fn change(entry: &Entry) -> proto::StageChange {
    proto::StageChange {
        lead_id: entry.lead_id.to_string(),
        agent_id: entry.agent.to_string(),
        partition: entry.partition,
        position: entry.position,
        version: entry.version,
        from_stage: entry.from.map_or(0, Stage::code).into(),
        to_stage: entry.to.code().into(),
        cause: Some(cause(&entry.cause)),
        actor: Some(actor(&entry.actor)),
        reason: entry.reason.as_str().to_owned(),
        request_id: entry.request_id.to_string(),
        occurred_at: entry.occurred_at.map(timestamp),
        recorded_at: (entry.position > 0).then(|| timestamp(entry.recorded_at)),
        conversation_mode: entry.conversation_mode().code().into(),
        dead_reason: dead_reason(entry.dead),
        stage_kind: entry.to.kind().code().into(),
        revival_id: entry.revival_id().map(|id| id.to_string()).unwrap_or_default(),
    }
}

/// An entry as watchers get it.
#[must_use]
pub fn encoded_change(entry: &Entry) -> Bytes {
    change(entry).encode_to_vec().into()
}

fn cause(cause: &Cause) -> proto::Cause {
    let kind = match cause {
        Cause::Creation { contact_points } => CauseKind::Creation(proto::Creation {
            contact_points: contact_points.iter().map(|point| point.code().into()).collect(),
        }),
        Cause::Override { meeting: given, reopen_channels } => CauseKind::Override(proto::Override {
            meeting: given.as_ref().map(meeting),
            reopen_channels: *reopen_channels,
        }),
        Cause::Trigger(happened) => CauseKind::Trigger(trigger(happened)),
        Cause::Revival { mode, .. } => CauseKind::Revival(proto::Revived { outreach_mode: mode.code().into() }),
    };
    proto::Cause { kind: Some(kind) }
}

fn trigger(trigger: &Trigger) -> proto::Trigger {
    let kind = match trigger {
        Trigger::MessageSent => Kind::MessageSent(proto::MessageSent {}),
        Trigger::LeadReplied { channel } => {
            Kind::LeadReplied(proto::LeadReplied { channel: channel.map_or(0, Channel::code).into() })
        }
        Trigger::ChecklistCompleted => Kind::ChecklistCompleted(proto::ChecklistCompleted {}),
        Trigger::MeetingBooked { meeting: booked } => {
            Kind::MeetingBooked(proto::MeetingBooked { meeting: Some(meeting(booked)) })
        }
        Trigger::MeetingCancelled { meeting_id } => {
            Kind::MeetingCancelled(proto::MeetingCancelled { meeting_id: meeting_id.to_string() })
        }
        Trigger::MeetingTimePassed { meeting_id } => {
            Kind::MeetingTimePassed(proto::MeetingTimePassed { meeting_id: meeting_id.to_string() })
        }
        Trigger::WentQuiet => Kind::WentQuiet(proto::WentQuiet {}),
        Trigger::AskedForLater => Kind::AskedForLater(proto::AskedForLater {}),
        Trigger::ChannelUsedUp { channel } => {
            Kind::ChannelUsedUp(proto::ChannelUsedUp { channel: channel.code().into() })
        }
        Trigger::AllChannelsUsedUp => Kind::AllChannelsUsedUp(proto::AllChannelsUsedUp {}),
        Trigger::ContactInfoAdded { contact_point } => {
            Kind::ContactInfoAdded(proto::ContactInfoAdded { contact_point: contact_point.code().into() })
        }
        Trigger::ContactAttemptFailed { channel, failure } => Kind::ContactAttemptFailed(proto::ContactAttemptFailed {
            channel: channel.code().into(),
            failure: failure.code().into(),
        }),
        Trigger::AllContactAttemptsFailed => Kind::AllContactAttemptsFailed(proto::AllContactAttemptsFailed {}),
        Trigger::ContactLeftCompany { evidence } => {
            Kind::ContactLeftCompany(proto::ContactLeftCompany { evidence: evidence.code().into() })
        }
        Trigger::OptedOut => Kind::OptedOut(proto::OptedOut {}),
        Trigger::Blocklisted => Kind::Blocklisted(proto::Blocklisted {}),
        Trigger::NotInterested => Kind::NotInterested(proto::NotInterested {}),
    };
    proto::Trigger { kind: Some(kind) }
}

/// What a write did.
pub const fn outcome(moved: bool) -> proto::Outcome {
    if moved { proto::Outcome::Moved } else { proto::Outcome::NoChange }
}

/// The entries of an answer.
pub fn changes(answer: &Answer) -> Vec<proto::StageChange> {
    answer.entries.iter().map(|entry| change(entry)).collect()
}
