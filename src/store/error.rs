//! What can go wrong with the database, sorted by what a caller can do about it.

use sqlx::error::DatabaseError;

/// An error of the store. Its text is for the log, never for a client.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The connection could not be made or was lost. A write that was under way may have happened or not.
    #[error("the database can't be reached: {0}")]
    Lost(#[source] sqlx::Error),
    /// No answer came in time; the connection was given up. What was under way may have happened or not.
    #[error("the database didn't answer within {0:?}")]
    Silent(std::time::Duration),
    /// The store was closed: the server is stopping.
    #[error("the store is closed")]
    Closed,
    /// A request_id of the batch was recorded meanwhile; nothing was written.
    #[error("an entry of the batch is recorded already: {0}")]
    AlreadyRecorded(#[source] sqlx::Error),
    /// The database refused for a reason that passes (a deadlock, too little memory, a full disk); nothing was written.
    #[error("the database refused for now: {0}")]
    Transient(#[source] sqlx::Error),
    /// The database refused the statement; nothing was written.
    #[error("the database refused: {0}")]
    Refused(#[source] sqlx::Error),
    /// A stored value that this version of the service can't have written.
    #[error("table {table}, row {row}: column {column} holds no valid value")]
    CorruptRow { table: &'static str, column: &'static str, row: String },
    /// The database isn't fit to serve; says what to change.
    #[error("{0}")]
    Unfit(String),
    /// A migration failed.
    #[error("migrating the database: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error.as_database_error().map(code) {
            Some(code) => Self::from_code(&code, error),
            None => match error {
                sqlx::Error::ColumnDecode { .. }
                | sqlx::Error::Decode(_)
                | sqlx::Error::Encode(_)
                | sqlx::Error::ColumnNotFound(_)
                | sqlx::Error::RowNotFound => Self::Refused(error),
                _ => Self::Lost(error),
            },
        }
    }
}

fn code(error: &(dyn DatabaseError + 'static)) -> String {
    error.code().unwrap_or_default().into_owned()
}

impl StoreError {
    fn from_code(code: &str, error: sqlx::Error) -> Self {
        match code {
            "23505" => Self::AlreadyRecorded(error),
            // The server is going down or starting, or has become a standby: another connection may find it well.
            "25006" | "57P01" | "57P02" | "57P03" | "57P04" | "57P05" => Self::Lost(error),
            // Cancelled by an operator or a timeout of the database's.
            "57014" | "55P03" => Self::Transient(error),
            _ => match code.get(..2) {
                Some("08") => Self::Lost(error),
                Some("40" | "53" | "58") => Self::Transient(error),
                _ => Self::Refused(error),
            },
        }
    }

    /// The error as the driver's pool wants it.
    pub(super) fn into_driver_error(self) -> sqlx::Error {
        match self {
            Self::Lost(error) | Self::AlreadyRecorded(error) | Self::Transient(error) | Self::Refused(error) => error,
            other => sqlx::Error::Configuration(Box::new(other)),
        }
    }

    /// Whether trying again later may help.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        matches!(self, Self::Lost(_) | Self::Silent(_) | Self::Closed | Self::Transient(_))
    }
}
