//! The log as the database has it, to hold streams against.

use super::server::Database;
use lead_pipeline::proto::StageChange;
use std::collections::BTreeMap;

/// What a change is known by: partition, position, lead, version.
pub type Place = (i32, i64, String, i32);

/// The places of changes, sorted: a stream has no order between partitions.
pub fn places<'a>(changes: impl IntoIterator<Item = &'a StageChange>) -> Vec<Place> {
    let place = |change: &StageChange| (change.partition, change.position, change.lead_id.clone(), change.version);
    let mut places: Vec<Place> = changes.into_iter().map(place).collect();
    places.sort();
    places
}

/// The whole log, sorted.
pub async fn log(url: &str) -> Vec<Place> {
    let Database(mut connection) = Database::connect(url).await;
    let log = sqlx::query_as("select partition, position, lead_id, version from entries order by partition, position");
    log.fetch_all(&mut connection).await.expect("the log")
}

/// The part of the log that follows some positions.
pub async fn log_behind(url: &str, through: &BTreeMap<i32, i64>) -> Vec<Place> {
    let mut log = log(url).await;
    log.retain(|(partition, position, ..)| *position > through[partition]);
    log
}

/// The heads as the database has them.
pub async fn heads(url: &str) -> BTreeMap<i32, i64> {
    let Database(mut connection) = Database::connect(url).await;
    let rows: Vec<(i32, i64)> =
        sqlx::query_as("select partition, position from heads").fetch_all(&mut connection).await.expect("heads");
    rows.into_iter().collect()
}
