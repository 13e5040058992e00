//! Where a database stands: heads, and what was asked of its agents. All of one snapshot.

use super::{Audit, AuditHead, Read};
use crate::domain::{AgentId, OutreachMode, Timestamp};
use crate::store::error::StoreError;
use crate::store::rows::Columns;
use crate::store::types::PgTimestamp;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

/// What the checker begins with.
#[derive(Debug)]
pub struct AuditState {
    /// Every partition's head, in order.
    pub heads: Vec<AuditHead>,
    pub agents: Vec<Read<AuditAgent>>,
    /// By their agents and numbers.
    pub revivals: Vec<Read<AuditRevival>>,
    pub modes: Vec<Read<AuditMode>>,
    /// By their partitions and numbers.
    pub parts: Vec<Read<AuditPart>>,
}

/// The home row of an agent that was given a mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditAgent {
    pub partition: i32,
    pub agent: AgentId,
    pub mode: OutreachMode,
    pub number: i64,
    pub revival_id: Uuid,
}

/// A revival, as the agent's home partition has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRevival {
    pub partition: i32,
    pub revival_id: Uuid,
    pub agent: AgentId,
    pub number: i64,
    pub mode: OutreachMode,
    /// Whether every partition is said to have its part.
    pub spread: bool,
    pub finished: bool,
    pub superseded: bool,
}

/// The mode that a partition has of an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditMode {
    pub partition: i32,
    pub agent: AgentId,
    pub mode: OutreachMode,
    pub number: i64,
}

/// A revival's part in one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditPart {
    pub partition: i32,
    pub revival_id: Uuid,
    pub agent: AgentId,
    pub number: i64,
    pub mode: OutreachMode,
    pub began_at: Timestamp,
    pub total: Option<i64>,
    pub revived: i64,
    pub dead: i64,
    pub no_open_channel: i64,
    pub finished_at: Option<Timestamp>,
    pub superseded: bool,
}

/// The columns that all of these have in common, as values.
fn common(table: &'static str, row: &Uuid, agent: &str, mode: i16) -> Result<(AgentId, OutreachMode), StoreError> {
    let columns = Columns { table, row };
    let agent = columns.value("agent_id", AgentId::parse(agent).ok())?;
    Ok((agent, columns.value("outreach_mode", OutreachMode::from_code(mode.into()))?))
}

impl Audit {
    /// Where the database stands.
    ///
    /// # Errors
    /// If the database can't be read, as for all reads here.
    pub async fn state(&mut self) -> Result<AuditState, StoreError> {
        let mut transaction = self.connection.begin_with("begin isolation level repeatable read").await?;
        let state = AuditState {
            heads: heads(&mut transaction).await?,
            agents: agents(&mut transaction).await?,
            revivals: revivals(&mut transaction).await?,
            modes: modes(&mut transaction).await?,
            parts: parts(&mut transaction).await?,
        };
        transaction.commit().await?;
        Ok(state)
    }
}

async fn heads(connection: &mut PgConnection) -> Result<Vec<AuditHead>, StoreError> {
    let rows = sqlx::query!(
        r#"select heads.partition, heads.position, heads.tag, heads.recorded_at as "recorded_at: PgTimestamp",
               floor, floor_tag, last.position as "last?", last.tag as "last_tag?",
               last.recorded_at as "last_at?: PgTimestamp"
           from heads
           left join lateral (
               select position, tag, recorded_at from entries
               where entries.partition = heads.partition order by position desc limit 1
           ) as last on true
           order by heads.partition"#
    );
    let last = |position: Option<i64>, tag: Option<i64>, at: Option<PgTimestamp>| {
        Some((super::Mark { position: position?, tag: tag? }, at?.0))
    };
    let head = rows.fetch_all(connection).await?.into_iter().map(|row| AuditHead {
        partition: row.partition,
        head: super::Mark { position: row.position, tag: row.tag },
        recorded_at: row.recorded_at.0,
        floor: super::Mark { position: row.floor, tag: row.floor_tag },
        last: last(row.last, row.last_tag, row.last_at),
    });
    Ok(head.collect())
}

async fn agents(connection: &mut PgConnection) -> Result<Vec<Read<AuditAgent>>, StoreError> {
    let rows = sqlx::query!(
        "select partition, agent_id, outreach_mode, number, revival_id from agents order by partition, agent_id"
    );
    let agent = rows.fetch_all(connection).await?.into_iter().map(|row| {
        let (agent, mode) = common("agents", &row.revival_id, &row.agent_id, row.outreach_mode)?;
        Ok(AuditAgent { partition: row.partition, agent, mode, number: row.number, revival_id: row.revival_id })
    });
    Ok(agent.collect())
}

async fn revivals(connection: &mut PgConnection) -> Result<Vec<Read<AuditRevival>>, StoreError> {
    let rows = sqlx::query!(
        r#"select partition, revival_id, agent_id, number, outreach_mode, spread, superseded,
               finished_at is not null as "finished!"
           from revivals order by agent_id, number"#
    );
    let revival = rows.fetch_all(connection).await?.into_iter().map(|row| {
        let (agent, mode) = common("revivals", &row.revival_id, &row.agent_id, row.outreach_mode)?;
        Ok(AuditRevival {
            partition: row.partition,
            revival_id: row.revival_id,
            agent,
            number: row.number,
            mode,
            spread: row.spread,
            finished: row.finished,
            superseded: row.superseded,
        })
    });
    Ok(revival.collect())
}

async fn modes(connection: &mut PgConnection) -> Result<Vec<Read<AuditMode>>, StoreError> {
    let rows =
        sqlx::query!("select partition, agent_id, outreach_mode, number from agent_modes order by partition, agent_id");
    let mode = rows.fetch_all(connection).await?.into_iter().map(|row| {
        let columns = Columns { table: "agent_modes", row: &row.agent_id };
        Ok(AuditMode {
            partition: row.partition,
            agent: columns.value("agent_id", AgentId::parse(&row.agent_id).ok())?,
            mode: columns.value("outreach_mode", OutreachMode::from_code(row.outreach_mode.into()))?,
            number: row.number,
        })
    });
    Ok(mode.collect())
}

async fn parts(connection: &mut PgConnection) -> Result<Vec<Read<AuditPart>>, StoreError> {
    let rows = sqlx::query!(
        r#"select partition, revival_id, agent_id, number, outreach_mode, began_at as "began_at: PgTimestamp", total,
               revived, dead, no_open_channel, finished_at as "finished_at: PgTimestamp", superseded
           from revival_parts order by partition, number"#
    );
    let part = rows.fetch_all(connection).await?.into_iter().map(|row| {
        let (agent, mode) = common("revival_parts", &row.revival_id, &row.agent_id, row.outreach_mode)?;
        Ok(AuditPart {
            partition: row.partition,
            revival_id: row.revival_id,
            agent,
            number: row.number,
            mode,
            began_at: row.began_at.0,
            total: row.total,
            revived: row.revived,
            dead: row.dead,
            no_open_channel: row.no_open_channel,
            finished_at: row.finished_at.map(|at| at.0),
            superseded: row.superseded,
        })
    });
    Ok(part.collect())
}
