//! The program `lead-pipeline prune` as an operator runs it.

use crate::support::server::Database;
use crate::support::wait::{eventually, within};
use serde_json::Value;
use std::process::Stdio;
use tokio::process::{Child, Command};

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// What it printed with `--output json`.
    #[track_caller]
    pub fn document(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }
}

/// Starts it; killed when dropped.
pub fn start(arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_lead-pipeline"))
        .arg("prune")
        .args(arguments)
        .env_remove("DATABASE_URL")
        .env_remove("LEAD_PIPELINE_DATA_DIR")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the program starts")
}

/// Waits for its end.
pub async fn ended(child: Child) -> Ended {
    let output = within("the end of a prune", child.wait_with_output()).await.expect("its output");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Runs it to its end.
pub async fn prune(url: &str, arguments: &[&str]) -> Ended {
    ended(start(&[&["--database-url", url], arguments].concat())).await
}

/// Prunes everything that is recorded by now, and returns how many entries that were.
pub async fn prune_all(url: &str) -> i64 {
    let now = now(url).await;
    let ended = prune(url, &["--before", &now, "--yes", "--output=json"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
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
