//! Which database a command works on.

use crate::store::embedded::{self, EmbeddedError};
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// How long making the connection may take.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Where the database is.
#[derive(Clone, Debug, Args)]
pub struct Database {
    /// The database, as postgres://user:password@host:port/name. Without it, the server's own Postgres, which has to run.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database_url: Option<String>,
    /// Folder of the server's own Postgres.
    #[arg(long, env = "LEAD_PIPELINE_DATA_DIR", default_value = ".lead-pipeline", value_name = "DIR")]
    data_dir: PathBuf,
}

/// Why there is no database to work on.
#[derive(Debug, thiserror::Error)]
pub enum NoDatabase {
    #[error("no Postgres runs in {}: start the server there, or name the database with --database-url", .0.display())]
    NotRunning(PathBuf),
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
}

impl Database {
    /// The database's URL.
    pub fn url(&self) -> Result<String, NoDatabase> {
        // An empty variable is one that isn't set.
        if let Some(url) = self.database_url.as_ref().filter(|url| !url.is_empty()) {
            return Ok(url.clone());
        }
        let url = embedded::running_url(&self.data_dir, embedded::DATABASE)?;
        url.ok_or_else(|| NoDatabase::NotRunning(self.data_dir.clone()))
    }
}
