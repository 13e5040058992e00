//! The write path's two statements: reading what a batch is decided on, and writing what was decided.

use super::columns::{KnownRow, WrittenEntry, WrittenLead, written_entries, written_leads};
use super::entry::{Cause, Digest, Entry};
use super::notice::watched;
use super::rows::{StoredLead, lead_rows, leads_by_id};
use super::types::{PgTimestamp, interval};
use super::{Head, Store, StoreError};
use crate::domain::{
    Actor, Agenda, AgentId, DeadReason, Lead, LeadId, OutreachMode, Reason, RequestId, Span, Stage, Stamps, Timestamp,
};
use sqlx::{Connection, PgConnection};
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

/// What a lead was when it was decided on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Base {
    pub version: i32,
    pub tag: i64,
}

/// One lead of a batch, decided: how it is to stand, and the entries that brought it there.
#[derive(Debug)]
pub struct LeadWrite {
    /// What the decision was based on; `None` creates the lead.
    pub base: Option<Base>,
    pub lead: Lead,
    /// The moments of `lead` that become the moment of recording.
    pub stamps: Stamps,
    /// What becomes of the lead's follow-up and timer.
    pub agenda: Agenda,
    /// At least one.
    pub entries: Vec<NewEntry>,
}

impl LeadWrite {
    /// The tag of the lead's last entry, which becomes the lead's.
    #[must_use]
    pub fn tag(&self) -> i64 {
        self.entries.last().map_or(0, |entry| entry.tag)
    }
}

/// An entry to record.
#[derive(Debug)]
pub struct NewEntry {
    pub version: i32,
    pub step: i16,
    pub from: Option<Stage>,
    pub to: Stage,
    pub dead: Option<DeadReason>,
    pub dead_raised: bool,
    pub cause: Cause,
    pub actor: Actor,
    pub reason: Reason,
    pub request_id: RequestId,
    pub digest: Digest,
    pub occurred_at: Option<Timestamp>,
    pub tag: i64,
    /// When the visit of a stage that the entry ends began, if it ends one.
    pub entered: Option<Entered>,
}

/// When a visit of a stage began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entered {
    At(Timestamp),
    /// In the very write that ends it.
    Now,
}

/// How long it is until what a decision leaves for later.
#[derive(Clone, Copy, Debug)]
pub struct Later {
    /// From the lead's last word until it counts as quiet; `None`: it never does.
    pub quiet_after: Option<Span>,
    /// From one check-in to the next.
    pub check_in_interval: Span,
}

/// The outreach modes of a partition's agents.
#[derive(Clone, Debug)]
pub struct Modes {
    /// Moves with each change of a mode.
    pub epoch: i64,
    agents: HashMap<String, OutreachMode>,
}

impl Modes {
    /// The mode of an agent: BLENDED until it was given another.
    #[must_use]
    pub fn of(&self, agent: &AgentId) -> OutreachMode {
        self.agents.get(agent.as_str()).copied().unwrap_or(OutreachMode::Blended)
    }
}

/// What the database did with a batch.
#[derive(Debug)]
pub enum Written {
    /// The mode epoch had moved; nothing was written.
    EpochMoved,
    /// It is committed here, but whoever waited for the standby was told not to: a failover may lose it.
    Unreplicated,
    /// The leads named by `leads` (their places in the batch) were written, the others weren't. With each comes when the
    /// follow-up was due that it had before: completing one changes it, and nothing else that a writer remembers.
    Done { after: Head, recorded_at: Timestamp, leads: Vec<(usize, Option<Timestamp>)> },
}

/// What is known of some leads and requests, from one statement.
#[derive(Debug, Default)]
pub struct Known {
    pub leads: HashMap<LeadId, StoredLead>,
    /// The entries of each request that is recorded on a lead, by step.
    pub requests: HashMap<(LeadId, RequestId), Vec<Entry>>,
    /// The partition's mode epoch, if any lead was found.
    pub mode_epoch: Option<i64>,
    /// Requests that were recorded on a lead and whose entries were pruned.
    pub pruned: HashMap<(LeadId, RequestId), PrunedRequest>,
}

/// What is known of a request for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrunedRequest {
    pub digest: Digest,
    /// Whether it changed the lead's stage.
    pub moved: bool,
}

/// The connection of one partition's writer.
#[derive(Debug)]
pub struct WriteConnection {
    store: Store,
    pub(super) connection: PgConnection,
    pub(super) partition: i32,
    /// The server process behind the connection, as Postgres counts them.
    process: i32,
}

impl Store {
    /// A connection to write one partition with.
    pub async fn write_connection(&self, partition: i32) -> Result<WriteConnection, StoreError> {
        let mut connection = self.connect.connection().await?;
        let process = sqlx::query_scalar!(r#"select pg_backend_pid() as "pid!""#).fetch_one(&mut connection).await?;
        Ok(WriteConnection { store: self.clone(), connection, partition, process })
    }

    /// Ends whoever holds up `process`, if it is a client that has fallen silent in the middle of a write: its locks
    /// would be held for as long as its connection lasts. Returns how many were ended.
    pub async fn end_silent_holders(&self, process: i32) -> Result<i64, StoreError> {
        let ended = sqlx::query_scalar!(
            r#"select count(pg_terminate_backend(pid)) as "count!" from pg_stat_activity
               where pid = any (pg_blocking_pids($1)) and wait_event = 'ClientRead'"#,
            process
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(ended)
    }
}

impl WriteConnection {
    /// The number of the server process, for [`Store::end_silent_holders`].
    #[must_use]
    pub const fn process(&self) -> i32 {
        self.process
    }

    /// The modes of the partition's agents, with the epoch in which they hold.
    pub async fn modes(&mut self) -> Result<Modes, StoreError> {
        let rows = sqlx::query!(
            r#"select head.mode_epoch, agent_modes.agent_id as "agent_id?", agent_modes.outreach_mode as "outreach_mode?"
               from (select mode_epoch from heads where partition = $1 order by position desc limit 1) as head
               left join agent_modes on agent_modes.partition = $1"#,
            self.partition
        )
        .fetch_all(&mut self.connection)
        .await?;
        let epoch = rows.first().map_or(0, |row| row.mode_epoch);
        let mut agents = HashMap::new();
        for (agent_id, code) in rows.into_iter().filter_map(|row| row.agent_id.zip(row.outreach_mode)) {
            let mode = OutreachMode::from_code(code.into()).ok_or_else(|| StoreError::CorruptRow {
                table: "agent_modes",
                column: "outreach_mode",
                row: agent_id.clone(),
            })?;
            agents.insert(agent_id, mode);
        }
        Ok(Modes { epoch, agents })
    }

    /// Reads leads, and nothing else; those that aren't there are left out.
    pub async fn leads(&mut self, leads: &[&LeadId]) -> Result<Vec<StoredLead>, StoreError> {
        let lead_ids: Vec<&str> = leads.iter().map(|lead_id| lead_id.as_str()).collect();
        let rows = leads_by_id!(self.partition, &lead_ids).fetch_all(&mut self.connection).await?;
        rows.into_iter().map(StoredLead::try_from).collect()
    }

    /// Reads leads and looks for requests recorded on them, in one statement.
    pub async fn read(&mut self, leads: &[&LeadId], requests: &[RequestId]) -> Result<Known, StoreError> {
        let leads: Vec<&str> = leads.iter().map(|lead_id| lead_id.as_str()).collect();
        // Callers at the same time may send the same id: each is looked up once, or its entries would come twice.
        let requests: BTreeSet<Uuid> = requests.iter().map(|request_id| request_id.0).collect();
        let requests: Vec<Uuid> = requests.into_iter().collect();
        let rows = sqlx::query_file_as!(KnownRow, "src/store/known.sql", self.partition, &leads as &[&str], &requests)
            .fetch_all(&mut self.connection)
            .await?;
        let mut known = Known::default();
        for row in rows {
            let (entry, pruned) = (row.entry(), row.pruned()?);
            known.mode_epoch = Some(row.mode_epoch);
            let stored = StoredLead::try_from(row.into_lead())?;
            let lead_id = stored.lead.id.clone();
            if let Some(entry) = entry {
                let entry = entry.into_entry(self.partition)?;
                known.requests.entry((lead_id.clone(), entry.request_id)).or_default().push(entry);
            }
            if let Some((request_id, pruned)) = pruned {
                known.pruned.insert((lead_id.clone(), request_id), pruned);
            }
            known.leads.insert(lead_id, stored);
        }
        for entries in known.requests.values_mut() {
            entries.sort_by_key(|entry| entry.step);
        }
        Ok(known)
    }

    /// Writes a batch that was decided under `mode_epoch`: see `write.sql`.
    pub async fn write(&mut self, mode_epoch: i64, later: Later, batch: &[&LeadWrite]) -> Result<Written, StoreError> {
        let statement = sqlx::query_file!(
            "src/store/write.sql",
            self.partition,
            mode_epoch,
            &written_leads(batch) as &[WrittenLead<'_>],
            &written_entries(batch) as &[WrittenEntry<'_>],
            later.quiet_after.map(interval),
            interval(later.check_in_interval),
        )
        .fetch_optional(&mut self.connection);
        let (row, unreplicated) = watched(statement).await;
        let row = row?;
        if unreplicated {
            return Ok(Written::Unreplicated);
        }
        let Some(row) = row else { return Ok(Written::EpochMoved) };
        self.store.clock.observe(row.now.0);
        let follow_ups = row.follow_ups.into_iter().map(|at| at.map(|at| at.0));
        let leads = row.written.into_iter().map(|ordinal| ordinal as usize).zip(follow_ups).collect();
        Ok(Written::Done {
            after: Head { partition: self.partition, position: row.base, tag: row.previous_tag },
            recorded_at: row.recorded_at.0,
            leads,
        })
    }

    /// Ends the connection in an orderly way.
    pub async fn close(self) {
        self.connection.close().await.ok();
    }
}
