//! Leads to decide on.

use lead_pipeline::domain::{
    AgentId, AttemptFailure, Channel, ContactPoint, Context, Creation, Lead, LeadId, Meeting, MeetingId, OutreachMode,
    Span, Stage, Timestamp, create,
};

/// A new lead with these contact points.
pub fn creation(contact_points: &[ContactPoint]) -> Creation {
    Creation {
        lead_id: LeadId::parse("lead-1").expect("valid"),
        agent: AgentId::parse("anna").expect("valid"),
        contact_points: contact_points.to_vec(),
    }
}

/// A lead of both contact points that stands in the stage.
pub fn lead_in(stage: Stage) -> Lead {
    let mut lead = create(&creation(ContactPoint::ALL), Timestamp(0)).lead;
    lead.stage = stage;
    lead.furthest = lead.furthest.furthest(stage);
    lead
}

pub fn meeting_id(id: &str) -> MeetingId {
    MeetingId::parse(id).expect("valid")
}

pub fn meeting(id: &str, starts_at: i64, ends_at: i64) -> Meeting {
    Meeting { id: meeting_id(id), starts_at: Timestamp(starts_at), ends_at: Timestamp(ends_at) }
}

pub const NOW: Timestamp = Timestamp(1_000);

pub const fn context(mode: OutreachMode) -> Context {
    Context { mode, now: NOW, failures_until_bad: 3, check_in_interval: Span(1_000_000) }
}

/// Every channel with every failure that it can have.
pub fn attempts() -> impl Iterator<Item = (Channel, AttemptFailure)> {
    Channel::ALL
        .iter()
        .flat_map(|channel| AttemptFailure::ALL.iter().map(|failure| (*channel, *failure)))
        .filter(|attempt| *attempt != (Channel::Email, AttemptFailure::RejectedByCarrier))
}
