//! Brings the database to this version's tables.

use super::StoreError;
use super::types::PgTimestamp;
use crate::domain::Timestamp;
use sqlx::PgConnection;
use sqlx::migrate::Migrator;
use std::cmp::Ordering;

static MIGRATIONS: Migrator = sqlx::migrate!();

/// Applies the migrations, under Postgres's advisory lock so that replicas take turns, and returns the number of
/// partitions: `partitions` if the database is new, else what it was initialised with.
pub(super) async fn migrate(connection: &mut PgConnection, partitions: i32) -> Result<i32, StoreError> {
    MIGRATIONS.run(&mut *connection).await?;
    // The heads are made by whoever makes the one row of the pipeline, and never again.
    sqlx::query!(
        "with made as (insert into pipeline (partitions) values ($1) on conflict do nothing returning partitions)
         insert into heads (partition) select generate_series(0, partitions - 1) from made",
        partitions
    )
    .execute(&mut *connection)
    .await?;
    let partitions = sqlx::query_scalar!("select partitions from pipeline").fetch_one(connection).await?;
    Ok(partitions)
}

/// The pipeline's time, and whether it is the database's clock: tests move it.
pub(super) async fn time(connection: &mut PgConnection) -> Result<(Timestamp, bool), StoreError> {
    let row = sqlx::query!(
        r#"select clock_timestamp() + time_offset as "now!: PgTimestamp", time_offset = interval '0' as "real!"
           from pipeline"#
    );
    let row = row.fetch_one(connection).await?;
    Ok((row.now.0, row.real))
}

/// Refuses a database that doesn't have just this version's tables; changes nothing in it.
pub(super) async fn check(connection: &mut PgConnection) -> Result<(), StoreError> {
    let unfit = |text: &str| StoreError::Unfit(text.into());
    let made: bool = sqlx::query_scalar(
        "select to_regclass('_sqlx_migrations') is not null and to_regclass('pipeline') is not null",
    )
    .fetch_one(&mut *connection)
    .await?;
    if !made {
        return Err(unfit("the database holds no pipeline: is it the right one?"));
    }
    let applied: Vec<i64> = sqlx::query_scalar("select version from _sqlx_migrations where success order by version")
        .fetch_all(connection)
        .await?;
    let known: Vec<i64> = MIGRATIONS.iter().map(|migration| migration.version).collect();
    match applied.len().cmp(&known.len()) {
        Ordering::Equal if applied == known => Ok(()),
        Ordering::Less => {
            Err(unfit("the database has the tables of an older version: start this version's server on it first"))
        }
        _ => Err(unfit("the database has the tables of another version: use that version's program")),
    }
}
