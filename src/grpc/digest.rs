//! A digest of what a request contains, to tell "the same again" from "another request under the same id". Made from
//! the fields as they were sent, in a form of its own: clients of other versions encode the same request otherwise.
//! The form may never change: digests are stored for ever.

use super::check::micros;
use crate::proto;
use crate::proto::trigger::Kind;
use crate::store;
use sha2::{Digest as _, Sha256};

/// Feeds fields: each with its number and its length, so that no two requests give the same bytes.
struct Fields(Sha256);

impl Fields {
    fn of(call: &str) -> Self {
        let mut fields = Self(Sha256::new());
        fields.text(0, call);
        fields
    }

    fn text(&mut self, field: u8, text: &str) {
        self.0.update([field, 1]);
        self.0.update((text.len() as u64).to_le_bytes());
        self.0.update(text);
    }

    fn number(&mut self, field: u8, number: i64) {
        self.0.update([field, 2]);
        self.0.update(number.to_le_bytes());
    }

    fn time(&mut self, field: u8, time: Option<&prost_types::Timestamp>) {
        if let Some(time) = time.and_then(micros) {
            self.number(field, time.0);
        }
    }

    fn actor(&mut self, actor: Option<&proto::Actor>) {
        if let Some(actor) = actor {
            self.number(10, actor.kind.into());
            self.text(11, &actor.id);
        }
    }

    fn meeting(&mut self, meeting: Option<&proto::Meeting>) {
        if let Some(meeting) = meeting {
            self.text(20, &meeting.meeting_id);
            self.time(21, meeting.starts_at.as_ref());
            self.time(22, meeting.ends_at.as_ref());
        }
    }

    fn done(self) -> store::Digest {
        let digest = self.0.finalize();
        let mut first = store::Digest::default();
        first.copy_from_slice(&digest[..16]);
        first
    }
}

/// The digest of a creation. The contact points are a set: their order doesn't count.
pub fn create(request: &proto::CreateLeadRequest) -> store::Digest {
    let mut fields = Fields::of("CreateLead");
    fields.text(1, &request.lead_id);
    fields.text(2, &request.agent_id);
    let mut points = request.contact_points.clone();
    points.sort_unstable();
    for point in points {
        fields.number(3, point.into());
    }
    fields.actor(request.actor.as_ref());
    fields.text(4, &request.reason);
    fields.done()
}

/// The digest of a trigger.
pub fn trigger(request: &proto::ApplyTriggerRequest) -> store::Digest {
    let mut fields = Fields::of("ApplyTrigger");
    fields.text(1, &request.lead_id);
    if let Some(kind) = request.trigger.as_ref().and_then(|trigger| trigger.kind.as_ref()) {
        trigger_kind(&mut fields, kind);
    }
    fields.time(2, request.occurred_at.as_ref());
    fields.actor(request.actor.as_ref());
    fields.text(3, &request.reason);
    fields.done()
}

fn trigger_kind(fields: &mut Fields, kind: &Kind) {
    match kind {
        Kind::MessageSent(_) => fields.number(30, 1),
        Kind::LeadReplied(replied) => fields.number(31, replied.channel.into()),
        Kind::ChecklistCompleted(_) => fields.number(30, 3),
        Kind::MeetingBooked(booked) => {
            fields.number(30, 4);
            fields.meeting(booked.meeting.as_ref());
        }
        Kind::MeetingCancelled(cancelled) => fields.text(32, &cancelled.meeting_id),
        Kind::MeetingTimePassed(passed) => fields.text(33, &passed.meeting_id),
        Kind::WentQuiet(_) => fields.number(30, 7),
        Kind::AskedForLater(_) => fields.number(30, 8),
        Kind::ChannelUsedUp(used_up) => fields.number(34, used_up.channel.into()),
        Kind::AllChannelsUsedUp(_) => fields.number(30, 10),
        Kind::ContactInfoAdded(added) => fields.number(35, added.contact_point.into()),
        Kind::ContactAttemptFailed(failed) => {
            fields.number(36, failed.channel.into());
            fields.number(37, failed.failure.into());
        }
        Kind::AllContactAttemptsFailed(_) => fields.number(30, 13),
        Kind::ContactLeftCompany(left) => fields.number(38, left.evidence.into()),
        Kind::OptedOut(_) => fields.number(30, 15),
        Kind::Blocklisted(_) => fields.number(30, 16),
        Kind::NotInterested(_) => fields.number(30, 17),
    }
}

/// The digest of an override.
pub fn override_stage(request: &proto::OverrideStageRequest) -> store::Digest {
    let mut fields = Fields::of("OverrideStage");
    fields.text(1, &request.lead_id);
    fields.number(2, request.stage.into());
    fields.meeting(request.meeting.as_ref());
    fields.number(3, request.reopen_channels.into());
    fields.time(4, request.occurred_at.as_ref());
    fields.actor(request.actor.as_ref());
    fields.text(5, &request.reason);
    fields.done()
}

/// The digest of a mode for an agent.
pub fn revive(request: &proto::ReviveForModeRequest) -> store::Digest {
    let mut fields = Fields::of("ReviveForMode");
    fields.text(1, &request.agent_id);
    fields.number(2, request.outreach_mode.into());
    fields.actor(request.actor.as_ref());
    fields.done()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_never_changes() {
        let request = proto::ApplyTriggerRequest {
            lead_id: "lead-1".into(),
            trigger: Some(proto::Trigger { kind: Some(Kind::MessageSent(proto::MessageSent {})) }),
            reason: "r".into(),
            ..Default::default()
        };
        assert_eq!(u128::from_be_bytes(trigger(&request)), 0x9f5b_f39f_dbed_b09d_9154_3b80_9702_18dd);
    }

    #[test]
    fn ids_versions_and_validation_are_not_content() {
        let request = proto::ApplyTriggerRequest { lead_id: "lead-1".into(), ..Default::default() };
        let other = proto::ApplyTriggerRequest {
            request_id: "0199d2a0-5b3e-7c1a-9f00-2f6c8f1f0a11".into(),
            expected_version: Some(3),
            validate_only: true,
            ..request.clone()
        };
        assert_eq!(trigger(&request), trigger(&other));
        for different in [
            proto::ApplyTriggerRequest { reason: "x".into(), ..request.clone() },
            proto::ApplyTriggerRequest { actor: Some(proto::Actor::default()), ..request.clone() },
            proto::ApplyTriggerRequest { occurred_at: Some(prost_types::Timestamp::default()), ..request.clone() },
        ] {
            assert_ne!(trigger(&request), trigger(&different));
        }
    }
}
