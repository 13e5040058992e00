//! Brings the database to this version's tables.

use super::StoreError;
use sqlx::PgConnection;

/// Applies the migrations, under Postgres's advisory lock so that replicas take turns, and returns the number of
/// partitions: `partitions` if the database is new, else what it was initialised with.
pub(super) async fn migrate(connection: &mut PgConnection, partitions: i32) -> Result<i32, StoreError> {
    sqlx::migrate!().run(&mut *connection).await?;
    sqlx::query!("insert into pipeline (partitions) values ($1) on conflict do nothing", partitions)
        .execute(&mut *connection)
        .await?;
    let partitions = sqlx::query_scalar!("select partitions from pipeline").fetch_one(&mut *connection).await?;
    sqlx::query!(
        "insert into heads (partition) select generate_series(0, $1::int - 1) on conflict do nothing",
        partitions
    )
    .execute(connection)
    .await?;
    Ok(partitions)
}
