//! What leads' rows and entries have of time: each row is held against itself, or an entry against those before it.

use super::{Audit, Read};
use crate::domain::{DeadReason, LeadId, Stage, Timestamp};
use crate::store::error::StoreError;
use crate::store::rows::Columns;
use crate::store::types::PgTimestamp;

/// When the service is to look at a lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeadTimes {
    pub lead_id: LeadId,
    pub stage: Stage,
    pub dead: Option<DeadReason>,
    pub meeting_ends_at: Option<Timestamp>,
    pub timer_at: Option<Timestamp>,
    pub follow_up_at: Option<Timestamp>,
    pub follow_up_look_at: Option<Timestamp>,
}

impl Audit {
    /// When the leads of a partition behind an id are to be looked at.
    pub async fn times(&mut self, partition: i32, after: &str, limit: i64) -> Result<Vec<Read<LeadTimes>>, StoreError> {
        let rows = sqlx::query!(
            r#"select lead_id, stage, dead_reason, meeting_ends_at as "meeting_ends_at: PgTimestamp",
                   timer_at as "timer_at: PgTimestamp", follow_up_at as "follow_up_at: PgTimestamp",
                   follow_up_look_at as "follow_up_look_at: PgTimestamp"
               from leads where partition = $1 and lead_id > $2 order by lead_id limit $3"#,
            partition,
            after,
            limit
        );
        let at = |at: Option<PgTimestamp>| at.map(|at| at.0);
        let times = rows.fetch_all(&mut self.connection).await?.into_iter().map(|row| {
            let columns = Columns { table: "leads", row: &row.lead_id };
            Ok(LeadTimes {
                lead_id: columns.value("lead_id", LeadId::parse(&row.lead_id).ok())?,
                stage: columns.value("stage", Stage::from_code(row.stage.into()))?,
                dead: columns.dead(row.dead_reason)?,
                meeting_ends_at: at(row.meeting_ends_at),
                timer_at: at(row.timer_at),
                follow_up_at: at(row.follow_up_at),
                follow_up_look_at: at(row.follow_up_look_at),
            })
        });
        Ok(times.collect())
    }

    /// Versions of leads whose entries to a position tell another time for when the visit began that they end than the
    /// entries before them do. What was pruned, nobody knows.
    pub async fn wrong_visits(
        &mut self,
        partition: i32,
        head: i64,
        limit: i64,
    ) -> Result<Vec<(String, i32)>, StoreError> {
        let rows = sqlx::query!(
            r#"select lead_id as "lead_id!", version as "version!"
               from (
                   select lead_id, version, entered_at, from_stage <> to_stage as ends_visit,
                       max(recorded_at) filter (where from_stage is distinct from to_stage) over (
                           partition by lead_id order by version rows between unbounded preceding and 1 preceding
                       ) as began_at
                   from entries where partition = $1 and position <= $2
               ) as visit
               where case when ends_visit then entered_at is null or entered_at <> began_at else entered_at is not null end
               limit $3"#,
            partition,
            head,
            limit
        );
        Ok(rows.fetch_all(&mut self.connection).await?.into_iter().map(|row| (row.lead_id, row.version)).collect())
    }
}
