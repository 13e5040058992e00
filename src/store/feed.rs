//! Reads of the change feed: heads, the log, and the hints that other replicas send.

use super::entry::Entry;
use super::rows::entry_rows;
use super::{Store, StoreError};
use sqlx::PgConnection;
use sqlx::postgres::PgListener;

/// The last entry of a partition's log; position 0 and tag 0 before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    pub partition: i32,
    pub position: i64,
    pub tag: i64,
}

/// A place in a partition's log: the entry there, known by its tag. Position 0 is the place before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    pub position: i64,
    pub tag: i64,
}

/// The channel on which replicas tell each other that there is something new. Only a hint: the log is the truth.
const CHANNEL: &str = "lead_pipeline";

impl Store {
    /// Every partition's head, in order.
    pub async fn heads(&self) -> Result<Vec<Head>, StoreError> {
        self.repeat(|| {
            sqlx::query_as!(Head, "select partition, position, tag from heads order by partition").fetch_all(&self.pool)
        })
        .await
    }

    /// The entries of a partition from `from` on, in order.
    pub async fn log(&self, partition: i32, from: i64, limit: i64) -> Result<Vec<Entry>, StoreError> {
        let rows = self
            .repeat(|| {
                entry_rows!(
                    "where partition = $1 and position >= $2 order by position limit $3",
                    partition,
                    from,
                    limit,
                )
                .fetch_all(&self.pool)
            })
            .await?;
        rows.into_iter().map(|row| row.into_entry(partition)).collect()
    }

    /// Whether every mark (one a partition, in order) is still in the log as it was.
    pub async fn holds(&self, marks: &[Mark]) -> Result<bool, StoreError> {
        let partitions: Vec<i32> = (0..marks.len() as i32).collect();
        let positions: Vec<i64> = marks.iter().map(|mark| mark.position).collect();
        let tags: Vec<i64> = marks.iter().map(|mark| mark.tag).collect();
        let expected = marks.iter().filter(|mark| mark.position > 0).count() as i64;
        let found = self
            .repeat(|| {
                sqlx::query_scalar!(
                    r#"select count(*) as "count!"
                       from unnest($1::int[], $2::bigint[], $3::bigint[]) as mark (partition, position, tag)
                       cross join lateral (
                           select entries.position, entries.tag from entries
                           where entries.partition = mark.partition and entries.position >= mark.position
                           order by entries.position limit 1
                       ) as entry
                       where entry.position = mark.position and entry.tag = mark.tag"#,
                    &partitions,
                    &positions,
                    &tags,
                )
                .fetch_one(&self.pool)
            })
            .await?;
        Ok(found == expected)
    }

    /// Hears what other replicas tell. Takes one connection of the pool.
    pub async fn listener(&self) -> Result<Listener, StoreError> {
        let mut listener = PgListener::connect_with(&self.pool).await?;
        listener.listen(CHANNEL).await?;
        Ok(Listener(listener))
    }

    /// Tells the other replicas.
    pub async fn teller(&self) -> Result<Teller, StoreError> {
        let mut connection = self.connect.connection().await?;
        // A hint may be lost: its commit needn't wait for the disk.
        sqlx::query!("set synchronous_commit = off").execute(&mut connection).await?;
        Ok(Teller(connection))
    }
}

/// Hears that another replica has written.
#[derive(Debug)]
pub struct Listener(PgListener);

impl Listener {
    /// Waits for a hint and returns who told it; `None` if hints may have been lost with the connection.
    pub async fn heard(&mut self) -> Result<Option<String>, StoreError> {
        Ok(self.0.try_recv().await?.map(|notification| notification.payload().to_owned()))
    }
}

/// Tells other replicas that this one has written.
#[derive(Debug)]
pub struct Teller(PgConnection);

impl Teller {
    /// Tells it; `origin` says who tells.
    pub async fn tell(&mut self, origin: &str) -> Result<(), StoreError> {
        sqlx::query!("select pg_notify($1, $2)", CHANNEL, origin).execute(&mut self.0).await?;
        Ok(())
    }
}
