//! The calls that read: each is answered from the database, never from a memory of it.

use super::check::{Check, Invalid};
use super::service::{Calls, ServiceSettings};
use super::{describe, page, parse, render, status};
use crate::domain::{Context, LeadId, Timestamp};
use crate::proto;
use crate::store::{History, LeadKey};
use tonic::Status;

fn invalid(wrong: Invalid) -> Status {
    status::invalid(wrong, None)
}

pub async fn get_lead(calls: &Calls, request: &proto::GetLeadRequest) -> Result<proto::GetLeadResponse, Status> {
    let lead = lead(calls, &request.lead_id).await?;
    Ok(proto::GetLeadResponse { lead: Some(render::lead(&lead)) })
}

async fn lead(calls: &Calls, lead_id: &str) -> Result<crate::domain::Lead, Status> {
    let lead_id = parse::lead_id(lead_id).map_err(invalid)?;
    let lead = calls.reader.lead(&lead_id).await.map_err(|error| status::store(&error))?;
    lead.ok_or_else(|| status::lead_not_found(&lead_id))
}

pub async fn explain_lead(
    calls: &Calls,
    request: &proto::ExplainLeadRequest,
) -> Result<proto::ExplainLeadResponse, Status> {
    let lead = lead(calls, &request.lead_id).await?;
    let now = calls.store.clock().now();
    let mode = calls.store.mode(&lead).await.map_err(|error| status::store(&error))?;
    let ServiceSettings { failures_until_bad, check_in_interval, .. } = calls.settings;
    let context = Context { mode, now, failures_until_bad, check_in_interval };
    Ok(describe::lead(&lead, context))
}

pub async fn list_leads(calls: &Calls, request: &proto::ListLeadsRequest) -> Result<proto::ListLeadsResponse, Status> {
    let mut check = Check::default();
    if request.page_token.is_empty() && (request.min_time_in_stage.is_some() || request.max_time_in_stage.is_some()) {
        // The bounds are as exact as the database's time is.
        calls.store.ping().await.map_err(|error| status::store(&error))?;
    }
    // Pages of one list count from one time: that of the first, which the token brings back.
    let (now, token) = match request.page_token.split_once('.') {
        Some((now, token)) => (now.parse().map(Timestamp).ok(), token),
        None => (Some(calls.store.clock().now()), ""),
    };
    let now = now.filter(|_| token.is_empty() == request.page_token.is_empty());
    let now = now.ok_or_else(|| status::page_token(&request.page_token))?;
    let filter = parse::lead_filter(&mut check, request, now);
    let limit = check.page_size(request.page_size, calls.settings.page_default, calls.settings.page_max);
    let both = || Some((filter?, limit?));
    let (filter, limit) = check.done(both()).map_err(invalid)?;
    let list = format!("leads {filter:?} {now:?}");
    let after = match token {
        "" => None,
        token => Some(lead_key(&list, token).ok_or_else(|| status::page_token(&request.page_token))?),
    };
    // One more than the page shows whether there is another page.
    let leads = calls.store.leads(&filter, after.as_ref(), limit + 1).await;
    let mut leads = leads.map_err(|error| status::store(&error))?;
    let more = leads.len() as i64 > limit;
    leads.truncate(limit as usize);
    let last = leads.last().filter(|_| more).map(|listed| &listed.key);
    let key = |LeadKey { partition, range, at, lead_id }: &LeadKey| format!("{partition}/{range}/{}/{lead_id}", at.0);
    let next_page_token = last.map(|last| format!("{}.{}", now.0, page::token(&list, &key(last))));
    Ok(proto::ListLeadsResponse {
        leads: leads.iter().map(|listed| render::lead(&listed.lead)).collect(),
        next_page_token: next_page_token.unwrap_or_default(),
    })
}

fn lead_key(list: &str, token: &str) -> Option<LeadKey> {
    let key = page::key(list, token)?;
    let mut parts = key.splitn(4, '/');
    Some(LeadKey {
        partition: parts.next()?.parse().ok()?,
        range: parts.next()?.parse().ok()?,
        at: Timestamp(parts.next()?.parse().ok()?),
        lead_id: parts.next()?.to_owned(),
    })
}

pub async fn list_stage_changes(
    calls: &Calls,
    request: &proto::ListStageChangesRequest,
) -> Result<proto::ListStageChangesResponse, Status> {
    let mut check = Check::default();
    let lead_id = check.lead_id("lead_id", &request.lead_id);
    let limit = check.page_size(request.page_size, calls.settings.page_default, calls.settings.page_max);
    let both = || Some((lead_id?, limit?));
    let (lead_id, limit) = check.done(both()).map_err(invalid)?;
    let list = format!("history of {lead_id}");
    let after = match request.page_token.as_str() {
        "" => 0,
        token => {
            let version = page::key(&list, token).and_then(|key| key.parse().ok());
            version.ok_or_else(|| status::page_token(token))?
        }
    };
    history_page(calls, &lead_id, &list, after, limit).await
}

async fn history_page(
    calls: &Calls,
    lead_id: &LeadId,
    list: &str,
    after: i32,
    limit: i64,
) -> Result<proto::ListStageChangesResponse, Status> {
    let history = calls.store.history(lead_id, after, limit + 1).await.map_err(|error| status::store(&error))?;
    let History { first_version, mut entries } = history.ok_or_else(|| status::lead_not_found(lead_id))?;
    let more = entries.len() as i64 > limit;
    entries.truncate(limit as usize);
    let last = entries.last().filter(|_| more);
    let next_page_token = last.map(|entry| page::token(list, &entry.version.to_string()));
    Ok(proto::ListStageChangesResponse {
        changes: entries.iter().map(render::change).collect(),
        next_page_token: next_page_token.unwrap_or_default(),
        first_version,
    })
}
