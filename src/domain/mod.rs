//! The rules: what a lead is, and what happens to it. Comes in: a lead, what is asked of it, the time. Goes out: the
//! lead afterwards and the entries to record, or why not. Never does I/O, reads a clock or draws a random number.

mod channel;
mod coded;
mod condition;
mod decide;
mod decision;
mod explain;
mod ids;
mod lead;
mod marks;
mod refusal;
mod stage;
mod table;
mod trigger;

pub use channel::{
    AttemptFailure, Channel, ChannelState, Channels, ContactFailures, ContactPoint, Evidence, OutreachMode,
};
pub use condition::Condition;
pub use decide::{create, decide, revivable, revive};
pub use decision::{Agenda, Context, Decision, FollowUp, Stamps, Step, Timer};
pub use explain::{Details, Explanation, accepted_triggers, explain};
pub use ids::{ActorId, AgentId, InvalidText, LeadId, MeetingId, Reason, RequestId};
pub use lead::{Actor, ActorKind, Lead, Meeting, Span, Timestamp};
pub use refusal::{Refusal, RefusalKind, Unrevived};
pub use stage::{ConversationMode, DeadReason, Stage, StageKind};
pub use table::{Outcome, Transition, TransitionResult, transitions};
pub use trigger::{Action, Creation, Override, Trigger, TriggerKind};
