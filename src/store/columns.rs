//! A batch as the arrays that `write.sql` takes, and the rows that `known.sql` and `history.sql` give.

use super::StoreError;
use super::entry::Details;
use super::rows::{EntryRow, LeadRow};
use super::types::PgTimestamp;
use super::write::{LeadWrite, PrunedRequest};
use crate::domain::{DeadReason, RequestId, Stage};
use sqlx::types::Json;
use uuid::Uuid;

/// Defines a struct of arrays, one field a column.
macro_rules! columns {
    ($(#[$meta:meta])* $Name:ident { $($column:ident: $Type:ty),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Default)]
        pub(super) struct $Name<'a> { $(pub $column: Vec<$Type>,)+ }

        impl $Name<'_> {
            fn with_capacity(rows: usize) -> Self {
                Self { $($column: Vec::with_capacity(rows),)+ }
            }
        }
    };
}

columns!(
    /// The leads of a batch.
    LeadColumns {
        ordinal: i32,
        lead_id: &'a str,
        agent_id: &'a str,
        expected_version: Option<i32>,
        expected_tag: Option<i64>,
        version: i32,
        tag: i64,
        stage: i16,
        furthest_stage: i16,
        dead_reason: Option<i16>,
        email: i16,
        sms: i16,
        voice: i16,
        email_failures: i32,
        phone_failures: i32,
        meeting_id: Option<&'a str>,
        meeting_starts_at: Option<PgTimestamp>,
        meeting_ends_at: Option<PgTimestamp>,
        stage_entered: bool,
        outreach: bool,
        reply: bool,
    }
);

columns!(
    /// The entries of a batch.
    EntryColumns {
        number: i32,
        lead: i32,
        lead_id: &'a str,
        agent_id: &'a str,
        version: i32,
        step: i16,
        from_stage: Option<i16>,
        to_stage: i16,
        dead_reason: Option<i16>,
        dead_raised: bool,
        cause: i16,
        details: Option<Json<Details>>,
        actor_kind: i16,
        actor_id: &'a str,
        reason: &'a str,
        request_id: Uuid,
        digest: &'a [u8],
        occurred_at: Option<PgTimestamp>,
        tag: i64,
    }
);

impl<'a> LeadColumns<'a> {
    pub(super) fn of(batch: &[&'a LeadWrite]) -> Self {
        let mut columns = Self::with_capacity(batch.len());
        for (place, write) in batch.iter().enumerate() {
            let lead = &write.lead;
            columns.ordinal.push(place as i32);
            columns.lead_id.push(lead.id.as_str());
            columns.agent_id.push(lead.agent.as_str());
            columns.expected_version.push(write.base.map(|base| base.version));
            columns.expected_tag.push(write.base.map(|base| base.tag));
            columns.version.push(lead.version);
            columns.tag.push(write.tag());
            columns.stage.push(lead.stage.code());
            columns.furthest_stage.push(lead.furthest.code());
            columns.dead_reason.push(lead.dead.map(DeadReason::code));
            columns.email.push(lead.channels.email.code());
            columns.sms.push(lead.channels.sms.code());
            columns.voice.push(lead.channels.voice.code());
            columns.email_failures.push(lead.failures.email);
            columns.phone_failures.push(lead.failures.phone);
            columns.meeting_id.push(lead.meeting.as_ref().map(|meeting| meeting.id.as_str()));
            columns.meeting_starts_at.push(lead.meeting.as_ref().map(|meeting| PgTimestamp(meeting.starts_at)));
            columns.meeting_ends_at.push(lead.meeting.as_ref().map(|meeting| PgTimestamp(meeting.ends_at)));
            columns.stage_entered.push(write.stamps.stage_entered);
            columns.outreach.push(write.stamps.outreach);
            columns.reply.push(write.stamps.reply);
        }
        columns
    }
}

impl<'a> EntryColumns<'a> {
    pub(super) fn of(batch: &[&'a LeadWrite]) -> Self {
        let mut columns = Self::with_capacity(batch.iter().map(|write| write.entries.len()).sum());
        let entries =
            batch.iter().enumerate().flat_map(|(place, write)| write.entries.iter().map(move |e| (place, write, e)));
        for (number, (place, write, entry)) in entries.enumerate() {
            let (cause, details) = entry.cause.to_columns();
            columns.number.push(number as i32);
            columns.lead.push(place as i32);
            columns.lead_id.push(write.lead.id.as_str());
            columns.agent_id.push(write.lead.agent.as_str());
            columns.version.push(entry.version);
            columns.step.push(entry.step);
            columns.from_stage.push(entry.from.map(Stage::code));
            columns.to_stage.push(entry.to.code());
            columns.dead_reason.push(entry.dead.map(DeadReason::code));
            columns.dead_raised.push(entry.dead_raised);
            columns.cause.push(cause);
            columns.details.push(details.map(Json));
            columns.actor_kind.push(entry.actor.kind.code());
            columns.actor_id.push(entry.actor.id.as_str());
            columns.reason.push(entry.reason.as_str());
            columns.request_id.push(entry.request_id.0);
            columns.digest.push(&entry.digest);
            columns.occurred_at.push(entry.occurred_at.map(PgTimestamp));
            columns.tag.push(entry.tag);
        }
        columns
    }
}

/// Defines a row of a lead that may have one of its entries beside its own columns.
macro_rules! row_with_entry {
    ($(#[$meta:meta])* $Name:ident { $($column:ident: $Type:ty),+ $(,)? }) => {
        $(#[$meta])*
        pub(super) struct $Name {
            $(pub $column: $Type,)+
            pub position: Option<i64>,
            pub entry_version: Option<i32>,
            pub step: Option<i16>,
            pub from_stage: Option<i16>,
            pub to_stage: Option<i16>,
            pub entry_dead_reason: Option<i16>,
            pub dead_raised: Option<bool>,
            pub cause: Option<i16>,
            pub details: Option<Json<Details>>,
            pub actor_kind: Option<i16>,
            pub actor_id: Option<String>,
            pub reason: Option<String>,
            pub request_id: Option<Uuid>,
            pub digest: Option<Vec<u8>>,
            pub occurred_at: Option<PgTimestamp>,
            pub recorded_at: Option<PgTimestamp>,
            pub entry_tag: Option<i64>,
        }

        impl $Name {
            pub(super) fn entry(&self) -> Option<EntryRow> {
                Some(EntryRow {
                    position: self.position?,
                    lead_id: self.lead_id.clone(),
                    agent_id: self.agent_id.clone(),
                    version: self.entry_version?,
                    step: self.step?,
                    from_stage: self.from_stage,
                    to_stage: self.to_stage?,
                    dead_reason: self.entry_dead_reason,
                    dead_raised: self.dead_raised?,
                    cause: self.cause?,
                    details: self.details.clone(),
                    actor_kind: self.actor_kind?,
                    actor_id: self.actor_id.clone()?,
                    reason: self.reason.clone()?,
                    request_id: self.request_id?,
                    digest: self.digest.clone()?,
                    occurred_at: self.occurred_at,
                    recorded_at: self.recorded_at?,
                    tag: self.entry_tag?,
                })
            }
        }
    };
}

row_with_entry!(
    /// A row of `known.sql`: a lead, and one entry of a request that was asked for, or what a prune left of one, if there
    /// is any.
    KnownRow {
        lead_id: String,
        agent_id: String,
        version: i32,
        tag: i64,
        stage: i16,
        furthest_stage: i16,
        dead_reason: Option<i16>,
        email: i16,
        sms: i16,
        voice: i16,
        email_failures: i32,
        phone_failures: i32,
        meeting_id: Option<String>,
        meeting_starts_at: Option<PgTimestamp>,
        meeting_ends_at: Option<PgTimestamp>,
        created_at: PgTimestamp,
        stage_entered_at: PgTimestamp,
        last_outreach_at: Option<PgTimestamp>,
        last_reply_at: Option<PgTimestamp>,
        pruned_request_id: Option<Uuid>,
        pruned_digest: Option<Vec<u8>>,
        pruned_moved: Option<bool>,
    }
);

row_with_entry!(
    /// A row of `history.sql`: where a lead's history starts, and one entry of the page, if there is any.
    HistoryRow {
        lead_id: String,
        agent_id: String,
        first_version: i32,
    }
);

impl KnownRow {
    /// What a prune left of the request.
    pub(super) fn pruned(&self) -> Result<Option<(RequestId, PrunedRequest)>, StoreError> {
        let (Some(request_id), Some(digest), Some(moved)) =
            (self.pruned_request_id, &self.pruned_digest, self.pruned_moved)
        else {
            return Ok(None);
        };
        let digest = digest.as_slice().try_into().map_err(|_| StoreError::CorruptRow {
            table: "pruned_requests",
            column: "digest",
            row: format!("lead {}, request {request_id}", self.lead_id),
        })?;
        Ok(Some((RequestId(request_id), PrunedRequest { digest, moved })))
    }

    pub(super) fn into_lead(self) -> LeadRow {
        LeadRow {
            lead_id: self.lead_id,
            agent_id: self.agent_id,
            version: self.version,
            tag: self.tag,
            stage: self.stage,
            furthest_stage: self.furthest_stage,
            dead_reason: self.dead_reason,
            email: self.email,
            sms: self.sms,
            voice: self.voice,
            email_failures: self.email_failures,
            phone_failures: self.phone_failures,
            meeting_id: self.meeting_id,
            meeting_starts_at: self.meeting_starts_at,
            meeting_ends_at: self.meeting_ends_at,
            created_at: self.created_at,
            stage_entered_at: self.stage_entered_at,
            last_outreach_at: self.last_outreach_at,
            last_reply_at: self.last_reply_at,
        }
    }
}
