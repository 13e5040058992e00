//! Revivals: the agent's home row that accepts and numbers them, their part in each partition, and the chunks that
//! those are worked off in.

use crate::domain::{
    Actor, ActorId, ActorKind, AgentId, ChannelState, Channels, DeadReason, LeadId, OutreachMode, RequestId, Span,
    Timestamp,
};
use crate::store::columns::{WrittenEntry, WrittenLead, written_entries, written_leads};
use crate::store::entry::Digest;
use crate::store::notice::watched;
use crate::store::rows::{Columns, LeadRow, StoredLead, lead_rows};
use crate::store::types::{PgTimestamp, interval};
use crate::store::write::{LeadWrite, WriteConnection};
use crate::store::{Head, Store, StoreError};
mod progress;

pub use progress::RevivalKey;

use sqlx::{Connection, PgConnection};
use uuid::Uuid;

/// A ReviveForMode that is asked for.
#[derive(Clone, Debug)]
pub struct NewRevival {
    pub revival_id: Uuid,
    pub agent: AgentId,
    pub mode: OutreachMode,
    pub request_id: RequestId,
    pub digest: Digest,
    pub actor: Actor,
}

/// What the agent's home row makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It is on disk.
    Begun,
    /// The request was accepted before, as this revival.
    Before { revival_id: Uuid, same_content: bool },
}

/// A revival that isn't finished.
#[derive(Clone, Debug)]
pub struct Unfinished {
    pub revival_id: Uuid,
    /// The agent's home partition.
    pub home: i32,
    pub agent: AgentId,
    pub number: i64,
    pub mode: OutreachMode,
    pub digest: Vec<u8>,
    pub actor: Actor,
    /// Whether every partition has its part.
    pub spread: bool,
}

/// A revival, as far as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revival {
    pub revival_id: Uuid,
    pub agent: AgentId,
    pub number: i64,
    pub mode: OutreachMode,
    pub request_id: RequestId,
    pub actor: Actor,
    pub accepted_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    pub superseded: bool,
    pub revived: i64,
    pub dead: i64,
    pub no_open_channel: i64,
    pub moved_on: i64,
    /// `None` while they are being counted.
    pub remaining: Option<i64>,
    /// Whether every part is done, though the revival may not be told so yet.
    pub done: bool,
}

/// A revival's part in one partition, held by whoever knows the fence.
#[derive(Clone, Debug)]
pub struct Part {
    pub partition: i32,
    pub revival_id: Uuid,
    pub agent: AgentId,
    pub mode: OutreachMode,
    pub digest: Digest,
    pub actor: Actor,
    /// When the partition got the mode.
    pub began_at: Timestamp,
    /// Whether its leads were counted.
    pub counted: bool,
    /// Up to this lead all were looked at.
    pub last_lead: String,
    pub fence: i64,
}

/// How a chunk of a part moves it on.
#[derive(Clone, Copy, Debug)]
pub struct Advance<'a> {
    pub part: &'a Part,
    pub last_lead: &'a str,
    pub dead: i64,
    pub no_open_channel: i64,
    /// The chunk is the last one.
    pub last: bool,
    /// How much longer the part is held.
    pub lease: Span,
}

/// What became of a chunk.
#[derive(Debug)]
pub enum Advanced {
    /// The part is held by somebody else, or finished; nothing was written.
    Lost,
    /// The leads at these places were written. `whole`: that is all of them, and the part has moved on.
    Done { after: Head, recorded_at: Timestamp, leads: Vec<usize>, whole: bool },
}

/// An agent that was given a mode, or has leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentRow {
    pub agent: AgentId,
    /// The mode that was set last, when, and by which revival.
    pub set: Option<(OutreachMode, Timestamp, Uuid)>,
}

/// Some of an agent's EXHAUSTED leads that are alike.
#[derive(Clone, Copy, Debug)]
pub struct Exhausted {
    pub dead: Option<DeadReason>,
    pub channels: Channels,
    pub leads: i64,
}

/// The request under which a revival revives a lead: made of both, so a lead is revived once, however often it is tried.
/// Its first half is the revival's, which begins with the time: the ids of a revival lie together at the right edge of
/// the index. Never change it: ids are kept for ever.
#[must_use]
pub fn revival_request(revival_id: Uuid, lead_id: &LeadId) -> RequestId {
    const VERSION: u64 = 0xF000;
    let (time, _) = revival_id.as_u64_pair();
    let (_, lead) = Uuid::new_v5(&revival_id, lead_id.as_str().as_bytes()).as_u64_pair();
    RequestId(Uuid::from_u64_pair(time & !VERSION | 0x8000, lead))
}

/// The columns of a stored value that must be valid.
fn valid<T>(column: &'static str, row: &impl std::fmt::Display, value: Option<T>) -> Result<T, StoreError> {
    Columns { table: "revivals", row }.value(column, value)
}

fn actor(kind: i16, id: &str, row: &impl std::fmt::Display) -> Result<Actor, StoreError> {
    Ok(Actor {
        kind: valid("actor_kind", row, ActorKind::from_code(kind.into()))?,
        id: valid("actor_id", row, ActorId::parse(id).ok())?,
    })
}

fn mode(code: i16, row: &impl std::fmt::Display) -> Result<OutreachMode, StoreError> {
    valid("outreach_mode", row, OutreachMode::from_code(code.into()))
}

fn agent(id: &str, row: &impl std::fmt::Display) -> Result<AgentId, StoreError> {
    valid("agent_id", row, AgentId::parse(id).ok())
}

impl Store {
    /// Accepts a revival: from then on it is done, whatever happens.
    pub async fn accept(&self, new: &NewRevival) -> Result<Accepted, StoreError> {
        loop {
            if let Some(before) = self.revival_of_request(new).await? {
                return Ok(before);
            }
            let home = self.partition_of(new.agent.as_str());
            // The home row's lock numbers the changes. A statement that finds the same request recorded meanwhile fails
            // as a whole, by the unique index.
            let made = sqlx::query!(
                "with home as (
                     insert into agents (partition, agent_id, outreach_mode, number, mode_set_at, revival_id)
                     select $1, $2, $3, 1, clock_timestamp() + time_offset, $4 from pipeline where only_row
                     on conflict (partition, agent_id) do update set
                         outreach_mode = excluded.outreach_mode, number = agents.number + 1,
                         mode_set_at = greatest(agents.mode_set_at, excluded.mode_set_at), revival_id = excluded.revival_id
                     returning number, mode_set_at
                 )
                 insert into revivals (
                     partition, revival_id, agent_id, number, outreach_mode, request_id, digest, actor_kind, actor_id,
                     accepted_at
                 )
                 select $1, $4, $2, number, $3, $5, $6, $7, $8, mode_set_at from home",
                home,
                new.agent.as_str(),
                new.mode.code(),
                new.revival_id,
                new.request_id.0,
                &new.digest,
                new.actor.kind.code(),
                new.actor.id.as_str(),
            )
            .execute(&self.pool)
            .await
            .map_err(StoreError::from);
            match made {
                Ok(_) => return Ok(Accepted::Begun),
                Err(StoreError::AlreadyRecorded(_)) => (),
                Err(error) => return Err(error),
            }
        }
    }

    /// The revival that the request was accepted as, if it was.
    pub async fn revival_of_request(&self, new: &NewRevival) -> Result<Option<Accepted>, StoreError> {
        let home = self.partition_of(new.agent.as_str());
        let row = self.repeat(|| {
            sqlx::query!(
                "select revival_id, digest from revivals where partition = $1 and agent_id = $2 and request_id = $3",
                home,
                new.agent.as_str(),
                new.request_id.0,
            )
            .fetch_optional(&self.pool)
        });
        let before =
            |row: Recorded| Accepted::Before { revival_id: row.revival_id, same_content: row.digest == new.digest };
        Ok(row.await?.map(|row| before(Recorded { revival_id: row.revival_id, digest: row.digest })))
    }

    /// The revivals that are to be gone on with.
    pub async fn unfinished_revivals(&self) -> Result<Vec<Unfinished>, StoreError> {
        let rows = self.repeat(|| {
            sqlx::query!(
                "select partition, revival_id, agent_id, number, outreach_mode, digest, actor_kind, actor_id, spread
                 from revivals where finished_at is null order by partition, accepted_at"
            )
            .fetch_all(&self.pool)
        });
        let unfinished = rows.await?.into_iter().map(|row| {
            Ok(Unfinished {
                revival_id: row.revival_id,
                home: row.partition,
                agent: agent(&row.agent_id, &row.revival_id)?,
                number: row.number,
                mode: mode(row.outreach_mode, &row.revival_id)?,
                digest: row.digest,
                actor: actor(row.actor_kind, &row.actor_id, &row.revival_id)?,
                spread: row.spread,
            })
        });
        unfinished.collect()
    }

    /// Gives a partition the mode, unless it has a later one, and its part of the revival. Any number of times, by any
    /// number of replicas. `epoch`: random bits. Not to be called from a call's own future: it holds a transaction.
    pub async fn spread(&self, partition: i32, revival: &Unfinished, epoch: i64) -> Result<(), StoreError> {
        let mut connection = self.connect.connection().await?;
        let mut transaction = connection.begin().await?;
        spread(&mut transaction, partition, revival, epoch).await?;
        transaction.commit().await?;
        connection.close().await.ok();
        Ok(())
    }

    /// Every partition has its part.
    pub async fn set_spread(&self, revival: &Unfinished) -> Result<(), StoreError> {
        let set = sqlx::query!(
            "update revivals set spread = true where partition = $1 and revival_id = $2",
            revival.home,
            revival.revival_id
        );
        set.execute(&self.pool).await?;
        Ok(())
    }

    /// Partitions in which a part waits for somebody to hold it.
    pub async fn waiting_parts(&self) -> Result<Vec<i32>, StoreError> {
        let partitions = self.repeat(|| {
            sqlx::query_scalar!(
                "select distinct partition from revival_parts
                 where finished_at is null
                     and leased_until <= clock_timestamp() + (select time_offset from pipeline where only_row)"
            )
            .fetch_all(&self.pool)
        });
        partitions.await
    }

    /// Takes hold of a part in a partition that nobody holds.
    pub async fn claim_part(&self, partition: i32, lease: Span) -> Result<Option<Part>, StoreError> {
        let row = sqlx::query!(
            r#"update revival_parts set
                   fence = fence + 1, leased_until = clock_timestamp() + (select time_offset from pipeline where only_row) + $2::interval
               where partition = $1 and revival_id = (
                   select revival_id from revival_parts
                   where partition = $1 and finished_at is null
                       and leased_until <= clock_timestamp() + (select time_offset from pipeline where only_row)
                   order by agent_id, number limit 1 for update skip locked
               )
               returning revival_id, agent_id, outreach_mode, digest, actor_kind, actor_id,
                   began_at as "began_at: PgTimestamp", total is not null as "counted!", last_lead, fence"#,
            partition,
            interval(lease),
        );
        let Some(row) = row.fetch_optional(&self.pool).await? else { return Ok(None) };
        Ok(Some(Part {
            partition,
            revival_id: row.revival_id,
            agent: agent(&row.agent_id, &row.revival_id)?,
            mode: mode(row.outreach_mode, &row.revival_id)?,
            digest: valid("digest", &row.revival_id, row.digest.try_into().ok())?,
            actor: actor(row.actor_kind, &row.actor_id, &row.revival_id)?,
            began_at: row.began_at.0,
            counted: row.counted,
            last_lead: row.last_lead,
            fence: row.fence,
        }))
    }

    /// Lets go of a part, so that another replica can go on at once.
    pub async fn release_part(&self, part: &Part) -> Result<(), StoreError> {
        let release = sqlx::query!(
            "update revival_parts set leased_until = began_at where partition = $1 and revival_id = $2 and fence = $3",
            part.partition,
            part.revival_id,
            part.fence,
        );
        release.execute(&self.pool).await?;
        Ok(())
    }

    /// Counts the leads that a part is about, before the first of them is looked at.
    pub async fn count_part(&self, part: &Part) -> Result<(), StoreError> {
        let count = sqlx::query!(
            "update revival_parts set total = (
                 select count(*) from leads
                 where partition = $1 and agent_id = $4 and stage = 8 and stage_entered_at <= revival_parts.began_at
             )
             where partition = $1 and revival_id = $2 and fence = $3 and total is null",
            part.partition,
            part.revival_id,
            part.fence,
            part.agent.as_str(),
        );
        count.execute(&self.pool).await?;
        Ok(())
    }

    /// EXHAUSTED leads that a part is about, behind the last one that was looked at.
    pub async fn exhausted(&self, part: &Part, limit: i64) -> Result<Vec<StoredLead>, StoreError> {
        let rows: Vec<LeadRow> = self
            .repeat(|| {
                lead_rows!(
                    "leads where partition = $1 and agent_id = $2 and stage = 8 and lead_id > $3 and stage_entered_at <= $4 order by lead_id limit $5",
                    part.partition,
                    part.agent.as_str(),
                    part.last_lead.as_str(),
                    PgTimestamp(part.began_at) as _,
                    limit,
                )
                .fetch_all(&self.pool)
            })
            .await?;
        rows.into_iter().map(StoredLead::try_from).collect()
    }

    /// An agent's EXHAUSTED leads, alike ones together: what a revival would look at.
    pub async fn all_exhausted(&self, agent: &AgentId) -> Result<Vec<Exhausted>, StoreError> {
        let rows = self.repeat(|| {
            sqlx::query!(
                r#"select dead_reason, email, sms, voice, count(*) as "leads!"
                   from generate_series(0, $1::int - 1) as wanted (partition)
                   cross join lateral (
                       select * from leads
                       where leads.partition = wanted.partition and agent_id = $2 and stage = 8
                   ) as leads
                   group by dead_reason, email, sms, voice"#,
                self.partitions,
                agent.as_str(),
            )
            .fetch_all(&self.pool)
        });
        let exhausted = rows.await?.into_iter().map(|row| {
            let columns = Columns { table: "leads", row: agent };
            let channel = |column, code: i16| columns.value(column, ChannelState::from_code(code.into()));
            Ok(Exhausted {
                dead: columns.dead(row.dead_reason)?,
                channels: Channels {
                    email: channel("email", row.email)?,
                    sms: channel("sms", row.sms)?,
                    voice: channel("voice", row.voice)?,
                },
                leads: row.leads,
            })
        });
        exhausted.collect()
    }
}

struct Recorded {
    revival_id: Uuid,
    digest: Vec<u8>,
}

async fn spread(
    transaction: &mut PgConnection,
    partition: i32,
    revival: &Unfinished,
    epoch: i64,
) -> Result<(), StoreError> {
    // The head row first, as by every write. What was decided under the old mode and isn't written yet will find
    // another epoch.
    let head = sqlx::query!(
        r#"select position, greatest(recorded_at, clock_timestamp() + (select time_offset from pipeline where only_row))
               as "at!: PgTimestamp"
           from heads where partition = $1 order by position desc limit 1 for update"#,
        partition
    );
    let head = head.fetch_one(&mut *transaction).await?;
    let agent_id = revival.agent.as_str();
    let set = sqlx::query!(
        "insert into agent_modes (partition, agent_id, outreach_mode, number) values ($1, $2, $3, $4)
         on conflict (partition, agent_id) do update set outreach_mode = excluded.outreach_mode, number = excluded.number
         where agent_modes.number < excluded.number",
        partition,
        agent_id,
        revival.mode.code(),
        revival.number,
    );
    let is_newest = set.execute(&mut *transaction).await?.rows_affected() == 1;
    if is_newest {
        sqlx::query!(
            "update heads set mode_epoch = $3, recorded_at = $4 where partition = $1 and position = $2",
            partition,
            head.position,
            epoch,
            head.at as _,
        )
        .execute(&mut *transaction)
        .await?;
        sqlx::query!(
            "update revival_parts set finished_at = $4, superseded = true
             where partition = $1 and agent_id = $2 and number < $3 and finished_at is null",
            partition,
            agent_id,
            revival.number,
            head.at as _,
        )
        .execute(&mut *transaction)
        .await?;
    }
    sqlx::query!(
        "insert into revival_parts (
             partition, revival_id, agent_id, number, outreach_mode, digest, actor_kind, actor_id, began_at, leased_until,
             finished_at, superseded
         ) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, case when $10::boolean then null else $9::timestamptz end, not $10)
         on conflict do nothing",
        partition,
        revival.revival_id,
        agent_id,
        revival.number,
        revival.mode.code(),
        &revival.digest,
        revival.actor.kind.code(),
        revival.actor.id.as_str(),
        head.at as _,
        is_newest,
    )
    .execute(&mut *transaction)
    .await?;
    Ok(())
}

impl WriteConnection {
    /// Writes a chunk of a revival, and moves its part on: see `revive.sql`.
    pub async fn revive(&mut self, advance: Advance<'_>, batch: &[&LeadWrite]) -> Result<Advanced, StoreError> {
        let Advance { part, last_lead, dead, no_open_channel, last, lease } = advance;
        let statement = sqlx::query_file!(
            "src/store/revive.sql",
            self.partition,
            &written_leads(batch) as &[WrittenLead<'_>],
            &written_entries(batch) as &[WrittenEntry<'_>],
            part.revival_id,
            part.fence,
            last_lead,
            dead,
            no_open_channel,
            last,
            interval(lease),
        );
        let (row, unreplicated) = watched(statement.fetch_optional(&mut self.connection)).await;
        // A commit that no standby confirmed may be lost with a failover: whoever goes on reads the part again.
        let Some(row) = row?.filter(|_| !unreplicated) else { return Ok(Advanced::Lost) };
        Ok(Advanced::Done {
            after: Head { partition: self.partition, position: row.base, tag: row.previous_tag },
            recorded_at: row.recorded_at.0,
            leads: row.written.into_iter().map(|ordinal| ordinal as usize).collect(),
            whole: row.whole,
        })
    }
}
