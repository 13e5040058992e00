//! A private Postgres for a machine without a database URL. Comes in: a data folder. Goes out: a connection URL over a
//! unix socket, valid as long as [`EmbeddedPostgres`] lives. It never listens on a network and never leaves its folder.
//!
//! The server finds the machine's Postgres programs, makes a cluster in its data folder, starts it, starts it again if
//! it dies, and stops it with itself. After its own kill -9 the next start adopts the Postgres that ran on.

mod account;
mod cluster;
mod error;
mod place;
mod postmaster;
mod programs;
mod settings;
mod watcher;

use std::{fmt::Write as _, path::Path};

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle,
};

pub use error::EmbeddedError;
pub use settings::Settings;

use cluster::Cluster;

/// The database user that owns everything in the cluster.
pub(super) const USER: &str = "lead_pipeline";

/// The database that the server keeps its data in.
pub const DATABASE: &str = "lead_pipeline";

/// A running cluster. [`EmbeddedPostgres::stop`] stops it in order; dropping it asks Postgres to stop and doesn't wait.
#[derive(Debug)]
pub struct EmbeddedPostgres {
    /// The URL up to the database's name, and what follows it.
    url: String,
    running: watch::Receiver<Option<u32>>,
    stop: oneshot::Sender<()>,
    watcher: JoinHandle<Result<(), EmbeddedError>>,
}

impl EmbeddedPostgres {
    /// Makes or finds the cluster, starts or adopts its Postgres, and returns when it accepts connections.
    ///
    /// The lock on the data folder is held until Postgres is gone: a second start on the folder is refused.
    pub async fn start(settings: Settings) -> Result<Self, EmbeddedError> {
        let mut cluster = Cluster::open(settings).await?;
        let pid = match cluster.launch().await {
            Ok(pid) => pid,
            Err(error) => {
                if let Err(also) = cluster.shut_down().await {
                    tracing::warn!(%also, "after a failed start");
                }
                return Err(error);
            }
        };
        let url = cluster.url(DATABASE_MARK);
        tracing::info!(pid, url = url.replace(DATABASE_MARK, DATABASE), "Postgres accepts connections");
        let (running_sender, running) = watch::channel(Some(pid));
        let (stop, stop_receiver) = oneshot::channel();
        let watcher = tokio::spawn(watcher::watch(cluster, running_sender, stop_receiver));
        Ok(Self { url, running, stop, watcher })
    }

    /// The connection URL of a database.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        self.url.replace(DATABASE_MARK, &percent_encoded(database))
    }

    /// Makes the database if it is missing.
    pub async fn ensure_database(&self, name: &str) -> Result<(), EmbeddedError> {
        let failed = |action| move |source| EmbeddedError::Database { action, source };
        let mut connection = PgConnection::connect(&self.url("postgres")).await.map_err(failed("connect"))?;
        // Quoted as an identifier: a statement that makes a database takes no parameters.
        let statement = format!("create database \"{}\"", name.replace('"', "\"\""));
        match connection.execute(AssertSqlSafe(statement)).await {
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(DUPLICATE_DATABASE) => {}
            Err(source) => return Err(failed("make the database")(source)),
            Ok(_) => {}
        }
        connection.close().await.map_err(failed("disconnect"))
    }

    /// Waits until Postgres accepts connections, which it does at once unless it has died and is being started again.
    pub async fn ensure_running(&self) -> Result<(), EmbeddedError> {
        let mut running = self.running.clone();
        let outcome = running.wait_for(Option::is_some).await;
        outcome.map(drop).map_err(|_| EmbeddedError::Unsupervised)
    }

    /// The process id while Postgres accepts connections, none while it is being started again; tells of each change.
    #[must_use]
    pub fn running(&self) -> watch::Receiver<Option<u32>> {
        self.running.clone()
    }

    /// Ends all sessions, stops Postgres, waits until it is gone, and unlocks the folder.
    pub async fn stop(self) -> Result<(), EmbeddedError> {
        // A watcher that is gone already tells why just below.
        let _ = self.stop.send(());
        self.watcher.await.map_err(|_| EmbeddedError::Unsupervised)?
    }
}

/// The connection URL of a database of the Postgres that a server runs on the folder; `None` if none runs there, or not
/// yet. For commands beside the server: takes no lock and changes nothing.
pub fn running_url(data_dir: &Path, database: &str) -> Result<Option<String>, EmbeddedError> {
    let Some(home) = place::find_home(data_dir)? else { return Ok(None) };
    let socket_dir = postmaster::running_socket_dir(&place::data_in(&home));
    Ok(socket_dir.map(|socket_dir| connection_url(&socket_dir, &percent_encoded(database))))
}

/// Stands for the database's name; no percent-encoded path contains it.
const DATABASE_MARK: &str = "{database}";

/// Postgres's code for "the database exists".
const DUPLICATE_DATABASE: &str = "42P04";

fn connection_url(socket_dir: &Path, database: &str) -> String {
    let host = percent_encoded(&socket_dir.display().to_string());
    // No TLS on a unix socket, whatever PGSSLMODE says in the operator's shell.
    format!("postgres://{USER}@{host}:{}/{database}?sslmode=disable", place::PORT)
}

fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_folder_and_database_survive_the_url() {
        let folder = "/tmp/a b,c%/ü#?@:\"x";
        let url = connection_url(Path::new(folder), &percent_encoded("da/ta?b"));
        let options: sqlx::postgres::PgConnectOptions = url.parse().unwrap();
        assert_eq!(options.get_socket().unwrap(), Path::new(folder));
        assert_eq!(options.get_database(), Some("da/ta?b"));
        assert_eq!(options.get_username(), USER);
        assert_eq!(options.get_port(), place::PORT);
    }
}
