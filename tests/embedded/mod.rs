//! The embedded Postgres, with real Postgres processes: as root and not as root.

mod failures;
mod life;
mod server;

use std::path::Path;

use lead_pipeline::store::embedded::{EmbeddedPostgres, Settings};
use rustix::process::{Pid, Signal, kill_process};
use sqlx::{Connection as _, PgConnection, Row as _};

/// Small and quick; the data outlives any process, which is what these tests kill.
fn settings(folder: &Path) -> Settings {
    Settings {
        durable: false,
        max_connections: 20,
        shared_buffers_mib: 16,
        fallback_root: folder.join("fallback"),
        ..Settings::new(folder.join("data"))
    }
}

async fn start(folder: &Path) -> EmbeddedPostgres {
    EmbeddedPostgres::start(settings(folder)).await.expect("Postgres starts")
}

fn pid(postgres: &EmbeddedPostgres) -> u32 {
    postgres.running().borrow().expect("Postgres runs")
}

fn kill(pid: u32) {
    let pid = Pid::from_raw(pid.try_into().unwrap()).unwrap();
    kill_process(pid, Signal::KILL).expect("it lived");
}

/// Commits a row. The table is made with the first.
async fn write(postgres: &EmbeddedPostgres, text: &str) {
    let mut connection = PgConnection::connect(&postgres.url("postgres")).await.expect("a connection");
    sqlx::query("create table if not exists note (text text)").execute(&mut connection).await.unwrap();
    sqlx::query("insert into note values ($1)").bind(text).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

async fn read(postgres: &EmbeddedPostgres) -> Vec<String> {
    let mut connection = PgConnection::connect(&postgres.url("postgres")).await.expect("a connection");
    let rows = sqlx::query("select text from note order by 1").fetch_all(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

async fn show(postgres: &EmbeddedPostgres, setting: &'static str) -> String {
    let mut connection = PgConnection::connect(&postgres.url("postgres")).await.expect("a connection");
    let value =
        sqlx::query_scalar("select current_setting($1)").bind(setting).fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    value
}
