//! A batch as the rows that `write.sql` takes, and the rows that `known.sql` and `history.sql` give.

use super::StoreError;
use super::entry::Details;
use super::rows::{EntryRow, LeadRow, lead_of_row};
use super::types::PgTimestamp;
use super::write::{Entered, LeadWrite, NewEntry, PrunedRequest};
use crate::domain::{DeadReason, FollowUp, RequestId, Stage, Timer};
use sqlx::postgres::{PgHasArrayType, PgTypeInfo, Postgres};
use sqlx::types::Json;
use sqlx::{Encode, Type};
use uuid::Uuid;

/// Defines a row that is sent as a composite type of the database, with the same columns in the same order. An array of
/// such rows costs Postgres much less than an array a column: each of those is taken apart on its own.
macro_rules! sent_row {
    ($(#[$meta:meta])* $Name:ident as $type_name:literal { $($column:ident: $Type:ty),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Encode)]
        pub(super) struct $Name<'a> { $($column: $Type,)+ }

        impl Type<Postgres> for $Name<'_> {
            fn type_info() -> PgTypeInfo {
                PgTypeInfo::with_name($type_name)
            }
        }

        impl PgHasArrayType for $Name<'_> {
            fn array_type_info() -> PgTypeInfo {
                PgTypeInfo::array_of($type_name)
            }
        }
    };
}

sent_row!(
    /// A lead of a batch.
    WrittenLead as "decided_lead" {
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
        timer: i16,
        follow_up: i16,
        follow_ups: i32,
    }
);

sent_row!(
    /// An entry of a batch.
    WrittenEntry as "decided_entry" {
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
        entered_at: Option<PgTimestamp>,
        entered_now: bool,
    }
);

/// The leads of a batch, in order.
pub(super) fn written_leads<'a>(batch: &[&'a LeadWrite]) -> Vec<WrittenLead<'a>> {
    let row = |(ordinal, write): (usize, &&'a LeadWrite)| {
        let lead = &write.lead;
        WrittenLead {
            ordinal: ordinal as i32,
            lead_id: lead.id.as_str(),
            agent_id: lead.agent.as_str(),
            expected_version: write.base.map(|base| base.version),
            expected_tag: write.base.map(|base| base.tag),
            version: lead.version,
            tag: write.tag(),
            stage: lead.stage.code(),
            furthest_stage: lead.furthest.code(),
            dead_reason: lead.dead.map(DeadReason::code),
            email: lead.channels.email.code(),
            sms: lead.channels.sms.code(),
            voice: lead.channels.voice.code(),
            email_failures: lead.failures.email,
            phone_failures: lead.failures.phone,
            meeting_id: lead.meeting.as_ref().map(|meeting| meeting.id.as_str()),
            meeting_starts_at: lead.meeting.as_ref().map(|meeting| PgTimestamp(meeting.starts_at)),
            meeting_ends_at: lead.meeting.as_ref().map(|meeting| PgTimestamp(meeting.ends_at)),
            stage_entered: write.stamps.stage_entered,
            outreach: write.stamps.outreach,
            reply: write.stamps.reply,
            timer: match write.agenda.timer {
                Timer::Keep => 0,
                Timer::None => 1,
                Timer::MeetingEnd => 2,
                Timer::Quiet => 3,
            },
            follow_up: match write.agenda.follow_up {
                FollowUp::Keep => 0,
                FollowUp::Cancel => 1,
                FollowUp::DueNow => 2,
                FollowUp::AfterCheckIn => 3,
            },
            follow_ups: write.agenda.follow_ups,
        }
    };
    batch.iter().enumerate().map(row).collect()
}

/// The entries of a batch, in order.
pub(super) fn written_entries<'a>(batch: &[&'a LeadWrite]) -> Vec<WrittenEntry<'a>> {
    let entries =
        batch.iter().enumerate().flat_map(|(lead, write)| write.entries.iter().map(move |e| (lead, *write, e)));
    let row = |(number, (lead, write, entry)): (usize, (usize, &'a LeadWrite, &'a NewEntry))| {
        let (cause, details) = entry.cause.to_columns();
        WrittenEntry {
            number: number as i32,
            lead: lead as i32,
            lead_id: write.lead.id.as_str(),
            agent_id: write.lead.agent.as_str(),
            version: entry.version,
            step: entry.step,
            from_stage: entry.from.map(Stage::code),
            to_stage: entry.to.code(),
            dead_reason: entry.dead.map(DeadReason::code),
            dead_raised: entry.dead_raised,
            cause,
            details: details.map(Json),
            actor_kind: entry.actor.kind.code(),
            actor_id: entry.actor.id.as_str(),
            reason: entry.reason.as_str(),
            request_id: entry.request_id.0,
            digest: &entry.digest,
            occurred_at: entry.occurred_at.map(PgTimestamp),
            tag: entry.tag,
            entered_at: if let Some(Entered::At(at)) = entry.entered { Some(PgTimestamp(at)) } else { None },
            entered_now: matches!(entry.entered, Some(Entered::Now)),
        }
    };
    entries.enumerate().map(row).collect()
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
        follow_up_at: Option<PgTimestamp>,
        mode_epoch: i64,
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
        lead_of_row!(self)
    }
}
