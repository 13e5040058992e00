//! What the pipeline does while nobody looks. Time is the database's and an offset that the tests move.

mod follow_ups;
mod funnel;
mod funnel_model;
mod leasing;
mod meetings;
mod offset;
mod quiet;
mod races;
pub mod revivals;
mod simulation;
mod workers;

use crate::support::requests::{create, lead, overridden};
use crate::support::server::{Client, Database};
use lead_pipeline::proto::{
    CompleteFollowUpRequest, CreateLeadRequest, FollowUp, Lead, LeaseFollowUpsRequest, LeaseFollowUpsResponse, Stage,
};
use prost_types::Timestamp;
use tonic::Status;

/// In microseconds.
const DAY: i64 = 86_400_000_000;

/// A time in microseconds since 1970.
fn time_of(time: Option<Timestamp>) -> i64 {
    let time = time.expect("a time");
    assert_eq!(time.nanos % 1000, 0, "cut to microseconds");
    time.seconds * 1_000_000 + i64::from(time.nanos) / 1000
}

/// The pipeline's time, in microseconds.
async fn moment(database: &mut Database) -> i64 {
    database.number("select extract(epoch from clock_timestamp() + time_offset) * 1000000 from pipeline").await
}

async fn created_for(client: &mut Client, agent_id: &str, lead_id: &str) {
    let request = CreateLeadRequest { agent_id: agent_id.into(), ..create(lead_id) };
    client.create_lead(request).await.expect("created");
}

/// A lead with a follow-up that is due: it was revived.
async fn due(client: &mut Client, agent_id: &str, lead_id: &str) -> Lead {
    created_for(client, agent_id, lead_id).await;
    overridden(client, lead_id, Stage::Exhausted).await;
    overridden(client, lead_id, Stage::Contacted).await;
    lead(client, lead_id).await
}

async fn nurtured(client: &mut Client, agent_id: &str, lead_id: &str) -> Lead {
    created_for(client, agent_id, lead_id).await;
    overridden(client, lead_id, Stage::Nurture).await
}

/// A request for follow-ups of an agent, or of all.
fn of(agent_id: &str) -> LeaseFollowUpsRequest {
    LeaseFollowUpsRequest { agent_id: agent_id.into(), ..Default::default() }
}

async fn lease(client: &mut Client, request: LeaseFollowUpsRequest) -> LeaseFollowUpsResponse {
    client.lease_follow_ups(request).await.expect("an answer").into_inner()
}

/// The follow-ups that a call gets.
async fn leased(client: &mut Client, request: LeaseFollowUpsRequest) -> Vec<FollowUp> {
    let response = lease(client, request).await;
    assert!(response.follow_ups.is_empty() || response.next_due_at.is_none(), "{response:?}");
    response.follow_ups
}

/// Completes a follow-up; returns when the lead's next one is due.
async fn complete(client: &mut Client, follow_up: &FollowUp) -> Result<Option<i64>, Status> {
    let FollowUp { follow_up_id, lease_token, .. } = follow_up.clone();
    let response = client.complete_follow_up(CompleteFollowUpRequest { follow_up_id, lease_token }).await?;
    Ok(response.into_inner().next_follow_up_at.map(|at| time_of(Some(at))))
}
