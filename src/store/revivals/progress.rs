//! How far revivals are, and the agents that they belong to.

use super::{AgentRow, Revival, actor, agent, mode};
use crate::domain::{AgentId, OutreachMode, RequestId, Timestamp};
use crate::store::types::PgTimestamp;
use crate::store::{Store, StoreError};
use uuid::Uuid;

/// The place of a revival in the order of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevivalKey {
    pub partition: i32,
    pub agent: String,
    pub number: i64,
}

struct RevivalRow {
    revival_id: Uuid,
    agent_id: String,
    number: i64,
    outreach_mode: i16,
    request_id: Uuid,
    actor_kind: i16,
    actor_id: String,
    accepted_at: PgTimestamp,
    finished_at: Option<PgTimestamp>,
    superseded: bool,
    revived: i64,
    dead: i64,
    no_open_channel: i64,
    moved_on: i64,
    remaining: Option<i64>,
    done: bool,
    any_superseded: bool,
}

impl TryFrom<RevivalRow> for Revival {
    type Error = StoreError;

    fn try_from(row: RevivalRow) -> Result<Self, StoreError> {
        Ok(Self {
            revival_id: row.revival_id,
            agent: agent(&row.agent_id, &row.revival_id)?,
            number: row.number,
            mode: mode(row.outreach_mode, &row.revival_id)?,
            request_id: RequestId(row.request_id),
            actor: actor(row.actor_kind, &row.actor_id, &row.revival_id)?,
            accepted_at: row.accepted_at.0,
            finished_at: row.finished_at.map(|at| at.0),
            superseded: row.superseded || row.done && row.any_superseded,
            revived: row.revived,
            dead: row.dead,
            no_open_channel: row.no_open_channel,
            moved_on: row.moved_on,
            remaining: row.remaining,
            done: row.done,
        })
    }
}

/// A checked query for revivals with the sums of their parts: `revival_rows!("the revivals as revivals", arguments...)`,
/// the first argument being the number of partitions.
macro_rules! revival_rows {
    ($from:literal, $($argument:expr),+ $(,)?) => {
        sqlx::query_as!(
            RevivalRow,
            r#"select revivals.revival_id, revivals.agent_id, revivals.number, revivals.outreach_mode,
                   revivals.request_id, revivals.actor_kind, revivals.actor_id,
                   revivals.accepted_at as "accepted_at: _", revivals.finished_at as "finished_at: _",
                   revivals.superseded, parts.revived as "revived!", parts.dead as "dead!",
                   parts.no_open_channel as "no_open_channel!", parts.moved_on as "moved_on!", parts.remaining,
                   parts.finished = $1 as "done!", parts.superseded as "any_superseded!"
               from "# + $from + r#" cross join lateral (
                   select
                       count(part.finished_at) as finished,
                       coalesce(bool_or(part.superseded), false) as superseded,
                       coalesce(sum(part.revived), 0)::bigint as revived,
                       coalesce(sum(part.dead), 0)::bigint as dead,
                       coalesce(sum(part.no_open_channel), 0)::bigint as no_open_channel,
                       coalesce(sum(part.total - part.revived - part.dead - part.no_open_channel)
                           filter (where part.finished_at is not null and not part.superseded), 0)::bigint as moved_on,
                       -- Null if a part isn't there yet, or its leads weren't counted.
                       case when count(part.total) = $1 then
                           coalesce(sum(part.total - part.revived - part.dead - part.no_open_channel)
                               filter (where part.finished_at is null or part.superseded), 0)::bigint
                       end as remaining
                   from generate_series(0, $1::int - 1) as wanted (partition)
                   cross join lateral (
                       select * from revival_parts
                       where revival_parts.partition = wanted.partition
                           and revival_parts.revival_id = revivals.revival_id
                   ) as part
               ) as parts"#,
            $($argument),+
        )
    };
}

impl Store {
    /// A revival, as far as it is.
    pub async fn revival(&self, revival_id: Uuid) -> Result<Option<Revival>, StoreError> {
        let row = self.repeat(|| {
            revival_rows!(
                "generate_series(0, $1::int - 1) as home (partition) cross join lateral (select * from revivals where partition = home.partition and revival_id = $2) as revivals",
                self.partitions,
                revival_id,
            )
            .fetch_optional(&self.pool)
        });
        row.await?.map(Revival::try_from).transpose()
    }

    /// Revivals of an agent or of all, behind `after`: by the agents' home partitions and ids, each agent's newest first.
    pub async fn revivals(
        &self,
        agent: Option<&AgentId>,
        after: Option<&RevivalKey>,
        limit: i64,
    ) -> Result<Vec<Revival>, StoreError> {
        let agent = agent.map(AgentId::as_str);
        let home = agent.map(|agent| self.partition_of(agent));
        let (partition, after_agent, number) =
            after.map_or((-1, "", 0), |key| (key.partition, key.agent.as_str(), key.number));
        let rows = self.repeat(|| {
            revival_rows!(
                "(select * from revivals where ($2::int is null or partition = $2) and ($3::text is null or agent_id = $3) and ((partition, agent_id) > ($4, $5) or (partition, agent_id) = ($4, $5) and number < $6) order by partition, agent_id, number desc limit $7) as revivals",
                self.partitions,
                home,
                agent,
                partition,
                after_agent,
                number,
                limit,
            )
            .fetch_all(&self.pool)
        });
        let mut revivals = rows.await?.into_iter().map(Revival::try_from).collect::<Result<Vec<_>, _>>()?;
        let place = |revival: &Revival| self.partition_of(revival.agent.as_str());
        revivals.sort_by(|one, other| {
            (place(one), &one.agent, -one.number).cmp(&(place(other), &other.agent, -other.number))
        });
        Ok(revivals)
    }

    /// Every part of a revival is done: so is the revival.
    pub async fn finish_revival(&self, revival: &Revival) -> Result<(), StoreError> {
        let finish = sqlx::query!(
            "update revivals set finished_at = clock_timestamp() + time_offset, superseded = $3
             from pipeline where only_row and partition = $1 and revival_id = $2 and finished_at is null",
            self.partition_of(revival.agent.as_str()),
            revival.revival_id,
            revival.superseded,
        );
        finish.execute(&self.pool).await?;
        Ok(())
    }

    /// An agent, if a lead or a revival has named it.
    pub async fn agent(&self, agent_id: &AgentId) -> Result<Option<AgentRow>, StoreError> {
        Ok(self.agents_from(agent_id.as_str(), true, 1).await?.into_iter().find(|row| row.agent == *agent_id))
    }

    /// Agents in the order of their ids, behind `after`.
    pub async fn agents(&self, after: &str, limit: i64) -> Result<Vec<AgentRow>, StoreError> {
        self.agents_from(after, false, limit).await
    }

    async fn agents_from(&self, from: &str, inclusive: bool, limit: i64) -> Result<Vec<AgentRow>, StoreError> {
        // Of each partition the next agents, each found by its first lead in the index, and those that were given a mode.
        let rows = self.repeat(|| {
            sqlx::query!(
                r#"with recursive named (partition, agent_id, rank) as (
                       select wanted.partition, lead.agent_id, 1::bigint
                       from generate_series(0, $1::int - 1) as wanted (partition)
                       cross join lateral (
                           select agent_id from leads
                           where leads.partition = wanted.partition
                               and (agent_id > $2 or $3 and agent_id = $2) order by agent_id limit 1
                       ) as lead
                       union all
                       select named.partition, lead.agent_id, named.rank + 1
                       from named
                       cross join lateral (
                           select agent_id from leads
                           where leads.partition = named.partition and leads.agent_id > named.agent_id
                           order by agent_id limit 1
                       ) as lead
                       where named.rank < $4
                   ),
                   given as (
                       select agents.agent_id
                       from generate_series(0, $1::int - 1) as wanted (partition)
                       cross join lateral (
                           select agent_id from agents
                           where agents.partition = wanted.partition
                               and (agent_id > $2 or $3 and agent_id = $2) order by agent_id limit $4
                       ) as agents
                   )
                   select agent_id as "agent_id!" from (
                       select agent_id from named union select agent_id from given
                   ) as ids
                   order by agent_id limit $4"#,
                self.partitions,
                from,
                inclusive,
                limit,
            )
            .fetch_all(&self.pool)
        });
        let ids: Vec<String> = rows.await?.into_iter().map(|row| row.agent_id).collect();
        let homes: Vec<i32> = ids.iter().map(|id| self.partition_of(id)).collect();
        let set = self.repeat(|| {
            sqlx::query!(
                r#"select wanted.agent_id as "agent_id!", agents.outreach_mode as "outreach_mode?",
                       agents.mode_set_at as "mode_set_at?: PgTimestamp", agents.revival_id as "revival_id?"
                   from unnest($1::int[], $2::text[]) as wanted (partition, agent_id)
                   left join lateral (
                       select * from agents
                       where agents.partition = wanted.partition and agents.agent_id = wanted.agent_id
                   ) as agents on true
                   order by wanted.agent_id collate "C""#,
                &homes,
                &ids,
            )
            .fetch_all(&self.pool)
        });
        let agents = set.await?.into_iter().map(|row| {
            let set = row.outreach_mode.zip(row.mode_set_at).zip(row.revival_id);
            let set = set.map(|((code, at), revival_id)| {
                Ok::<(OutreachMode, Timestamp, Uuid), StoreError>((mode(code, &row.agent_id)?, at.0, revival_id))
            });
            Ok(AgentRow { agent: agent(&row.agent_id, &row.agent_id)?, set: set.transpose()? })
        });
        agents.collect()
    }
}
