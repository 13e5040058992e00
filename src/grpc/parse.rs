//! Requests become commands, filters and keys here, or a list of what is wrong with them.

use super::check::{Check, Invalid, names, shown};
use super::digest;
use crate::domain::{
    Action, Actor, ActorId, ActorKind, AttemptFailure, Channel, ContactPoint, Creation, Evidence, LeadId, OutreachMode,
    Override, RequestId, Span, Stage, Timestamp, Trigger,
};
use crate::proto;
use crate::proto::trigger::Kind;
use crate::proto::watch_stage_changes_request::Start as ProtoStart;
use crate::store::{LeadFilter, NewRevival};
use crate::watch::{Client, Filter, Origin, Start, WatchRequest};
use crate::writer::{Body, Command};
use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

/// Ids in one filter of a watch.
const FILTER_IDS: usize = 100;

/// Who acts if the caller doesn't say.
fn unknown_service() -> Option<Actor> {
    Some(Actor { kind: ActorKind::Service, id: ActorId::parse("unknown").ok()? })
}

/// A creation. `made` is the request's id if the caller gave none; it serves as the lead's id too if that is empty.
pub fn create(request: proto::CreateLeadRequest, made: RequestId) -> Result<Command, Invalid> {
    let digest = digest::create(&request);
    let mut check = Check::default();
    let request_id = check.request_id(&request.request_id, made);
    let lead_id = if request.lead_id.is_empty() {
        request_id.and_then(|id| LeadId::parse(&id.to_string()).ok())
    } else {
        check.lead_id("lead_id", &request.lead_id)
    };
    let agent_id = if request.agent_id.is_empty() { "default" } else { &request.agent_id };
    let agent = check.agent_id("agent_id", agent_id);
    let contact_points = check.contact_points(&request.contact_points);
    let actor = check.actor(request.actor, unknown_service());
    let reason = check.reason(&request.reason);
    let command = || {
        let creation = Creation { lead_id: lead_id?, agent: agent?, contact_points };
        Some(Command {
            lead_id: creation.lead_id.clone(),
            request_id: request_id?,
            digest,
            actor: actor?,
            reason: reason?,
            occurred_at: None,
            expected_version: None,
            validate_only: false,
            body: Body::Create(creation),
        })
    };
    check.done(command())
}

/// A trigger; `now` is the database's time.
pub fn apply_trigger(request: proto::ApplyTriggerRequest, made: RequestId, now: Timestamp) -> Result<Command, Invalid> {
    let digest = digest::trigger(&request);
    let mut check = Check::default();
    let lead_id = check.lead_id("lead_id", &request.lead_id);
    let trigger = trigger(&mut check, request.trigger);
    let request_id = check.request_id(&request.request_id, made);
    let expected_version = check.expected_version(request.expected_version);
    let occurred_at = check.occurred_at(request.occurred_at, now);
    let actor = check.actor(request.actor, unknown_service());
    let reason = check.reason(&request.reason);
    let command = || {
        Some(Command {
            lead_id: lead_id?,
            request_id: request_id?,
            digest,
            actor: actor?,
            reason: reason?,
            occurred_at: occurred_at?,
            expected_version: expected_version?,
            validate_only: request.validate_only,
            body: Body::Act(Action::Trigger(trigger?)),
        })
    };
    check.done(command())
}

/// An override; `now` is the database's time.
pub fn override_stage(
    request: proto::OverrideStageRequest,
    made: RequestId,
    now: Timestamp,
) -> Result<Command, Invalid> {
    let digest = digest::override_stage(&request);
    let mut check = Check::default();
    let lead_id = check.lead_id("lead_id", &request.lead_id);
    let stage = check.stage("stage", request.stage);
    let meeting = request.meeting.map(|meeting| check.meeting("meeting", Some(meeting)));
    if meeting.is_some() && stage.is_some_and(|stage| stage != Stage::Scheduled) {
        check.wrong("meeting", "goes with STAGE_SCHEDULED only: leave it out for another stage");
    }
    let request_id = check.request_id(&request.request_id, made);
    let expected_version = check.expected_version(request.expected_version);
    let occurred_at = check.occurred_at(request.occurred_at, now);
    let actor = check.actor(request.actor, None);
    if actor.as_ref().is_some_and(|actor| !matches!(actor.kind, ActorKind::Person | ActorKind::System)) {
        check.wrong("actor.kind", "must be ACTOR_KIND_PERSON: only a person may override a stage");
    }
    let reason = check.reason(&request.reason);
    let command = || {
        let meeting = match meeting {
            Some(meeting) => Some(meeting?),
            None => None,
        };
        Some(Command {
            lead_id: lead_id?,
            request_id: request_id?,
            digest,
            actor: actor?,
            reason: reason?,
            occurred_at: occurred_at?,
            expected_version: expected_version?,
            validate_only: request.validate_only,
            body: Body::Act(Action::Override(Override {
                stage: stage?,
                meeting,
                reopen_channels: request.reopen_channels,
            })),
        })
    };
    check.done(command())
}

fn trigger(check: &mut Check, trigger: Option<proto::Trigger>) -> Option<Trigger> {
    let Some(kind) = trigger.and_then(|trigger| trigger.kind) else {
        let kinds = names("", crate::domain::TriggerKind::ALL);
        check.wrong("trigger", format!("is required: what happened, one of {kinds}"));
        return None;
    };
    Some(match kind {
        Kind::MessageSent(_) => Trigger::MessageSent,
        Kind::LeadReplied(replied) => {
            let field = "trigger.lead_replied.channel";
            let channel = (replied.channel != 0).then(|| channel(check, field, replied.channel));
            let channel = match channel {
                Some(channel) => Some(channel?),
                None => None,
            };
            Trigger::LeadReplied { channel }
        }
        Kind::ChecklistCompleted(_) => Trigger::ChecklistCompleted,
        Kind::MeetingBooked(booked) => {
            Trigger::MeetingBooked { meeting: check.meeting("trigger.meeting_booked.meeting", booked.meeting)? }
        }
        Kind::MeetingCancelled(cancelled) => Trigger::MeetingCancelled {
            meeting_id: check.meeting_id("trigger.meeting_cancelled.meeting_id", &cancelled.meeting_id)?,
        },
        Kind::MeetingTimePassed(passed) => Trigger::MeetingTimePassed {
            meeting_id: check.meeting_id("trigger.meeting_time_passed.meeting_id", &passed.meeting_id)?,
        },
        Kind::WentQuiet(_) => Trigger::WentQuiet,
        Kind::AskedForLater(_) => Trigger::AskedForLater,
        Kind::ChannelUsedUp(used_up) => {
            Trigger::ChannelUsedUp { channel: channel(check, "trigger.channel_used_up.channel", used_up.channel)? }
        }
        Kind::AllChannelsUsedUp(_) => Trigger::AllChannelsUsedUp,
        Kind::ContactInfoAdded(added) => {
            let field = "trigger.contact_info_added.contact_point";
            let allowed = || names("CONTACT_POINT_", ContactPoint::ALL);
            Trigger::ContactInfoAdded {
                contact_point: check.code(field, added.contact_point, ContactPoint::from_code, &allowed)?,
            }
        }
        Kind::ContactAttemptFailed(failed) => attempt_failed(check, failed)?,
        Kind::AllContactAttemptsFailed(_) => Trigger::AllContactAttemptsFailed,
        Kind::ContactLeftCompany(left) => {
            let field = "trigger.contact_left_company.evidence";
            let allowed = || names("EVIDENCE_", Evidence::ALL);
            Trigger::ContactLeftCompany { evidence: check.code(field, left.evidence, Evidence::from_code, &allowed)? }
        }
        Kind::OptedOut(_) => Trigger::OptedOut,
        Kind::Blocklisted(_) => Trigger::Blocklisted,
        Kind::NotInterested(_) => Trigger::NotInterested,
    })
}

fn channel(check: &mut Check, field: &str, code: i32) -> Option<Channel> {
    check.code(field, code, Channel::from_code, &|| names("CHANNEL_", Channel::ALL))
}

fn attempt_failed(check: &mut Check, failed: proto::ContactAttemptFailed) -> Option<Trigger> {
    let field = "trigger.contact_attempt_failed.failure";
    let channel = channel(check, "trigger.contact_attempt_failed.channel", failed.channel);
    let allowed = || names("ATTEMPT_FAILURE_", AttemptFailure::ALL);
    let failure = check.code(field, failed.failure, AttemptFailure::from_code, &allowed);
    if channel == Some(Channel::Email) && failure == Some(AttemptFailure::RejectedByCarrier) {
        check
            .wrong(field, "is ATTEMPT_FAILURE_REJECTED_BY_CARRIER, which goes with CHANNEL_SMS and CHANNEL_VOICE only");
    }
    Some(Trigger::ContactAttemptFailed { channel: channel?, failure: failure? })
}

/// The one field of a request for one lead.
pub fn lead_id(text: &str) -> Result<LeadId, Invalid> {
    let mut check = Check::default();
    let lead_id = check.lead_id("lead_id", text);
    check.done(lead_id)
}

/// Which leads to list; `now` is the database's time.
pub fn lead_filter(check: &mut Check, request: &proto::ListLeadsRequest, now: Timestamp) -> Option<LeadFilter> {
    let agent = if request.agent_id.is_empty() { None } else { Some(check.agent_id("agent_id", &request.agent_id)?) };
    let mut stages: Vec<Stage> = check.stages("stages", &request.stages).into_iter().collect();
    stages.sort_unstable();
    let all = Duration::ZERO..=Duration::MAX;
    let least = check.duration("min_time_in_stage", request.min_time_in_stage.as_ref(), all.clone());
    let most = check.duration("max_time_in_stage", request.max_time_in_stage.as_ref(), all);
    let follow_up_before = check.optional_time("next_follow_up_before", request.next_follow_up_before);
    let (least, most) = (least?, most?);
    if least.zip(most).is_some_and(|(least, most)| least > most) {
        check.wrong("max_time_in_stage", "is less than min_time_in_stage: no lead is in both");
    }
    // Nothing is older, and what is stored begins not much earlier.
    let since = |span: Duration| Timestamp(now.0.saturating_sub(Span::from(span).0).max(0));
    Some(LeadFilter {
        agent,
        stages,
        dead: request.dead,
        entered_by: least.map(since),
        entered_from: most.map(since),
        follow_up_before: follow_up_before?,
    })
}

/// A mode for an agent. `made` is the request's id if the caller leaves it to the server.
pub fn revive(
    request: proto::ReviveForModeRequest,
    made: RequestId,
    revival_id: uuid::Uuid,
) -> Result<NewRevival, Invalid> {
    let digest = digest::revive(&request);
    let mut check = Check::default();
    let agent = check.agent_id("agent_id", &request.agent_id);
    let allowed = || names("OUTREACH_MODE_", OutreachMode::ALL);
    let mode = check.code("outreach_mode", request.outreach_mode, OutreachMode::from_code, &allowed);
    let request_id = check.request_id(&request.request_id, made);
    let actor = check.actor(request.actor, unknown_service());
    let revival =
        || Some(NewRevival { revival_id, agent: agent?, mode: mode?, request_id: request_id?, digest, actor: actor? });
    check.done(revival())
}

/// What to watch, from where; `interval` is the server's own checkpoint interval.
pub fn watch(
    request: proto::WatchStageChangesRequest,
    interval: Duration,
    client: Client,
) -> Result<WatchRequest, Invalid> {
    let mut check = Check::default();
    let start = match request.start {
        None | Some(ProtoStart::Now(_)) => Start::Now,
        Some(ProtoStart::Snapshot(_)) => Start::Snapshot,
        Some(ProtoStart::Beginning(_)) => Start::Beginning,
        Some(ProtoStart::AfterCursor(cursor)) => Start::AfterCursor(cursor),
    };
    let filter = watch_filter(&mut check, &request.filter.unwrap_or_default(), request.include_unchanged);
    let interval = checkpoint_interval(&mut check, request.checkpoint_interval, interval);
    if matches!(start, Start::Snapshot) && filter.as_ref().is_some_and(|filter| filter.origin.is_some()) {
        let what = "can't go with a snapshot, whose leads have no origin: leave it unset, or start elsewhere";
        check.wrong("filter.origin", what);
    }
    let order = || Some(WatchRequest { start, filter: filter?, interval: interval?, client });
    check.done(order())
}

fn checkpoint_interval(check: &mut Check, asked: Option<prost_types::Duration>, default: Duration) -> Option<Duration> {
    /// A century: longer is as good as for ever, and doesn't overflow a clock.
    const LONGEST: Duration = Duration::from_hours(100 * 365 * 24);
    let Some(asked) = asked else { return Some(default) };
    // By hand: the library's conversion overflows on the least of all seconds.
    let seconds = u64::try_from(asked.seconds).ok().filter(|seconds| *seconds >= 1);
    let nanos = u32::try_from(asked.nanos).ok().filter(|nanos| *nanos < 1_000_000_000);
    let interval = seconds.zip(nanos).map(|(seconds, nanos)| Duration::new(seconds, nanos));
    if interval.is_none() {
        check.wrong(
            "checkpoint_interval",
            "must be a valid duration of 1 s or more, or absent for the server's own interval",
        );
    }
    Some(interval?.min(LONGEST))
}

fn watch_filter(check: &mut Check, filter: &proto::WatchFilter, unchanged: bool) -> Option<Filter> {
    let leads = ids(check, "filter.lead_ids", &filter.lead_ids, Check::lead_id);
    let agents = ids(check, "filter.agent_ids", &filter.agent_ids, Check::agent_id);
    let from = watch_stages(check, "filter.from_stages", &filter.from_stages);
    let to = watch_stages(check, "filter.to_stages", &filter.to_stages);
    let origin = match proto::ChangeOrigin::try_from(filter.origin) {
        Ok(proto::ChangeOrigin::Unspecified) => None,
        Ok(proto::ChangeOrigin::Manual) => Some(Origin::Manual),
        Ok(proto::ChangeOrigin::Automatic) => Some(Origin::Automatic),
        Err(_) => {
            let what = format!("is {}, which isn't known", filter.origin);
            check.wrong("filter.origin", format!("{what}: CHANGE_ORIGIN_MANUAL, CHANGE_ORIGIN_AUTOMATIC, or unset"));
            None
        }
    };
    Some(Filter { leads: leads?, agents: agents?, from: from?, to: to?, origin, unchanged })
}

fn ids<T: Ord>(
    check: &mut Check,
    field: &str,
    texts: &[String],
    parse: fn(&mut Check, &str, &str) -> Option<T>,
) -> Option<BTreeSet<T>> {
    if texts.len() > FILTER_IDS {
        check.wrong(field, format!("has {} ids, but may have at most {FILTER_IDS}", texts.len()));
        return None;
    }
    let ids = texts.iter().enumerate().map(|(place, text)| parse(check, &format!("{field}[{place}]"), text));
    // Every mistake is to be found, so no early end.
    ids.collect::<Vec<_>>().into_iter().collect()
}

fn watch_stages(check: &mut Check, field: &str, codes: &[i32]) -> Option<BTreeSet<Stage>> {
    let stages = codes.iter().enumerate().map(|(place, code)| check.stage(&format!("{field}[{place}]"), *code));
    // Every mistake is to be found, so no early end.
    stages.collect::<Vec<_>>().into_iter().collect()
}

/// The requests of a batch, unless the batch as a whole is wrong.
pub fn batch(requests: Vec<proto::CreateLeadRequest>, most: usize) -> Result<Vec<proto::CreateLeadRequest>, Invalid> {
    let mut check = Check::default();
    if requests.is_empty() || requests.len() > most {
        check.wrong("requests", format!("has {} elements, but must have 1 to {most}", requests.len()));
        return check.done(None);
    }
    let mut seen = HashSet::new();
    for (place, request) in requests.iter().enumerate() {
        // An empty lead_id stands for the request's id, in lower case.
        let (field, id) = if request.lead_id.is_empty() {
            ("request_id", request.request_id.to_ascii_lowercase())
        } else {
            ("lead_id", request.lead_id.clone())
        };
        if !id.is_empty() && !seen.insert(id.clone()) {
            let what = format!("{} stands twice in the batch: each lead once", shown(&id));
            check.wrong(format!("requests[{place}].{field}"), what);
        }
    }
    check.done(Some(requests))
}
