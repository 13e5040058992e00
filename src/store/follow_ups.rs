//! Follow-ups: who holds which, and until when.

use super::rows::{LeadRow, StoredLead, lead_of_row};
use super::types::{PgTimestamp, interval};
use super::{Store, StoreError};
use crate::domain::{AgentId, Lead, LeadId, Span, Timestamp};
use uuid::Uuid;

/// A follow-up that was handed out.
#[derive(Clone, Debug)]
pub struct Leased {
    pub lead: Lead,
    /// Which of the lead's follow-ups it is.
    pub number: i32,
    pub token: Uuid,
    pub due_at: Timestamp,
    pub expires_at: Timestamp,
}

/// What a look for follow-ups found.
#[derive(Debug, Default)]
pub struct Leases {
    pub leased: Vec<Leased>,
    /// Leads whose check-in was put off since it was to be looked at: they stand in the way until they are moved.
    pub put_off: Vec<LeadId>,
    /// Follow-ups that another caller got a moment before.
    pub missed: usize,
}

/// What became of a completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completion {
    /// It is done, now or before. With the time of the lead's next follow-up.
    Done { next: Option<Timestamp> },
    /// The follow-up isn't the caller's.
    Lost,
}

/// Which follow-ups: of which agents, how many of each, and how many of all.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    pub partition: i32,
    pub agents: &'a [&'a str],
    pub of_each: i64,
    /// A token for each follow-up, so as many as there are to be at most.
    pub tokens: &'a [Uuid],
    pub lease: Span,
}

struct CandidateRow {
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
    follow_up_number: i32,
    put_off: bool,
    token: Option<Uuid>,
    expires_at: PgTimestamp,
}

impl CandidateRow {
    fn lead(self) -> LeadRow {
        lead_of_row!(self)
    }
}

impl Store {
    /// Leases follow-ups of one partition that are due.
    pub async fn lease(&self, wanted: Wanted<'_>) -> Result<Leases, StoreError> {
        // Not repeated if the connection is lost: what that leased comes back when its lease ends.
        let rows = sqlx::query_file_as!(
            CandidateRow,
            "src/store/lease.sql",
            wanted.partition,
            wanted.agents as &[&str],
            wanted.of_each,
            wanted.tokens,
            interval(wanted.lease),
        )
        .fetch_all(&self.pool)
        .await?;
        let mut leases = Leases::default();
        for row in rows {
            let (number, put_off, token, expires_at) = (row.follow_up_number, row.put_off, row.token, row.expires_at);
            let lead = StoredLead::try_from(row.lead())?.lead;
            match (token, lead.next_follow_up_at) {
                (Some(token), Some(due_at)) => {
                    leases.leased.push(Leased { lead, number, token, due_at, expires_at: expires_at.0 });
                }
                _ if put_off => leases.put_off.push(lead.id),
                _ => leases.missed += 1,
            }
        }
        Ok(leases)
    }

    /// Has the index look for these check-ins when they are due.
    pub async fn put_off(&self, partition: i32, leads: &[LeadId]) -> Result<(), StoreError> {
        let leads: Vec<&str> = leads.iter().map(LeadId::as_str).collect();
        self.put_off_all(partition, &leads).await
    }

    async fn put_off_all(&self, partition: i32, leads: &[impl AsRef<str>]) -> Result<(), StoreError> {
        // One after the other: no two statements wait for each other's leads.
        for lead_id in leads {
            sqlx::query!(
                "update leads set follow_up_look_at = follow_up_at
                 where partition = $1 and lead_id = $2 and follow_up_look_at < follow_up_at",
                partition,
                lead_id.as_ref(),
            )
            .execute(&self.pool)
            .await?;
        }
        Ok(())
    }

    /// Agents behind `after` that have follow-ups due in a partition which nobody holds.
    pub async fn agents_with_follow_ups(
        &self,
        partition: i32,
        after: &str,
        limit: i64,
    ) -> Result<Vec<String>, StoreError> {
        let agents = self.repeat(|| {
            sqlx::query_file_scalar!("src/store/lease_agents.sql", partition, after, limit).fetch_all(&self.pool)
        });
        agents.await
    }

    /// When the next follow-up is due, or the lease of one ends, of an agent or of all.
    pub async fn next_follow_up(&self, agent: Option<&AgentId>) -> Result<Option<Timestamp>, StoreError> {
        let agent = agent.map(AgentId::as_str);
        loop {
            let next = self
                .repeat(|| sqlx::query_file!("src/store/lease_next.sql", self.partitions, agent).fetch_all(&self.pool));
            let next = next.await?;
            if next.iter().all(|partition| partition.sure) {
                return Ok(next.into_iter().filter_map(|partition| partition.at).map(|at| at.0).min());
            }
            for unsure in next.into_iter().filter(|partition| !partition.sure) {
                self.put_off_all(unsure.partition, &unsure.leads.unwrap_or_default()).await?;
            }
        }
    }

    /// Completes a follow-up.
    pub async fn complete(
        &self,
        lead_id: &LeadId,
        number: i32,
        token: Uuid,
        check_in_interval: Span,
    ) -> Result<Completion, StoreError> {
        loop {
            // Repeating it is safe: it is answered as the first.
            let row = self.repeat(|| {
                sqlx::query_file_as!(
                    CompletedRow,
                    "src/store/complete.sql",
                    self.partition_of(lead_id.as_str()),
                    lead_id.as_str(),
                    number,
                    token,
                    interval(check_in_interval),
                )
                .fetch_optional(&self.pool)
            });
            return Ok(match row.await? {
                Some(row) if row.stale => continue,
                Some(row) if row.done || row.done_before => Completion::Done { next: row.next.map(|at| at.0) },
                _ => Completion::Lost,
            });
        }
    }
}

struct CompletedRow {
    done: bool,
    next: Option<PgTimestamp>,
    done_before: bool,
    stale: bool,
}
