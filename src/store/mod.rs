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
mod migrate;
mod notice;
mod prune;
mod read;
mod rows;
mod snapshot;
mod types;
mod write;

pub use audit::{Audit, AuditHead, Histories, LeadThen, PrunedEffect, Read};
pub use clock::Clock;
pub use connect::{Connect, ConnectSettings, connect};
pub use entry::{Cause, Digest, Entry};
pub use error::StoreError;
pub use feed::{Extent, Head, Listener, Mark, Standing, Teller};
pub use notice::catch_warnings;
pub use prune::{Pruned, Pruner, Stretch, Weight};
pub use read::{History, LeadFilter, LeadKey};
pub use rows::StoredLead;
pub use snapshot::{LeadPage, PageOf};
pub use write::{Base, Known, LeadWrite, NewEntry, PrunedRequest, WriteConnection, Written};

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
            sqlx::query_scalar!(r#"select clock_timestamp() as "now!: types::PgTimestamp""#).fetch_one(&self.pool)
        });
        self.clock.observe(now.await?.0);
        Ok(())
    }

    /// Ends every connection of the pool.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}
