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

/// How far a partition's log goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    pub partition: i32,
    /// The last entry that was pruned; position 0 if none was.
    pub floor: Mark,
    /// The last entry.
    pub head: Mark,
}

/// What the database says of a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The log has its entry as it was.
    Holds,
    /// Its entry was pruned, so nobody can say.
    Expired,
    /// The log doesn't have its entry, or another in its place.
    Diverged,
}

impl Store {
    /// How far every partition's log goes, in order.
    pub async fn extents(&self) -> Result<Vec<Extent>, StoreError> {
        let rows = self.repeat(|| {
            // Each from the end of its key: see the migration of that name.
            sqlx::query!(
                r#"select wanted.partition as "partition!", head.position, head.tag, head.floor, head.floor_tag
                   from generate_series(0, $1::int - 1) as wanted (partition)
                   cross join lateral (
                       select * from heads where heads.partition = wanted.partition order by position desc limit 1
                   ) as head
                   order by wanted.partition"#,
                self.partitions,
            )
            .fetch_all(&self.pool)
        });
        let extents = rows.await?.into_iter().map(|row| Extent {
            partition: row.partition,
            floor: Mark { position: row.floor, tag: row.floor_tag },
            head: Mark { position: row.position, tag: row.tag },
        });
        Ok(extents.collect())
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

    /// How each mark (one a partition, from the first on) stands, with the floor of its partition.
    pub async fn standings(&self, marks: &[Mark]) -> Result<Vec<(Standing, Mark)>, StoreError> {
        self.stand(0, marks).await
    }

    /// How a partition's mark stands.
    pub async fn standing(&self, partition: i32, mark: Mark) -> Result<Standing, StoreError> {
        let standings = self.stand(partition, &[mark]).await?;
        Ok(standings.first().map_or(Standing::Diverged, |(standing, _)| *standing))
    }

    async fn stand(&self, first: i32, marks: &[Mark]) -> Result<Vec<(Standing, Mark)>, StoreError> {
        let partitions: Vec<i32> = (first..).take(marks.len()).collect();
        let positions: Vec<i64> = marks.iter().map(|mark| mark.position).collect();
        let rows = self
            .repeat(|| {
                sqlx::query!(
                    r#"select heads.floor, heads.floor_tag, entry.position as "position?", entry.tag as "tag?"
                       from unnest($1::int[], $2::bigint[]) as mark (partition, position)
                       cross join lateral (
                           select floor, floor_tag from heads
                           where heads.partition = mark.partition order by heads.position desc limit 1
                       ) as heads
                       left join lateral (
                           select entries.position, entries.tag from entries
                           where entries.partition = mark.partition and entries.position >= mark.position
                           order by entries.position limit 1
                       ) as entry on true
                       order by mark.partition"#,
                    &partitions,
                    &positions,
                )
                .fetch_all(&self.pool)
            })
            .await?;
        let standings = rows.into_iter().zip(marks).map(|(row, mark)| {
            let floor = Mark { position: row.floor, tag: row.floor_tag };
            let found = row.position.zip(row.tag).map(|(position, tag)| Mark { position, tag });
            (standing(*mark, floor, found), floor)
        });
        Ok(standings.collect())
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

fn standing(mark: Mark, floor: Mark, found: Option<Mark>) -> Standing {
    if mark.position < floor.position {
        Standing::Expired
    } else if mark == floor || found == Some(mark) {
        // The start of a log that was never pruned is its floor too.
        Standing::Holds
    } else {
        Standing::Diverged
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
