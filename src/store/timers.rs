//! Leads that the service is to look at by itself.

use super::rows::{LeadRow, StoredLead, lead_rows};
use super::types::{PgTimestamp, interval};
use super::{Store, StoreError};
use crate::domain::{Lead, Span, Timestamp};

/// The leads whose timer has come, and when that was.
#[derive(Debug)]
pub struct Due {
    pub now: Timestamp,
    pub leads: Vec<StoredLead>,
}

impl Store {
    /// Leads of a partition whose timer has come, the one that waits longest first.
    pub async fn due(&self, partition: i32, limit: i64) -> Result<Due, StoreError> {
        let now = self.repeat(|| {
            sqlx::query_scalar!(
                r#"select clock_timestamp() + (select time_offset from pipeline where only_row) as "now!: PgTimestamp""#
            )
            .fetch_one(&self.pool)
        });
        let now = now.await?;
        self.clock.observe(now.0);
        let rows: Vec<LeadRow> = self
            .repeat(|| {
                lead_rows!(
                    "leads where partition = $1 and timer_at <= $2 order by timer_at limit $3",
                    partition,
                    now as _,
                    limit,
                )
                .fetch_all(&self.pool)
            })
            .await?;
        let leads = rows.into_iter().map(StoredLead::try_from).collect::<Result<_, _>>()?;
        Ok(Due { now: now.0, leads })
    }

    /// Sets a lead's timer, or takes it away, if the lead is still what was read.
    pub async fn set_timer(&self, stored: &StoredLead, at: Option<Timestamp>) -> Result<(), StoreError> {
        let lead: &Lead = &stored.lead;
        let set = sqlx::query!(
            "update leads set timer_at = $3 where partition = $1 and lead_id = $2 and version = $4 and tag = $5",
            self.partition_of(lead.id.as_str()),
            lead.id.as_str(),
            at.map(PgTimestamp) as _,
            lead.version,
            stored.tag,
        );
        set.execute(&self.pool).await?;
        Ok(())
    }

    /// Sets the timers of leads in a conversation to what this setting makes of them, a page at a time: it may have been
    /// another, or none, when they were written. Returns the last lead of the page; `None` when there are no more.
    pub async fn set_quiet_timers(
        &self,
        partition: i32,
        quiet_after: Span,
        after: &str,
        limit: i64,
    ) -> Result<Option<String>, StoreError> {
        // One lead after the other, so that no two statements wait for each other's leads.
        let leads = self.repeat(|| {
            sqlx::query!(
                r#"select lead_id, stage in (3, 4) and dead_reason is null and (
                       timer_at is null or timer_at > greatest(last_reply_at, stage_entered_at) + $4::interval
                   ) as "wrong!"
                   from leads where partition = $1 and lead_id > $2 order by lead_id limit $3"#,
                partition,
                after,
                limit,
                interval(quiet_after),
            )
            .fetch_all(&self.pool)
        });
        let leads = leads.await?;
        for lead in leads.iter().filter(|lead| lead.wrong) {
            sqlx::query!(
                "update leads set timer_at = greatest(last_reply_at, stage_entered_at) + $3::interval
                 where partition = $1 and lead_id = $2 and stage in (3, 4) and dead_reason is null",
                partition,
                lead.lead_id,
                interval(quiet_after),
            )
            .execute(&self.pool)
            .await?;
        }
        Ok(leads.into_iter().next_back().map(|lead| lead.lead_id))
    }
}
