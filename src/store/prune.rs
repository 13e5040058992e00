//! Pruning: old entries go, and what a retry or a cursor asks of them stays. See `prune.sql`.

use super::types::PgTimestamp;
use super::{Connect, StoreError, migrate};
use crate::domain::Timestamp;
use sqlx::{Connection, PgConnection};
use std::time::Duration;

/// A connection to prune with.
#[derive(Debug)]
pub struct Pruner(PgConnection);

/// The entries of a partition that a prune takes: those behind `floor`, up to `through`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    pub partition: i32,
    pub floor: i64,
    pub through: i64,
}

/// What a stretch holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weight {
    pub entries: i64,
    pub requests: i64,
    /// Leads whose oldest kept entry is in it.
    pub leads: i64,
}

/// What one chunk did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pruned {
    /// How many entries went.
    pub entries: i64,
    /// The partition's floor afterwards; another prune may have raised it too.
    pub floor: i64,
}

impl std::ops::Add for Weight {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            entries: self.entries + other.entries,
            requests: self.requests + other.requests,
            leads: self.leads + other.leads,
        }
    }
}

impl Pruner {
    /// Connects to a database that has just the tables of this version. Makes and changes nothing in it.
    ///
    /// # Errors
    /// If the URL is wrong, the database can't be reached, or isn't one of this version's.
    pub async fn connect(url: &str, timeout: Duration) -> Result<Self, StoreError> {
        // Whether the database is safe to serve from is the server's to judge: no acknowledged write depends on a prune.
        let mut connection = Connect::to(url, timeout, true)?.connection().await?;
        migrate::check(&mut connection).await?;
        Ok(Self(connection))
    }

    /// The database's time.
    pub async fn now(&mut self) -> Result<Timestamp, StoreError> {
        let now = sqlx::query_scalar!(
            r#"select clock_timestamp() + (select time_offset from pipeline where only_row) as "now!: PgTimestamp""#
        )
        .fetch_one(&mut self.0);
        Ok(now.await?.0)
    }

    /// What was recorded before a time and is still kept, for every partition, in order.
    pub async fn stretches(&mut self, before: Timestamp) -> Result<Vec<Stretch>, StoreError> {
        let stretches = sqlx::query_file_as!(Stretch, "src/store/prune_ends.sql", PgTimestamp(before) as _);
        Ok(stretches.fetch_all(&mut self.0).await?)
    }

    /// What a stretch holds. Reads all of it: to be asked for one that is short.
    pub async fn weigh(&mut self, stretch: Stretch) -> Result<Weight, StoreError> {
        let Stretch { partition, floor, through } = stretch;
        let weight = sqlx::query_file_as!(Weight, "src/store/prune_weight.sql", partition, floor, through);
        Ok(weight.fetch_one(&mut self.0).await?)
    }

    /// Sums up the funnel of a partition through a position, before entries up to there go: what is counted later
    /// begins with these sums. Only if `step` entries or more came since the last.
    pub async fn sum_funnel(&mut self, partition: i32, through: i64, step: i64) -> Result<bool, StoreError> {
        let sum = sqlx::query_file!("src/store/funnel_step.sql", partition, step, Some(through));
        Ok(sum.execute(&mut self.0).await?.rows_affected() > 0)
    }

    /// Prunes the oldest entries of a stretch, `chunk` of them at most, or one more if that is of the same request.
    pub async fn prune(&mut self, stretch: Stretch, chunk: i64) -> Result<Pruned, StoreError> {
        let Stretch { partition, through, .. } = stretch;
        let pruned = sqlx::query_file_as!(Pruned, "src/store/prune.sql", partition, through, chunk);
        Ok(pruned.fetch_one(&mut self.0).await?)
    }

    /// Ends the connection in an orderly way.
    pub async fn close(self) {
        self.0.close().await.ok();
    }
}
