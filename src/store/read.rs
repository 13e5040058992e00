//! Reads for the calls. Each is one statement against the primary, so it sees every write that any replica has
//! acknowledged before.

use super::columns::HistoryRow;
use super::entry::Entry;
use super::rows::{LeadRow, StoredLead, lead_rows, leads_by_id};
use super::{Store, StoreError};
use crate::domain::{AgentId, Lead, LeadId, Stage};
use std::collections::HashMap;
use std::future::Future;

/// Which leads to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeadFilter {
    pub agent: Option<AgentId>,
    /// Empty: any.
    pub stages: Vec<Stage>,
    pub dead: Option<bool>,
}

/// The place of a lead in the order of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeadKey {
    pub partition: i32,
    pub lead_id: String,
}

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

    /// Leads of one partition by their ids; those that aren't there are left out, and one that is damaged harms no other.
    pub async fn leads_of(
        &self,
        partition: i32,
        lead_ids: &[&str],
    ) -> Result<HashMap<String, Result<Lead, StoreError>>, StoreError> {
        let rows = self.repeat(|| leads_by_id!(partition, lead_ids).fetch_all(&self.pool)).await?;
        let lead = |row: LeadRow| (row.lead_id.clone(), StoredLead::try_from(row).map(|stored| stored.lead));
        Ok(rows.into_iter().map(lead).collect())
    }

    /// Leads in the order of their partition and id, behind `after`; fewer than `limit` only at the end.
    pub async fn leads(
        &self,
        filter: &LeadFilter,
        after: Option<&LeadKey>,
        limit: i64,
    ) -> Result<Vec<Lead>, StoreError> {
        let first = after.map_or(0, |key| key.partition);
        let mut leads = Vec::new();
        for partition in first..self.partitions {
            let after = after.filter(|key| key.partition == partition).map_or("", |key| key.lead_id.as_str());
            let missing = limit - leads.len() as i64;
            for row in self.leads_of_partition(partition, filter, after, missing).await? {
                leads.push(StoredLead::try_from(row)?.lead);
            }
            if leads.len() as i64 == limit {
                break;
            }
        }
        Ok(leads)
    }

    async fn leads_of_partition(
        &self,
        partition: i32,
        filter: &LeadFilter,
        after: &str,
        limit: i64,
    ) -> Result<Vec<LeadRow>, StoreError> {
        let stages: Vec<i16> = filter.stages.iter().map(|stage| stage.code()).collect();
        // Two statements, so that each is served by its index in order.
        if let Some(agent) = &filter.agent {
            return self
                .repeat(|| {
                    lead_rows!("leads where partition = $1 and agent_id = $6 and lead_id > $2 and (cardinality($3::smallint[]) = 0 or stage = any ($3)) and ($4::boolean is null or (dead_reason is not null) = $4) order by lead_id limit $5",
                        partition,
                        after,
                        &stages,
                        filter.dead,
                        limit,
                        agent.as_str(),
                    )
                    .fetch_all(&self.pool)
                })
                .await;
        }
        self.repeat(|| {
            lead_rows!("leads where partition = $1 and lead_id > $2 and (cardinality($3::smallint[]) = 0 or stage = any ($3)) and ($4::boolean is null or (dead_reason is not null) = $4) order by lead_id limit $5",
                partition,
                after,
                &stages,
                filter.dead,
                limit,
            )
            .fetch_all(&self.pool)
        })
        .await
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
