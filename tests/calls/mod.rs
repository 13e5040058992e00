//! One module a call: what it answers, what it refuses, and what it leaves behind.

mod apply_trigger;
mod apply_triggers;
mod batch_create_leads;
mod create_lead;
mod describe_pipeline;
mod explain_lead;
mod get_lead;
mod list_leads;
mod list_leads_by_time;
mod list_stage_changes;
mod list_watchers;
mod override_stage;
mod trigger_fields;
