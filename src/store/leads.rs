//! Lists of leads. Each filter is a range of an index: the list goes through one range after the other.

use super::rows::{LeadRow, StoredLead, lead_rows};
use super::types::PgTimestamp;
use super::{Store, StoreError};
use crate::domain::{AgentId, Lead, Stage, Timestamp};
use std::collections::HashMap;

/// Which leads to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeadFilter {
    pub agent: Option<AgentId>,
    /// Empty: any.
    pub stages: Vec<Stage>,
    pub dead: Option<bool>,
    /// In their stage since this time or earlier.
    pub entered_by: Option<Timestamp>,
    /// In their stage since this time or later.
    pub entered_from: Option<Timestamp>,
    pub follow_up_before: Option<Timestamp>,
}

/// A range of an index, in one partition. Lists go through them in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Range {
    /// All leads, or all of the agent.
    All,
    /// Those of one stage, dead or not, by the time they entered it.
    Stage { stage: Stage, dead: bool },
    /// Those with a follow-up, by its time.
    FollowUps,
}

/// The place of a lead in the order of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeadKey {
    pub partition: i32,
    /// Which of the list's ranges.
    pub range: usize,
    /// Its place in an order by time; the beginning of time in an order by id.
    pub at: Timestamp,
    pub lead_id: String,
}

/// A lead, and its place in the list.
#[derive(Clone, Debug)]
pub struct Listed {
    pub lead: Lead,
    pub key: LeadKey,
}

/// Before any time that a lead can have.
const DAWN: Timestamp = Timestamp(-62_135_596_800_000_000);
/// After any such time.
const DUSK: Timestamp = Timestamp(253_402_300_800_000_000);

impl LeadFilter {
    /// Whether a lead with a follow-up is one of these, but for its agent, which never changes.
    fn means(&self, row: &LeadRow) -> bool {
        (self.stages.is_empty() || self.stages.iter().any(|stage| stage.code() == row.stage))
            && self.dead.is_none_or(|dead| dead == row.dead_reason.is_some())
            && self.entered_by.is_none_or(|by| row.stage_entered_at.0 <= by)
            && self.entered_from.is_none_or(|from| row.stage_entered_at.0 >= from)
            && self.follow_up_before.is_none_or(|before| row.follow_up_at.is_some_and(|at| at.0 < before))
    }

    fn ranges(&self) -> Vec<Range> {
        if self.follow_up_before.is_some() {
            return vec![Range::FollowUps];
        }
        let by_time = self.entered_by.is_some() || self.entered_from.is_some();
        if self.stages.is_empty() && !by_time && self.dead != Some(true) {
            // Nearly every lead is alive: what this reads in vain is little.
            return vec![Range::All];
        }
        let stages = if self.stages.is_empty() { Stage::ALL } else { &self.stages };
        let marks = [false, true].into_iter().filter(|dead| self.dead.is_none_or(|wanted| wanted == *dead));
        marks.flat_map(|dead| stages.iter().map(move |stage| Range::Stage { stage: *stage, dead })).collect()
    }
}

impl Store {
    /// Leads in the list's own order, behind `after`; fewer than `limit` only at the end.
    pub async fn leads(
        &self,
        filter: &LeadFilter,
        after: Option<&LeadKey>,
        limit: i64,
    ) -> Result<Vec<Listed>, StoreError> {
        let ranges = filter.ranges();
        let mut listed = Vec::new();
        for partition in after.map_or(0, |key| key.partition)..self.partitions {
            for (place, range) in ranges.iter().enumerate() {
                let here = |key: &&LeadKey| (key.partition, key.range) == (partition, place);
                if after.is_some_and(|key| (key.partition, key.range) > (partition, place)) {
                    continue;
                }
                let (at, lead_id) = after.filter(here).map_or((DAWN, ""), |key| (key.at, key.lead_id.as_str()));
                let missing = limit - listed.len() as i64;
                let rows = self.range(partition, *range, filter, (at, lead_id), missing).await?;
                for (row, at) in rows {
                    let lead = StoredLead::try_from(row)?.lead;
                    let key = LeadKey { partition, range: place, at, lead_id: lead.id.to_string() };
                    listed.push(Listed { lead, key });
                }
                if listed.len() as i64 == limit {
                    return Ok(listed);
                }
            }
        }
        Ok(listed)
    }

    /// Leads of one range behind a place, each with its time in the order.
    async fn range(
        &self,
        partition: i32,
        range: Range,
        filter: &LeadFilter,
        (at, lead_id): (Timestamp, &str),
        limit: i64,
    ) -> Result<Vec<(LeadRow, Timestamp)>, StoreError> {
        let rows = match (range, &filter.agent) {
            (Range::All, agent) => self.all(partition, filter, agent.as_ref(), lead_id, limit).await?,
            (Range::Stage { stage, dead }, agent) => {
                let from = filter.entered_from.unwrap_or(DAWN);
                let by = filter.entered_by.unwrap_or(DUSK);
                let place = if at < from { (from, "") } else { (at, lead_id) };
                self.stage(partition, (stage, dead), agent.as_ref(), (place, by), limit).await?
            }
            (Range::FollowUps, agent) => {
                return self.follow_ups(partition, filter, agent.as_ref(), (at, lead_id), limit).await;
            }
        };
        let by_time = range != Range::All;
        Ok(rows.into_iter().map(|row| (if by_time { row.stage_entered_at.0 } else { DAWN }, row)).map(flip).collect())
    }

    async fn all(
        &self,
        partition: i32,
        filter: &LeadFilter,
        agent: Option<&AgentId>,
        lead_id: &str,
        limit: i64,
    ) -> Result<Vec<LeadRow>, StoreError> {
        // Two statements, here and below, so that each is served by its index in order.
        if let Some(agent) = agent {
            let rows = self.repeat(|| {
                lead_rows!("leads where partition = $1 and agent_id = $2 and lead_id > $3 and ($4::boolean is null or (dead_reason is not null) = $4) order by lead_id limit $5",
                    partition, agent.as_str(), lead_id, filter.dead, limit,
                )
                .fetch_all(&self.pool)
            });
            return rows.await;
        }
        let rows = self.repeat(|| {
            lead_rows!("leads where partition = $1 and lead_id > $2 and ($3::boolean is null or (dead_reason is not null) = $3) order by lead_id limit $4",
                partition, lead_id, filter.dead, limit,
            )
            .fetch_all(&self.pool)
        });
        rows.await
    }

    async fn stage(
        &self,
        partition: i32,
        (stage, dead): (Stage, bool),
        agent: Option<&AgentId>,
        ((at, lead_id), by): ((Timestamp, &str), Timestamp),
        limit: i64,
    ) -> Result<Vec<LeadRow>, StoreError> {
        let (at, by) = (PgTimestamp(at), PgTimestamp(by));
        if let Some(agent) = agent {
            let rows = self.repeat(|| {
                lead_rows!("leads where partition = $1 and agent_id = $2 and stage = $3 and (dead_reason is not null) = $4 and (stage_entered_at, lead_id) > ($5, $6) and stage_entered_at <= $7 order by stage_entered_at, lead_id limit $8",
                    partition, agent.as_str(), stage.code(), dead, at as _, lead_id, by as _, limit,
                )
                .fetch_all(&self.pool)
            });
            return rows.await;
        }
        let rows = self.repeat(|| {
            lead_rows!("leads where partition = $1 and stage = $2 and (dead_reason is not null) = $3 and (stage_entered_at, lead_id) > ($4, $5) and stage_entered_at <= $6 order by stage_entered_at, lead_id limit $7",
                partition, stage.code(), dead, at as _, lead_id, by as _, limit,
            )
            .fetch_all(&self.pool)
        });
        rows.await
    }

    /// Leads with a follow-up before a time. The index has them by the time to look at them, which may be earlier.
    async fn follow_ups(
        &self,
        partition: i32,
        filter: &LeadFilter,
        agent: Option<&AgentId>,
        (mut at, lead_id): (Timestamp, &str),
        limit: i64,
    ) -> Result<Vec<(LeadRow, Timestamp)>, StoreError> {
        let mut lead_id = lead_id.to_owned();
        let mut listed = Vec::new();
        loop {
            let missing = limit - listed.len() as i64;
            let places = self.places(partition, filter, agent, (at, &lead_id), missing).await?;
            let ids: Vec<&str> = places.iter().map(|place| place.lead_id.as_str()).collect();
            let rows = self.rows_of(partition, &ids).await?;
            let mut leads: HashMap<String, LeadRow> = rows.into_iter().map(|row| (row.lead_id.clone(), row)).collect();
            // One that has changed since its place was read may not be meant any more.
            let meant = places.iter().filter_map(|place| {
                let row = leads.remove(&place.lead_id).filter(|row| filter.means(row))?;
                Some((row, place.look_at.0))
            });
            listed.extend(meant);
            match places.into_iter().next_back() {
                Some(last) if (listed.len() as i64) < limit => (at, lead_id) = (last.look_at.0, last.lead_id),
                _ => return Ok(listed),
            }
        }
    }

    /// Places of leads with a follow-up before a time, in their order.
    async fn places(
        &self,
        partition: i32,
        filter: &LeadFilter,
        agent: Option<&AgentId>,
        (at, lead_id): (Timestamp, &str),
        limit: i64,
    ) -> Result<Vec<Place>, StoreError> {
        let stages: Vec<i16> = filter.stages.iter().map(|stage| stage.code()).collect();
        let before = filter.follow_up_before.unwrap_or(DUSK);
        let (from, by) = (filter.entered_from.unwrap_or(DAWN), filter.entered_by.unwrap_or(DUSK));
        let bounds = (PgTimestamp(at), PgTimestamp(before), PgTimestamp(from), PgTimestamp(by));
        if let Some(agent) = agent {
            let places = self.repeat(|| {
                sqlx::query_as!(
                    Place,
                    r#"select lead_id, follow_up_look_at as "look_at!: _" from leads
                           where partition = $1 and agent_id = $2 and (follow_up_look_at, lead_id) > ($3, $4)
                               and follow_up_look_at < $5 and follow_up_at < $5
                               and (cardinality($6::smallint[]) = 0 or stage = any ($6))
                               and ($7::boolean is null or (dead_reason is not null) = $7)
                               and stage_entered_at >= $8 and stage_entered_at <= $9
                           order by follow_up_look_at, lead_id limit $10"#,
                    partition,
                    agent.as_str(),
                    bounds.0 as _,
                    lead_id,
                    bounds.1 as _,
                    &stages,
                    filter.dead,
                    bounds.2 as _,
                    bounds.3 as _,
                    limit,
                )
                .fetch_all(&self.pool)
            });
            return places.await;
        }
        let places = self.repeat(|| {
            sqlx::query_as!(
                Place,
                r#"select lead_id, follow_up_look_at as "look_at!: _" from leads
                           where partition = $1 and (follow_up_look_at, lead_id) > ($2, $3)
                               and follow_up_look_at < $4 and follow_up_at < $4
                               and (cardinality($5::smallint[]) = 0 or stage = any ($5))
                               and ($6::boolean is null or (dead_reason is not null) = $6)
                               and stage_entered_at >= $7 and stage_entered_at <= $8
                           order by follow_up_look_at, lead_id limit $9"#,
                partition,
                bounds.0 as _,
                lead_id,
                bounds.1 as _,
                &stages,
                filter.dead,
                bounds.2 as _,
                bounds.3 as _,
                limit,
            )
            .fetch_all(&self.pool)
        });
        places.await
    }
}

/// The place of a lead in the order of its follow-ups.
struct Place {
    lead_id: String,
    look_at: PgTimestamp,
}

fn flip((at, row): (Timestamp, LeadRow)) -> (LeadRow, Timestamp) {
    (row, at)
}
