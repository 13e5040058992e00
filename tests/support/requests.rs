//! Requests in few words.

use lead_pipeline::proto::batch_create_leads_result::Result as BatchResult;
use lead_pipeline::proto::trigger::Kind;
use lead_pipeline::proto::{
    Actor, ActorKind, AllChannelsUsedUp, ApplyTriggerRequest, BatchCreateLeadsRequest, BatchCreateLeadsResponse,
    Channel, ChannelUsedUp, ChecklistCompleted, CreateLeadRequest, CreateLeadResponse, GetLeadRequest, Lead,
    LeadReplied, ListLeadsRequest, ListStageChangesRequest, Meeting, MeetingBooked, MessageSent, NotInterested,
    OptedOut, OverrideStageRequest, Stage, StageChange, Trigger,
};
use prost_types::Timestamp;
use std::sync::atomic::{AtomicU64, Ordering};
use tonic::{Code, Status};

use super::server::Client;

static REQUESTS: AtomicU64 = AtomicU64::new(1);

/// A request_id that no other request of this run has; later ones sort behind earlier ones.
pub fn new_id() -> String {
    let number = REQUESTS.fetch_add(1, Ordering::Relaxed);
    uuid::Uuid::from_u64_pair(0x0199_d2a0_5b3e_7000 | (number >> 48), 0x8000_0000_0000_0000 | number).to_string()
}

pub fn create(lead_id: &str) -> CreateLeadRequest {
    CreateLeadRequest { lead_id: lead_id.into(), request_id: new_id(), ..Default::default() }
}

pub fn batch(requests: impl IntoIterator<Item = CreateLeadRequest>) -> BatchCreateLeadsRequest {
    BatchCreateLeadsRequest { requests: requests.into_iter().collect() }
}

/// What became of each lead of a batch: what CreateLead would have answered.
pub fn batch_results(response: tonic::Response<BatchCreateLeadsResponse>) -> Vec<Result<CreateLeadResponse, Status>> {
    let result = |result| match result {
        Some(BatchResult::Response(response)) => Ok(response),
        Some(BatchResult::Error(error)) => {
            let details = prost::Message::encode_to_vec(&error);
            Err(Status::with_details(Code::from_i32(error.code), error.message, details.into()))
        }
        None => panic!("every result is set"),
    };
    response.into_inner().results.into_iter().map(|element| result(element.result)).collect()
}

pub fn trigger(lead_id: &str, kind: Kind) -> ApplyTriggerRequest {
    ApplyTriggerRequest {
        lead_id: lead_id.into(),
        trigger: Some(Trigger { kind: Some(kind) }),
        request_id: new_id(),
        ..Default::default()
    }
}

pub fn override_to(lead_id: &str, stage: Stage) -> OverrideStageRequest {
    OverrideStageRequest {
        lead_id: lead_id.into(),
        stage: stage.into(),
        request_id: new_id(),
        actor: Some(person()),
        ..Default::default()
    }
}

pub fn person() -> Actor {
    actor(ActorKind::Person, "mia@sales")
}

pub fn actor(kind: ActorKind, id: &str) -> Actor {
    Actor { kind: kind.into(), id: id.into() }
}

pub fn message_sent() -> Kind {
    Kind::MessageSent(MessageSent {})
}

/// A reply by no channel in particular.
pub fn replied() -> Kind {
    Kind::LeadReplied(LeadReplied { channel: 0 })
}

pub fn checklist_completed() -> Kind {
    Kind::ChecklistCompleted(ChecklistCompleted {})
}

pub fn used_up(channel: Channel) -> Kind {
    Kind::ChannelUsedUp(ChannelUsedUp { channel: channel.into() })
}

pub fn all_used_up() -> Kind {
    Kind::AllChannelsUsedUp(AllChannelsUsedUp {})
}

pub fn booked(meeting: Meeting) -> Kind {
    Kind::MeetingBooked(MeetingBooked { meeting: Some(meeting) })
}

pub fn opted_out() -> Kind {
    Kind::OptedOut(OptedOut {})
}

pub fn not_interested() -> Kind {
    Kind::NotInterested(NotInterested {})
}

/// A meeting in the year 2100, of half an hour.
pub fn meeting(meeting_id: &str) -> Meeting {
    Meeting { meeting_id: meeting_id.into(), starts_at: Some(time(4_102_444_800)), ends_at: Some(time(4_102_446_600)) }
}

/// Seconds since 1970.
pub const fn time(seconds: i64) -> Timestamp {
    Timestamp { seconds, nanos: 0 }
}

/// Creates a lead with both contact points.
pub async fn created(client: &mut Client, lead_id: &str) -> Lead {
    let response = client.create_lead(create(lead_id)).await.expect("the lead is created").into_inner();
    response.lead.expect("a lead")
}

/// Applies a trigger that is accepted.
pub async fn applied(client: &mut Client, lead_id: &str, kind: Kind) -> Lead {
    let response = client.apply_trigger(trigger(lead_id, kind)).await.expect("the trigger is accepted").into_inner();
    response.lead.expect("a lead")
}

/// Sets a lead's stage.
pub async fn overridden(client: &mut Client, lead_id: &str, stage: Stage) -> Lead {
    let response = client.override_stage(override_to(lead_id, stage)).await.expect("an override").into_inner();
    response.lead.expect("a lead")
}

pub async fn lead(client: &mut Client, lead_id: &str) -> Lead {
    let response = client.get_lead(GetLeadRequest { lead_id: lead_id.into() }).await.expect("the lead is there");
    response.into_inner().lead.expect("a lead")
}

/// Every lead there is.
pub async fn all_leads(client: &mut Client) -> Vec<Lead> {
    let mut leads = Vec::new();
    let mut request = ListLeadsRequest { page_size: 1000, ..Default::default() };
    loop {
        let page = client.list_leads(request.clone()).await.expect("a page of leads").into_inner();
        leads.extend(page.leads);
        if page.next_page_token.is_empty() {
            return leads;
        }
        request.page_token = page.next_page_token;
    }
}

/// A lead's whole history, in one page.
pub async fn history(client: &mut Client, lead_id: &str) -> Vec<StageChange> {
    let request = ListStageChangesRequest { lead_id: lead_id.into(), page_size: 1000, ..Default::default() };
    let response = client.list_stage_changes(request).await.expect("the history is there").into_inner();
    assert_eq!(response.next_page_token, "", "more history than a page");
    response.changes
}
