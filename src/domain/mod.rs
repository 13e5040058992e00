//! The rules: what a lead is, and what happens to it. Comes in: a lead, what is asked of it, the time. Goes out: the
//! lead afterwards and the entries to record, or why not. Never does I/O, reads a clock or draws a random number.

mod channel;
mod coded;
mod decide;
mod ids;
mod lead;
mod stage;
mod table;
mod trigger;

pub use channel::{
    AttemptFailure, Channel, ChannelState, Channels, ContactFailures, ContactPoint, Evidence, OutreachMode,
};
pub use decide::{Context, Decision, FollowUp, Refusal, Stamps, Step, create, decide};
pub use ids::{ActorId, AgentId, InvalidText, LeadId, MeetingId, Reason, RequestId};
pub use lead::{Actor, ActorKind, Lead, Meeting, Timestamp};
pub use stage::{ConversationMode, DeadReason, Stage, StageKind};
pub use trigger::{Action, Creation, Override, Trigger, TriggerKind};
