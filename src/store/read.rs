//! Reads for the calls. Each is one statement against the primary, so it sees every write that any replica has
//! acknowledged before.

use super::columns::HistoryRow;
use super::entry::Entry;
use super::rows::{Columns, LeadRow, StoredLead, lead_rows, leads_by_id};
use super::{Store, StoreError};
use crate::domain::{Lead, LeadId, OutreachMode};
use std::collections::HashMap;
use std::future::Future;

/// A page of a lead's history.
#[derive(Clone, Debug)]
pub struct History {
    /// The version with which the kept history starts: that of the lead and one if all of it was pruned.
    pub first_version: i32,
    /// Oldest first.
    pub entries: Vec<Entry>,
}

impl Store {
    /// Repeats a read while it fails for the connection's sake: it changes nothing.
    pub(super) async fn repeat<T, F>(&self, read: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, sqlx::Error>>,
    {
        // After a restart of the database every connection of the pool is dead, and each is found out by its use.
        let mut attempts = self.pool.size() + 1;
        loop {
            match read().await {
                Err(sqlx::Error::PoolTimedOut) => return Err(StoreError::Lost(sqlx::Error::PoolTimedOut)),
                Err(error) => {
                    let error = StoreError::from(error);
                    if attempts == 0 || !matches!(error, StoreError::Lost(_)) {
                        return Err(error);
                    }
                    attempts -= 1;
                }
                Ok(value) => return Ok(value),
            }
        }
    }

    pub(super) async fn rows_of(&self, partition: i32, lead_ids: &[&str]) -> Result<Vec<LeadRow>, StoreError> {
        self.repeat(|| leads_by_id!(partition, lead_ids).fetch_all(&self.pool)).await
    }

    /// Leads of one partition by their ids; those that aren't there are left out, and one that is damaged harms no other.
    pub async fn leads_of(
        &self,
        partition: i32,
        lead_ids: &[&str],
    ) -> Result<HashMap<String, Result<Lead, StoreError>>, StoreError> {
        let rows = self.rows_of(partition, lead_ids).await?;
        let lead = |row: LeadRow| (row.lead_id.clone(), StoredLead::try_from(row).map(|stored| stored.lead));
        Ok(rows.into_iter().map(lead).collect())
    }

    /// The outreach mode of a lead's agent, as the lead's partition has it.
    pub async fn mode(&self, lead: &Lead) -> Result<OutreachMode, StoreError> {
        let partition = self.partition_of(lead.id.as_str());
        let agent = lead.agent.as_str();
        let code = self.repeat(|| {
            sqlx::query_scalar!(
                "select outreach_mode from agent_modes where partition = $1 and agent_id = $2",
                partition,
                agent,
            )
            .fetch_optional(&self.pool)
        });
        let Some(code) = code.await? else { return Ok(OutreachMode::Blended) };
        Columns { table: "agent_modes", row: &agent }.value("outreach_mode", OutreachMode::from_code(code.into()))
    }

    /// A lead's entries with a version above `after`; `None` if there is no such lead.
    pub async fn history(&self, lead_id: &LeadId, after: i32, limit: i64) -> Result<Option<History>, StoreError> {
        let partition = self.partition_of(lead_id.as_str());
        let rows = self
            .repeat(|| {
                sqlx::query_file_as!(HistoryRow, "src/store/history.sql", partition, lead_id.as_str(), after, limit)
                    .fetch_all(&self.pool)
            })
            .await?;
        let Some(first_version) = rows.first().map(|row| row.first_version) else { return Ok(None) };
        let entries = rows.iter().filter_map(HistoryRow::entry).map(|entry| entry.into_entry(partition));
        let entries = entries.collect::<Result<_, _>>()?;
        Ok(Some(History { first_version, entries }))
    }
}
