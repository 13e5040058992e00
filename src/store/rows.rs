//! Rows become domain values here. A row that can't is an error that names table, column and row.

use super::StoreError;
use super::entry::{Cause, Details, Entry};
use super::types::PgTimestamp;
use crate::domain::{
    Actor, ActorId, ActorKind, AgentId, ChannelState, Channels, ContactFailures, DeadReason, Lead, LeadId, Meeting,
    MeetingId, Reason, RequestId, Stage,
};
use sqlx::types::Json;
use uuid::Uuid;

/// A lead as it is stored, with the tag of its last entry.
#[derive(Clone, Debug)]
pub struct StoredLead {
    pub lead: Lead,
    pub tag: i64,
}

/// A row of `leads`.
#[derive(Debug)]
pub(super) struct LeadRow {
    pub lead_id: String,
    pub agent_id: String,
    pub version: i32,
    pub tag: i64,
    pub stage: i16,
    pub furthest_stage: i16,
    pub dead_reason: Option<i16>,
    pub email: i16,
    pub sms: i16,
    pub voice: i16,
    pub email_failures: i32,
    pub phone_failures: i32,
    pub meeting_id: Option<String>,
    pub meeting_starts_at: Option<PgTimestamp>,
    pub meeting_ends_at: Option<PgTimestamp>,
    pub created_at: PgTimestamp,
    pub stage_entered_at: PgTimestamp,
    pub last_outreach_at: Option<PgTimestamp>,
    pub last_reply_at: Option<PgTimestamp>,
    pub follow_up_at: Option<PgTimestamp>,
}

/// A row of `entries`, without its partition.
#[derive(Debug)]
pub(super) struct EntryRow {
    pub position: i64,
    pub lead_id: String,
    pub agent_id: String,
    pub version: i32,
    pub step: i16,
    pub from_stage: Option<i16>,
    pub to_stage: i16,
    pub dead_reason: Option<i16>,
    pub dead_raised: bool,
    pub cause: i16,
    pub details: Option<Json<Details>>,
    pub actor_kind: i16,
    pub actor_id: String,
    pub reason: String,
    pub request_id: Uuid,
    pub digest: Vec<u8>,
    pub occurred_at: Option<PgTimestamp>,
    pub recorded_at: PgTimestamp,
    pub tag: i64,
}

/// The columns of a lead in a row that has others beside them.
macro_rules! lead_of_row {
    ($row:expr) => {
        $crate::store::rows::LeadRow {
            lead_id: $row.lead_id,
            agent_id: $row.agent_id,
            version: $row.version,
            tag: $row.tag,
            stage: $row.stage,
            furthest_stage: $row.furthest_stage,
            dead_reason: $row.dead_reason,
            email: $row.email,
            sms: $row.sms,
            voice: $row.voice,
            email_failures: $row.email_failures,
            phone_failures: $row.phone_failures,
            meeting_id: $row.meeting_id,
            meeting_starts_at: $row.meeting_starts_at,
            meeting_ends_at: $row.meeting_ends_at,
            created_at: $row.created_at,
            stage_entered_at: $row.stage_entered_at,
            last_outreach_at: $row.last_outreach_at,
            last_reply_at: $row.last_reply_at,
            follow_up_at: $row.follow_up_at,
        }
    };
}

/// A checked query for rows of `leads`: `lead_rows!("leads where ...", arguments...)`.
macro_rules! lead_rows {
    ($rest:literal, $($argument:expr),+ $(,)?) => {
        sqlx::query_as!(
            $crate::store::rows::LeadRow,
            r#"select lead_id, agent_id, version, tag, stage, furthest_stage, dead_reason, email, sms, voice,
                   email_failures, phone_failures, meeting_id, meeting_starts_at as "meeting_starts_at: _",
                   meeting_ends_at as "meeting_ends_at: _", created_at as "created_at: _",
                   stage_entered_at as "stage_entered_at: _", last_outreach_at as "last_outreach_at: _",
                   last_reply_at as "last_reply_at: _", follow_up_at as "follow_up_at: _"
               from "# + $rest,
            $($argument),+
        )
    };
}

/// A checked query for rows of `entries`: `entry_rows!("where ...", arguments...)`.
macro_rules! entry_rows {
    ($rest:literal, $($argument:expr),+ $(,)?) => {
        sqlx::query_as!(
            $crate::store::rows::EntryRow,
            r#"select position, lead_id, agent_id, version, step, from_stage, to_stage, dead_reason, dead_raised,
                   cause, details as "details: _", actor_kind, actor_id, reason, request_id, digest,
                   occurred_at as "occurred_at: _", recorded_at as "recorded_at: _", tag
               from entries "# + $rest,
            $($argument),+
        )
    };
}

/// A checked query for leads of one partition by their ids. By key, whatever the planner knows: see `write.sql`.
macro_rules! leads_by_id {
    ($partition:expr, $lead_ids:expr) => {
        lead_rows!(
            "unnest($2::text[]) as wanted (id) cross join lateral (select * from leads where partition = $1 and lead_id >= wanted.id order by lead_id limit 1) as leads where lead_id = wanted.id",
            $partition,
            $lead_ids as &[&str],
        )
    };
}

pub(super) use {entry_rows, lead_of_row, lead_rows, leads_by_id};

/// Turns the columns of one row into domain values.
pub(super) struct Columns<'a> {
    pub table: &'static str,
    pub row: &'a dyn std::fmt::Display,
}

impl Columns<'_> {
    pub(super) fn value<T>(&self, column: &'static str, value: Option<T>) -> Result<T, StoreError> {
        value.ok_or_else(|| StoreError::CorruptRow { table: self.table, column, row: self.row.to_string() })
    }

    fn stage(&self, column: &'static str, code: i16) -> Result<Stage, StoreError> {
        self.value(column, Stage::from_code(code.into()))
    }

    pub(super) fn dead(&self, code: Option<i16>) -> Result<Option<DeadReason>, StoreError> {
        code.map(|code| self.value("dead_reason", DeadReason::from_code(code.into()))).transpose()
    }

    fn channel(&self, column: &'static str, code: i16) -> Result<ChannelState, StoreError> {
        self.value(column, ChannelState::from_code(code.into()))
    }
}

impl TryFrom<LeadRow> for StoredLead {
    type Error = StoreError;

    fn try_from(row: LeadRow) -> Result<Self, StoreError> {
        let columns = Columns { table: "leads", row: &row.lead_id };
        let meeting = match (&row.meeting_id, row.meeting_starts_at, row.meeting_ends_at) {
            (Some(id), Some(starts_at), Some(ends_at)) => Some(Meeting {
                id: columns.value("meeting_id", MeetingId::parse(id).ok())?,
                starts_at: starts_at.0,
                ends_at: ends_at.0,
            }),
            _ => None,
        };
        let lead = Lead {
            id: columns.value("lead_id", LeadId::parse(&row.lead_id).ok())?,
            agent: columns.value("agent_id", AgentId::parse(&row.agent_id).ok())?,
            stage: columns.stage("stage", row.stage)?,
            version: row.version,
            dead: columns.dead(row.dead_reason)?,
            channels: Channels {
                email: columns.channel("email", row.email)?,
                sms: columns.channel("sms", row.sms)?,
                voice: columns.channel("voice", row.voice)?,
            },
            failures: ContactFailures { email: row.email_failures, phone: row.phone_failures },
            furthest: columns.stage("furthest_stage", row.furthest_stage)?,
            meeting,
            created_at: row.created_at.0,
            stage_entered_at: row.stage_entered_at.0,
            last_outreach_at: row.last_outreach_at.map(|at| at.0),
            last_reply_at: row.last_reply_at.map(|at| at.0),
            next_follow_up_at: row.follow_up_at.map(|at| at.0),
        };
        Ok(Self { lead, tag: row.tag })
    }
}

impl EntryRow {
    pub(super) fn into_entry(self, partition: i32) -> Result<Entry, StoreError> {
        let name = format!("partition {partition}, position {}", self.position);
        let columns = Columns { table: "entries", row: &name };
        Ok(Entry {
            lead_id: columns.value("lead_id", LeadId::parse(&self.lead_id).ok())?,
            agent: columns.value("agent_id", AgentId::parse(&self.agent_id).ok())?,
            partition,
            position: self.position,
            version: self.version,
            step: self.step,
            from: self.from_stage.map(|code| columns.stage("from_stage", code)).transpose()?,
            to: columns.stage("to_stage", self.to_stage)?,
            dead: columns.dead(self.dead_reason)?,
            dead_raised: self.dead_raised,
            cause: columns.value("cause", Cause::from_columns(self.cause, self.details.map(|json| json.0)))?,
            actor: Actor {
                kind: columns.value("actor_kind", ActorKind::from_code(self.actor_kind.into()))?,
                id: columns.value("actor_id", ActorId::parse(&self.actor_id).ok())?,
            },
            reason: columns.value("reason", Reason::parse(&self.reason).ok())?,
            request_id: RequestId(self.request_id),
            digest: columns.value("digest", self.digest.try_into().ok())?,
            occurred_at: self.occurred_at.map(|at| at.0),
            recorded_at: self.recorded_at.0,
            tag: self.tag,
        })
    }
}
