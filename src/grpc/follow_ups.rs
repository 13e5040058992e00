//! The calls that hand out follow-ups, and take them back.

use super::check::Check;
use super::service::Calls;
use super::writes::Call;
use super::{render, status};
use crate::domain::{LeadId, Span};
use crate::proto;
use crate::store::{Completion, Leased};
use crate::timers::LeaseRequest;
use std::sync::Arc;
use std::time::Duration;
use tonic::{Request, Status};
use uuid::Uuid;

/// How many follow-ups a caller gets that doesn't say, and for how long.
const MOST: usize = 10;
const LEASE: Duration = Duration::from_mins(1);

/// The longest and shortest lease.
const LONGEST: Duration = Duration::from_hours(24);
const SHORTEST: Duration = Duration::from_secs(1);

pub async fn lease(
    calls: &Calls,
    request: Request<proto::LeaseFollowUpsRequest>,
) -> Result<proto::LeaseFollowUpsResponse, Status> {
    let call = Call::of(&request);
    let request = request.into_inner();
    let mut check = Check::default();
    let agent = check.agent_filter("agent_id", &request.agent_id);
    let most = check.count("max_follow_ups", request.max_follow_ups, MOST, calls.settings.lease_follow_ups);
    let lease = check.duration("lease_duration", request.lease_duration.as_ref(), SHORTEST..=LONGEST);
    let wait = check.duration("wait", request.wait.as_ref(), Duration::ZERO..=Duration::MAX);
    let all = || Some((agent?, most?, lease?, wait?));
    let (agent, most, lease, wait) = check.done(all()).map_err(|wrong| status::invalid(wrong, None))?;
    let wait = wait.unwrap_or_default().min(calls.settings.lease_wait);
    // An answer that comes after the caller's deadline would hand out what nobody works on.
    let wait = call.timeout.map_or(wait, |timeout| wait.min(timeout.saturating_sub(timeout / 10)));
    let _place = if wait.is_zero() {
        None
    } else {
        Some(Arc::clone(&calls.follow_ups.waiting).try_acquire_owned().map_err(|_| status::waiters())?)
    };
    let request = LeaseRequest { agent, most, lease: Span::from(lease.unwrap_or(LEASE)), until: call.arrived + wait };
    let handed = tokio::select! {
        handed = calls.follow_ups.lease(&request) => handed.map_err(|error| status::store(&error))?,
        // Nothing was handed out yet, or its lease ends: a caller hears to ask elsewhere.
        () = calls.going_away.cancelled() => return Err(status::stopping_read()),
    };
    Ok(proto::LeaseFollowUpsResponse {
        follow_ups: handed.leased.iter().map(follow_up).collect(),
        next_due_at: handed.next_due_at.map(render::timestamp),
    })
}

fn follow_up(leased: &Leased) -> proto::FollowUp {
    proto::FollowUp {
        follow_up_id: format!("{}/{}", leased.lead.id, leased.number),
        lease_token: leased.token.to_string(),
        lead: Some(render::lead(&leased.lead)),
        due_at: Some(render::timestamp(leased.due_at)),
        lease_expires_at: Some(render::timestamp(leased.expires_at)),
    }
}

pub async fn complete(
    calls: &Calls,
    request: &proto::CompleteFollowUpRequest,
) -> Result<proto::CompleteFollowUpResponse, Status> {
    let mut check = Check::default();
    let follow_up = follow_up_id(&mut check, &request.follow_up_id);
    let token = check.uuid("lease_token", &request.lease_token);
    let both = || Some((follow_up?, token?));
    let ((lead_id, number), token): ((LeadId, i32), Uuid) =
        check.done(both()).map_err(|wrong| status::invalid(wrong, None))?;
    let completed = calls.store.complete(&lead_id, number, token, calls.settings.check_in_interval).await;
    match completed.map_err(|error| status::store(&error))? {
        Completion::Done { next } => {
            Ok(proto::CompleteFollowUpResponse { next_follow_up_at: next.map(render::timestamp) })
        }
        Completion::Lost => Err(status::lease_lost(&request.follow_up_id)),
    }
}

fn follow_up_id(check: &mut Check, text: &str) -> Option<(LeadId, i32)> {
    let parsed = text.split_once('/').and_then(|(lead_id, number)| {
        // Only as it was sent: no sign, no zeros in front, and no more digits than any lead comes to.
        let digits = |number: &&str| (1..=9).contains(&number.len()) && !number.starts_with(['+', '-', '0']);
        let number = Some(number).filter(digits)?.parse::<i32>().ok()?;
        Some((LeadId::parse(lead_id).ok()?, number))
    });
    if parsed.is_none() {
        check.wrong("follow_up_id", "is required: the follow_up_id of LeaseFollowUps, as it came");
    }
    parsed
}
