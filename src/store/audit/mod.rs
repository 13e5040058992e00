//! Reads for the operator's checker (`lead-pipeline verify`): everything, partition by partition, a page at a time. Never
//! writes, and never judges: what it finds contradictory in one statement, it tells.

mod state;
mod sums;
mod times;

pub use state::{AuditAgent, AuditMode, AuditPart, AuditRevival, AuditState};
pub use sums::AuditSum;
pub use times::LeadTimes;

use super::Mark;
use super::entry::Entry;
use super::error::StoreError;
use super::rows::{EntryRow, LeadRow, StoredLead, entry_rows, lead_rows};
use crate::domain::{LeadId, RequestId, Timestamp};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use std::str::FromStr;
use std::time::Duration;
use uuid::Uuid;

/// A read-only connection to a database that needn't be fit to serve: a standby will do.
#[derive(Debug)]
pub struct Audit {
    connection: PgConnection,
    partitions: i32,
}

/// A partition as its head row has it, and what its log ends with: both of one statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditHead {
    pub partition: i32,
    pub head: Mark,
    pub recorded_at: Timestamp,
    /// The last entry that was pruned; position 0 if none was.
    pub floor: Mark,
    /// The last entry of the log, if there is any.
    pub last: Option<(Mark, Timestamp)>,
}

/// Some of a partition's entries, lead by lead.
#[derive(Clone, Copy, Debug)]
pub struct Histories<'a> {
    pub partition: i32,
    /// Behind this lead's entry of this version.
    pub after: (&'a str, i32),
    /// To this lead; to the last one if none.
    pub through: Option<&'a str>,
    /// Only of these leads, if any are named.
    pub only: Option<&'a [String]>,
    /// Only entries to this position.
    pub head: i64,
}

/// What a lead was when its partition's log ended with a certain position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeadThen {
    pub lead_id: String,
    pub agent_id: String,
    pub version: i32,
    pub stage: i16,
    /// The last version that every watch is told of: it changed the stage or the dead mark.
    pub notable: Option<i32>,
}

/// A request of which only this is left: its entries were pruned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrunedEffect {
    pub lead_id: String,
    pub request_id: Uuid,
    pub moved: bool,
}

/// A value that may be unreadable: then the error names table, column and row.
pub type Read<T> = Result<T, StoreError>;

impl Audit {
    /// Connects, and asks how many partitions there are.
    ///
    /// # Errors
    /// If the URL is wrong, the database can't be reached, or has none of this version's tables.
    pub async fn connect(url: &str, timeout: Duration) -> Result<Self, StoreError> {
        let of_postgres = ["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme));
        let options = PgConnectOptions::from_str(url)
            .ok()
            .filter(|_| of_postgres)
            .ok_or_else(|| StoreError::Unfit("the database URL is no valid postgres:// URL".into()))?
            .application_name("lead-pipeline verify")
            // Plans for the values at hand: one statement serves a page of all leads, and of some.
            .options([
                ("default_transaction_read_only", "on"),
                ("plan_cache_mode", "force_custom_plan"),
                ("jit", "off"),
            ])
            .disable_statement_logging();
        let connecting = tokio::time::timeout(timeout, options.connect());
        let connection = connecting.await.unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
        let mut audit = Self { connection, partitions: 0 };
        audit.partitions = audit.read_partitions().await?;
        Ok(audit)
    }

    async fn read_partitions(&mut self) -> Result<i32, StoreError> {
        let unserved =
            || StoreError::Unfit("the database isn't this version's: no such server has served it yet".into());
        // The newest table.
        let ready = sqlx::query_scalar!(r#"select to_regclass('funnel_sums') is not null as "ready!""#);
        if !ready.fetch_one(&mut self.connection).await? {
            return Err(unserved());
        }
        let partitions = sqlx::query_scalar!("select partitions from pipeline");
        partitions.fetch_optional(&mut self.connection).await?.ok_or_else(unserved)
    }

    /// How many partitions the database was initialised with.
    #[must_use]
    pub const fn partitions(&self) -> i32 {
        self.partitions
    }

    /// The partition of a lead.
    #[must_use]
    pub fn partition_of(&self, lead_id: &str) -> i32 {
        crate::store::partition_of(lead_id, self.partitions)
    }

    /// Entries and leads that stand in a partition that the database doesn't have: they are never looked for there.
    pub async fn outside(&mut self) -> Result<i64, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"select (select count(*) from entries where partition < 0 or partition >= $1)
                    + (select count(*) from leads where partition < 0 or partition >= $1) as "count!""#,
            self.partitions
        )
        .fetch_one(&mut self.connection)
        .await?)
    }

    /// Entries of a partition behind a position, in order.
    pub async fn log(&mut self, partition: i32, after: i64, limit: i64) -> Result<Vec<Read<Entry>>, StoreError> {
        let rows =
            entry_rows!("where partition = $1 and position > $2 order by position limit $3", partition, after, limit);
        let rows: Vec<EntryRow> = rows.fetch_all(&mut self.connection).await?;
        Ok(rows.into_iter().map(|row| row.into_entry(partition)).collect())
    }

    /// Leads of a partition behind an id, in the order of their ids.
    pub async fn leads(
        &mut self,
        partition: i32,
        after: &str,
        limit: i64,
    ) -> Result<Vec<Read<StoredLead>>, StoreError> {
        let rows = lead_rows!(
            "leads where partition = $1 and lead_id > $2 order by lead_id limit $3",
            partition,
            after,
            limit
        );
        let rows: Vec<LeadRow> = rows.fetch_all(&mut self.connection).await?;
        Ok(rows.into_iter().map(StoredLead::try_from).collect())
    }

    /// Entries in the order of their leads and versions.
    pub async fn histories(&mut self, wanted: Histories<'_>, limit: i64) -> Result<Vec<Read<Entry>>, StoreError> {
        let rows = entry_rows!(
            "where partition = $1 and (lead_id, version) > ($2, $3) and ($4::text is null or lead_id <= $4) and ($5::text[] is null or lead_id = any ($5)) and position <= $6 order by lead_id, version limit $7",
            wanted.partition,
            wanted.after.0,
            wanted.after.1,
            wanted.through,
            wanted.only,
            wanted.head,
            limit
        );
        let rows: Vec<EntryRow> = rows.fetch_all(&mut self.connection).await?;
        Ok(rows.into_iter().map(|row| row.into_entry(wanted.partition)).collect())
    }

    /// Whether a lead's row is its last entry, or it has none: both of one statement, however busy the lead is.
    pub async fn stands(&mut self, partition: i32, lead_id: &LeadId) -> Result<bool, StoreError> {
        let stands = sqlx::query_scalar!(
            r#"select last.version is null
                   or (leads.version, leads.tag, leads.stage, leads.agent_id)
                       = (last.version, last.tag, last.to_stage, last.agent_id)
                   and leads.dead_reason is not distinct from last.dead_reason as "stands!"
               from leads
               left join lateral (
                   select version, tag, to_stage, agent_id, dead_reason from entries
                   where entries.partition = leads.partition and entries.lead_id = leads.lead_id
                   order by version desc limit 1
               ) as last on true
               where leads.partition = $1 and leads.lead_id = $2"#,
            partition,
            lead_id.as_str()
        );
        Ok(stands.fetch_optional(&mut self.connection).await?.unwrap_or_default())
    }

    /// Requests whose entries to a position can't be of one effect: not one entry, nor two side by side of one content.
    /// A first entry may be missing if the request is known as pruned; of a pruned request no other first one may be.
    pub async fn doubtful_requests(
        &mut self,
        partition: i32,
        head: i64,
        limit: i64,
    ) -> Result<Vec<(String, Uuid)>, StoreError> {
        let rows = sqlx::query!(
            r#"select entries.lead_id, entries.request_id from entries
               left join pruned_requests as pruned using (partition, request_id, lead_id)
               where partition = $1 and position <= $2
               group by entries.lead_id, entries.request_id
               having min(step) <> (case when bool_or(pruned.lead_id is not null) then 1 else 0 end)
                   or max(step) - min(step) <> count(*) - 1 or max(step) > 1
                   or max(version) - min(version) <> count(*) - 1 or count(distinct entries.digest) <> 1
                   or bool_or(pruned.digest <> entries.digest)
               limit $3"#,
            partition,
            head,
            limit
        );
        let rows = rows.fetch_all(&mut self.connection).await?;
        Ok(rows.into_iter().map(|row| (row.lead_id, row.request_id)).collect())
    }

    /// Tags that more than one entry to a position has.
    pub async fn doubled_tags(&mut self, partition: i32, head: i64, limit: i64) -> Result<Vec<i64>, StoreError> {
        let tags = sqlx::query_scalar!(
            "select tag from entries where partition = $1 and position <= $2 group by tag having count(*) > 1 limit $3",
            partition,
            head,
            limit
        );
        Ok(tags.fetch_all(&mut self.connection).await?)
    }

    /// The entries that some requests have on any lead.
    pub async fn effects(&mut self, partition: i32, requests: &[RequestId]) -> Result<Vec<Read<Entry>>, StoreError> {
        let requests = ids(requests);
        let rows = entry_rows!(
            "where partition = $1 and request_id = any ($2) order by lead_id, position",
            partition,
            &requests
        );
        let rows: Vec<EntryRow> = rows.fetch_all(&mut self.connection).await?;
        Ok(rows.into_iter().map(|row| row.into_entry(partition)).collect())
    }

    /// Which of some requests were pruned.
    pub async fn pruned(&mut self, partition: i32, requests: &[RequestId]) -> Result<Vec<PrunedEffect>, StoreError> {
        Ok(sqlx::query_as!(
            PrunedEffect,
            "select lead_id, request_id, moved from pruned_requests where partition = $1 and request_id = any ($2)",
            partition,
            &ids(requests)
        )
        .fetch_all(&mut self.connection)
        .await?)
    }

    /// What the leads behind an id were when the log ended with a position, as far as their entries are kept.
    pub async fn leads_then(
        &mut self,
        partition: i32,
        after: &str,
        position: i64,
        limit: i64,
    ) -> Result<Vec<LeadThen>, StoreError> {
        Ok(sqlx::query_as!(
            LeadThen,
            r#"select lead_id, min(agent_id) as "agent_id!", max(version) as "version!",
                   (array_agg(to_stage order by version desc))[1] as "stage!",
                   max(version) filter (where from_stage is distinct from to_stage or dead_raised) as notable
               from entries where partition = $1 and lead_id > $2 and position <= $3
               group by lead_id order by lead_id limit $4"#,
            partition,
            after,
            position,
            limit
        )
        .fetch_all(&mut self.connection)
        .await?)
    }

    /// Ends the connection.
    pub async fn close(self) {
        // What was read is read.
        self.connection.close().await.ok();
    }
}

fn ids(requests: &[RequestId]) -> Vec<Uuid> {
    requests.iter().map(|request| request.0).collect()
}
