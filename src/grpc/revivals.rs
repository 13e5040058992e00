//! The calls about agents: their mode, and the revivals that it brings.

use super::check::Check;
use super::service::{Calls, Service};
use super::writes::Call;
use super::{page, parse, render, status};
use crate::domain::{AgentId, RequestId, Unrevived};
use crate::proto;
use crate::store::{Accepted, NewRevival, Revival, RevivalKey};
use futures::stream::{self, BoxStream, StreamExt};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Status};
use uuid::Uuid;

pub async fn revive_for_mode(
    service: &Service,
    request: Request<proto::ReviveForModeRequest>,
) -> Result<BoxStream<'static, Result<proto::ReviveForModeResponse, Status>>, Status> {
    let call = Call::of(&request);
    let request = request.into_inner();
    let made = service.made_id();
    let sent = super::writes::sent_id(&request.request_id, made);
    call.note.about("", &sent);
    let validate_only = request.validate_only;
    let new = parse::revive(request, made, service.made_id().0).map_err(|wrong| status::invalid(wrong, Some(&sent)))?;
    let calls = service.calls(Some(&sent))?;
    let failed = |error| status::store_write(&error, &sent);
    let before = calls.store.revival_of_request(&new).await.map_err(failed)?;
    let accepted = match before {
        Some(before) => before,
        None if validate_only => return preview(calls, &new).await,
        None => {
            let store = calls.store.clone();
            let new = new.clone();
            // A task of its own: a caller that goes away must not leave it half asked.
            let accepting = tokio::spawn(async move { store.accept(&new).await });
            let accepted = accepting.await.map_err(|_| status::outcome_unknown(&sent))?;
            calls.revivals.accepted();
            accepted.map_err(failed)?
        }
    };
    let (revival_id, replayed) = match accepted {
        Accepted::Begun => (new.revival_id, false),
        Accepted::Before { same_content: false, .. } => return Err(status::revival_reused(&new.agent, &sent)),
        Accepted::Before { revival_id, .. } => (revival_id, true),
    };
    call.note.outcome(if replayed { "replayed" } else { "accepted" });
    let progress = Progress {
        service: service.clone(),
        revival_id,
        replayed,
        request_id: new.request_id,
        interval: calls.settings.revival_progress,
        stop: calls.going_away.clone(),
        told: None,
    };
    Ok(stream::unfold(Some(progress), Progress::next).boxed())
}

/// What would become of the leads, in one response.
async fn preview(
    calls: &Calls,
    new: &NewRevival,
) -> Result<BoxStream<'static, Result<proto::ReviveForModeResponse, Status>>, Status> {
    let exhausted = calls.store.all_exhausted(&new.agent).await;
    let mut revival = proto::Revival {
        agent_id: new.agent.to_string(),
        outreach_mode: new.mode.code().into(),
        request_id: new.request_id.to_string(),
        actor: Some(render::actor(&new.actor)),
        remaining: Some(0),
        ..Default::default()
    };
    for alike in exhausted.map_err(|error| status::store(&error))? {
        let count = match crate::domain::revivable(alike.dead, alike.channels, new.mode) {
            Ok(()) => &mut revival.revived,
            Err(Unrevived::Dead) => &mut revival.skipped_dead,
            Err(Unrevived::NoOpenChannel) => &mut revival.skipped_no_open_channel,
        };
        *count += alike.leads;
    }
    let request_id = new.request_id.to_string();
    let response = proto::ReviveForModeResponse { revival: Some(revival), replayed: false, request_id };
    Ok(stream::once(async { Ok(response) }).boxed())
}

/// Tells how far a revival is, until it has ended.
struct Progress {
    service: Service,
    revival_id: Uuid,
    replayed: bool,
    request_id: RequestId,
    interval: Duration,
    stop: CancellationToken,
    /// What was told last.
    told: Option<Revival>,
}

type Told = Result<proto::ReviveForModeResponse, Status>;

impl Progress {
    async fn next(progress: Option<Self>) -> Option<(Told, Option<Self>)> {
        let mut progress = progress?;
        match progress.news().await {
            Ok(None) => None,
            Ok(Some(revival)) => {
                let response = proto::ReviveForModeResponse {
                    revival: Some(render::revival(&revival)),
                    replayed: progress.replayed,
                    request_id: progress.request_id.to_string(),
                };
                progress.told = Some(revival);
                Some((Ok(response), Some(progress)))
            }
            Err(error) => Some((Err(error), None)),
        }
    }

    /// What there is to tell; `None` after the end.
    async fn news(&self) -> Result<Option<Revival>, Status> {
        if self.told.as_ref().is_some_and(|told| told.finished_at.is_some()) {
            return Ok(None);
        }
        let request_id = self.request_id.to_string();
        loop {
            if self.told.is_some() {
                tokio::select! {
                    () = self.stop.cancelled() => return Err(status::revival_goes_on(&request_id)),
                    () = tokio::time::sleep(self.interval) => (),
                }
            }
            let calls = self.service.calls(Some(&request_id))?;
            let found = calls.store.revival(self.revival_id).await;
            let found = found.map_err(|error| status::store_write(&error, &request_id))?;
            let Some(revival) = found else { return Err(status::revival_not_found(&self.revival_id.to_string())) };
            if self.told.as_ref() != Some(&revival) {
                return Ok(Some(revival));
            }
        }
    }
}

pub async fn get_revival(
    calls: &Calls,
    request: &proto::GetRevivalRequest,
) -> Result<proto::GetRevivalResponse, Status> {
    let mut check = Check::default();
    let id = check.uuid("revival_id", &request.revival_id);
    let id = check.done(id).map_err(|wrong| status::invalid(wrong, None))?;
    let revival = calls.store.revival(id).await.map_err(|error| status::store(&error))?;
    let revival = revival.ok_or_else(|| status::revival_not_found(&id.to_string()))?;
    Ok(proto::GetRevivalResponse { revival: Some(render::revival(&revival)) })
}

pub async fn list_revivals(
    calls: &Calls,
    request: &proto::ListRevivalsRequest,
) -> Result<proto::ListRevivalsResponse, Status> {
    let mut check = Check::default();
    let agent = check.agent_filter("agent_id", &request.agent_id);
    let limit = check.page_size(request.page_size, calls.settings.page_default, calls.settings.page_max);
    let both = || Some((agent?, limit?));
    let (agent, limit) = check.done(both()).map_err(|wrong| status::invalid(wrong, None))?;
    let list = format!("revivals {agent:?}");
    let after = match request.page_token.as_str() {
        "" => None,
        token => Some(revival_key(&list, token).ok_or_else(|| status::page_token(token))?),
    };
    let revivals = calls.store.revivals(agent.as_ref(), after.as_ref(), limit + 1).await;
    let mut revivals = revivals.map_err(|error| status::store(&error))?;
    let more = revivals.len() as i64 > limit;
    revivals.truncate(limit as usize);
    let last = revivals.last().filter(|_| more);
    let key = |revival: &Revival| {
        format!("{}/{}/{}", calls.store.partition_of(revival.agent.as_str()), revival.agent, revival.number)
    };
    Ok(proto::ListRevivalsResponse {
        revivals: revivals.iter().map(render::revival).collect(),
        next_page_token: last.map(|last| page::token(&list, &key(last))).unwrap_or_default(),
    })
}

fn revival_key(list: &str, token: &str) -> Option<RevivalKey> {
    let key = page::key(list, token)?;
    let mut parts = key.splitn(3, '/');
    Some(RevivalKey {
        partition: parts.next()?.parse().ok()?,
        agent: parts.next()?.to_owned(),
        number: parts.next()?.parse().ok()?,
    })
}

pub async fn get_agent(calls: &Calls, request: &proto::GetAgentRequest) -> Result<proto::GetAgentResponse, Status> {
    let mut check = Check::default();
    let agent = check.agent_id("agent_id", &request.agent_id);
    let agent: AgentId = check.done(agent).map_err(|wrong| status::invalid(wrong, None))?;
    let found = calls.store.agent(&agent).await.map_err(|error| status::store(&error))?;
    let found = found.ok_or_else(|| status::agent_not_found(&agent))?;
    Ok(proto::GetAgentResponse { agent: Some(render::agent(&found)) })
}

pub async fn list_agents(
    calls: &Calls,
    request: &proto::ListAgentsRequest,
) -> Result<proto::ListAgentsResponse, Status> {
    let mut check = Check::default();
    let limit = check.page_size(request.page_size, calls.settings.page_default, calls.settings.page_max);
    let limit = check.done(limit).map_err(|wrong| status::invalid(wrong, None))?;
    let after = match request.page_token.as_str() {
        "" => String::new(),
        token => page::key("agents", token).ok_or_else(|| status::page_token(token))?,
    };
    let agents = calls.store.agents(&after, limit + 1).await;
    let mut agents = agents.map_err(|error| status::store(&error))?;
    let more = agents.len() as i64 > limit;
    agents.truncate(limit as usize);
    let last = agents.last().filter(|_| more);
    Ok(proto::ListAgentsResponse {
        agents: agents.iter().map(render::agent).collect(),
        next_page_token: last.map(|last| page::token("agents", last.agent.as_str())).unwrap_or_default(),
    })
}
