//! All SQL of the service. Comes in: what to read, and batches that were decided. Goes out: domain values and entries
//! with their positions. Never decides anything, and never holds a transaction open between two calls.

mod audit;
mod clock;
mod columns;
mod connect;
pub mod embedded;
mod entry;
mod error;
mod feed;
mod follow_ups;
mod funnel;
mod leads;
mod migrate;
mod notice;
mod prune;
mod read;
mod revivals;
mod rows;
mod snapshot;
mod timers;
mod types;
mod write;

pub use audit::{
    Audit, AuditAgent, AuditHead, AuditMode, AuditPart, AuditRevival, AuditState, AuditSum, Histories, LeadThen,
    LeadTimes, PrunedEffect, Read,
};
pub use clock::Clock;
pub use connect::{Connect, ConnectSettings, connect};
pub use entry::{Cause, Digest, Entry};
pub use error::StoreError;
pub use feed::{Extent, Head, Listener, Mark, Standing, Teller};
pub use follow_ups::{Completion, Leased, Leases, Wanted};
pub use funnel::{Funnel, FunnelRange, Moves, RangeEnd, Visits};
pub use leads::{LeadFilter, LeadKey, Listed};
pub use notice::catch_warnings;
pub use prune::{Pruned, Pruner, Stretch, Weight};
pub use read::History;
pub use revivals::{
    Accepted, Advance, Advanced, AgentRow, Exhausted, NewRevival, Part, Revival, RevivalKey, Unfinished,
    revival_request,
};
pub use rows::StoredLead;
pub use snapshot::{LeadPage, PageOf};
pub use timers::Due;
pub use write::{Base, Entered, Known, Later, LeadWrite, Modes, NewEntry, PrunedRequest, WriteConnection, Written};

use sqlx::PgPool;
use std::sync::Arc;

/// The partition of a lead: it never changes, and is the first part of every key.
#[must_use]
pub fn partition_of(lead_id: &str, partitions: i32) -> i32 {
    (crc32fast::hash(lead_id.as_bytes()) % partitions.unsigned_abs()) as i32
}

/// The database, as everything but the writers uses it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pool: PgPool,
    connect: Arc<Connect>,
    partitions: i32,
    clock: Arc<Clock>,
}

impl Store {
    /// How many partitions this database was initialised with.
    #[must_use]
    pub const fn partitions(&self) -> i32 {
        self.partitions
    }

    /// The partition of a lead.
    #[must_use]
    pub fn partition_of(&self, lead_id: &str) -> i32 {
        partition_of(lead_id, self.partitions)
    }

    /// The database's clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Asks the database for its time: it answers, so it can be reached.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let now = self.repeat(|| {
            sqlx::query_scalar!(
                r#"select clock_timestamp() + (select time_offset from pipeline where only_row) as "now!: types::PgTimestamp""#
            )
            .fetch_one(&self.pool)
        });
        self.clock.observe(now.await?.0);
        Ok(())
    }

    /// Ends every connection of the pool.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}
