//! The program `lead-pipeline prune` as an operator runs it.

use crate::support::command::{Ended, Run};
use crate::support::server::Database;
use crate::support::wait::eventually;

/// Starts it.
pub fn start(arguments: &[&str]) -> Run {
    Run::start(".", &[&["prune"], arguments].concat())
}

/// Runs it to its end.
pub async fn prune(url: &str, arguments: &[&str]) -> Ended {
    start(&[&["--database-url", url], arguments].concat()).ended().await
}

/// Prunes everything that is recorded by now, and returns how many entries that were.
pub async fn prune_all(url: &str) -> i64 {
    let now = now(url).await;
    let ended = prune(url, &["--before", &now, "--yes", "--output=json"]).await.with(0);
    ended.document()["pruned"]["entries"].as_i64().expect("a number")
}

/// The database's time. What was recorded so far is from before it.
pub async fn now(url: &str) -> String {
    let query = r#"select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"#;
    sqlx::query_scalar(query).fetch_one(&mut Database::connect(url).await.0).await.expect("the time")
}

/// Waits until so many sessions wait for a lock. Not to be asked within a transaction, which looks only once.
pub async fn until_waiting(database: &mut Database, sessions: i64) {
    eventually("sessions to wait", async || (database.waiting().await == sessions).then_some(())).await;
}

/// How many entries are kept.
pub async fn entries(url: &str) -> i64 {
    Database::connect(url).await.number("select count(*) from entries").await
}
