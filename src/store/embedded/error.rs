//! What can go wrong with the embedded Postgres, in words for the operator's terminal (never for a client).

use std::{io, path::PathBuf, time::Duration};

/// Says what was attempted, on which folder, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// A file operation failed.
    #[error("could not {action} {}: {source}", path.display())]
    Folder {
        /// What was attempted, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The connection URL has to name the socket's folder, and a URL is text.
    #[error("the data folder's path {} is not valid UTF-8: choose another with --data-dir", path.display())]
    NotUtf8 {
        /// The data folder.
        path: PathBuf,
    },
    /// Another server has the folder's lock.
    #[error(
        "another lead-pipeline is running on the data folder {}: stop it first, or give this one its own --data-dir",
        path.display()
    )]
    InUse {
        /// The data folder.
        path: PathBuf,
    },
    /// Nothing usable is installed.
    #[error(
        "no usable Postgres (version 15 to 18) was found on this machine{found}. Install it:\n  \
         Debian, Ubuntu:  apt-get install postgresql\n  \
         Fedora:          dnf install postgresql-server\n  \
         Alpine:          apk add postgresql17\n  \
         macOS:           brew install postgresql@17\n\
         or pass --database-url with the address of a Postgres that runs already"
    )]
    NoPrograms {
        /// What was found and can't be used, as the end of the sentence; may be empty.
        found: String,
    },
    /// The cluster was made by a major version that isn't installed.
    #[error(
        "the database in {} was made by Postgres {needed}, and this machine has only {found}: install Postgres {needed} \
         (or move the data over with pg_upgrade)",
        path.display()
    )]
    WrongVersion {
        /// The cluster's data folder.
        path: PathBuf,
        /// The major version that can read it.
        needed: String,
        /// The versions that were found.
        found: String,
    },
    /// Root without anybody to become.
    #[error(
        "Postgres refuses to run as root, and /etc/passwd has neither `postgres` nor `nobody` to run it as: \
         start the server as another user"
    )]
    NoAccount,
    /// The user Postgres runs as can't get to its own data.
    #[error(
        "the user {user} that runs Postgres can't reach {}: make each folder above it passable (chmod o+x), or choose \
         another --data-dir",
        path.display()
    )]
    Unreachable {
        /// Where the cluster is.
        path: PathBuf,
        /// Who can't get there.
        user: String,
    },
    /// Somebody else's: made by an earlier start as root, or copied by root.
    #[error(
        "the database in {path} belongs to the user with id {owner}, and Postgres would run as {user}: start the server \
         as its owner, give it away (chown -R {user} {path}), or choose another --data-dir",
        path = path.display()
    )]
    Foreign {
        /// The cluster's folder.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who would run Postgres.
        user: String,
    },
    /// The pointer file leads nowhere. An empty database made in its place would look like lost data.
    #[error(
        "{} says that the database is in {}, which isn't there: bring it back, or remove the file to begin with an empty \
         database",
        pointer.display(),
        home.display()
    )]
    Lost {
        /// The pointer file.
        pointer: PathBuf,
        /// What it names.
        home: PathBuf,
    },
    /// Something that initdb didn't make stands where the cluster belongs.
    #[error("{} is not a Postgres data folder (it has no PG_VERSION): move it away", path.display())]
    NotACluster {
        /// The folder.
        path: PathBuf,
    },
    /// A folder that has to be private to us isn't.
    #[error(
        "{} has to be a folder (not a link) that belongs to the user with id {user} and is closed to all others: see what \
         it is, and move it away",
        path.display()
    )]
    Squatted {
        /// The folder.
        path: PathBuf,
        /// Who should own it.
        user: u32,
    },
    /// A program couldn't be started at all.
    #[error("could not run {}: {source}", program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A program ran longer than its limit.
    #[error("{} was not done after {limit:?}", program.display())]
    TooSlow {
        /// The program.
        program: PathBuf,
        /// The limit.
        limit: Duration,
    },
    /// initdb failed.
    #[error("initdb could not make a database in {}:\n{output}", path.display())]
    Initdb {
        /// The folder.
        path: PathBuf,
        /// What it printed.
        output: String,
    },
    /// Postgres ended while it started.
    #[error("Postgres could not start on {}; the end of {}:\n{tail}", path.display(), log.display())]
    Start {
        /// The cluster's data folder.
        path: PathBuf,
        /// Postgres's log.
        log: PathBuf,
        /// The last lines this start wrote.
        tail: String,
    },
    /// Postgres lives but accepts no connection.
    #[error(
        "Postgres on {} accepted no connection within {limit:?}; the end of {}:\n{tail}",
        path.display(),
        log.display()
    )]
    NotReady {
        /// The cluster's data folder.
        path: PathBuf,
        /// The limit.
        limit: Duration,
        /// Postgres's log.
        log: PathBuf,
        /// The last lines this start wrote.
        tail: String,
    },
    /// Postgres didn't end, not even at once.
    #[error("Postgres (process {pid}) on {} did not stop: kill it by hand", path.display())]
    Stop {
        /// The cluster's data folder.
        path: PathBuf,
        /// The postmaster.
        pid: u32,
    },
    /// A statement of the set-up failed.
    #[error("could not {action} in the embedded Postgres: {source}")]
    Database {
        /// What was attempted, as a verb.
        action: &'static str,
        /// Why it failed.
        source: sqlx::Error,
    },
    /// The task that looks after Postgres has ended.
    #[error("the embedded Postgres is no longer looked after: restart the server")]
    Unsupervised,
}

impl EmbeddedError {
    /// For `map_err` on a file operation.
    pub(super) fn folder(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Folder { action, path, source }
    }
}
