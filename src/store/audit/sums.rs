//! The sums of the funnel.

use super::Audit;
use crate::domain::Timestamp;
use crate::store::error::StoreError;
use crate::store::types::PgTimestamp;
use std::collections::BTreeMap;

/// The moves of an agent's leads, or of all, up to a position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditSum {
    /// Empty for all agents together.
    pub agent: String,
    pub position: i64,
    pub recorded_at: Timestamp,
    /// How often each move was made, as it is stored.
    pub moves: BTreeMap<i16, i64>,
}

/// Those that were made.
fn made(moves: Vec<i16>, counts: Vec<i64>) -> BTreeMap<i16, i64> {
    moves.into_iter().zip(counts).filter(|(_, count)| *count != 0).collect()
}

impl Audit {
    /// A partition's sums behind an agent's at a position, by agent and position.
    pub async fn sums(
        &mut self,
        partition: i32,
        (agent, position): (&str, i64),
        limit: i64,
    ) -> Result<Vec<AuditSum>, StoreError> {
        let rows = sqlx::query!(
            r#"select agent_id, position, recorded_at as "recorded_at: PgTimestamp", moves, counts
               from funnel_sums where partition = $1 and (agent_id, position) > ($2, $3)
               order by agent_id, position limit $4"#,
            partition,
            agent,
            position,
            limit
        );
        let sum = rows.fetch_all(&mut self.connection).await?.into_iter().map(|row| AuditSum {
            agent: row.agent_id,
            position: row.position,
            recorded_at: row.recorded_at.0,
            moves: made(row.moves, row.counts),
        });
        Ok(sum.collect())
    }

    /// The last sums of each agent of a partition, at a position or before it.
    pub async fn sums_at(&mut self, partition: i32, position: i64) -> Result<Vec<AuditSum>, StoreError> {
        let rows = sqlx::query!(
            r#"select distinct on (agent_id)
                   agent_id, position, recorded_at as "recorded_at: PgTimestamp", moves, counts
               from funnel_sums where partition = $1 and position <= $2
               order by agent_id, position desc"#,
            partition,
            position
        );
        let sum = rows.fetch_all(&mut self.connection).await?.into_iter().map(|row| AuditSum {
            agent: row.agent_id,
            position: row.position,
            recorded_at: row.recorded_at.0,
            moves: made(row.moves, row.counts),
        });
        Ok(sum.collect())
    }
}
