//! Connecting: what every session is set to, and which databases are refused.

use super::clock::Clock;
use super::error::StoreError;
use super::{Store, migrate};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection, Row};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// Where the database is and how it is used.
#[derive(Clone, Debug)]
pub struct ConnectSettings {
    /// A URL of Postgres: `postgres://user:password@host:port/database`.
    pub url: String,
    /// Connections for reads, beside two for each partition's writer and one for notifications.
    pub read_connections: u32,
    /// How long a read may take.
    pub read_patience: Duration,
    /// How long making or borrowing a connection may take.
    pub connect_timeout: Duration,
    /// The number of partitions a new database gets.
    pub partitions: i32,
    /// Accepts a database that can lose acknowledged writes in a crash. Tests only.
    pub allow_unsafe: bool,
}

/// Makes connections of one kind.
#[derive(Debug)]
pub struct Connect {
    options: PgConnectOptions,
    timeout: Duration,
    allow_unsafe: bool,
}

/// Connects, migrates the database under a lock, and initialises it if it is new.
///
/// # Errors
/// If the URL is wrong, the database can't be reached, isn't fit to serve, or can't be migrated.
pub async fn connect(settings: &ConnectSettings) -> Result<Store, StoreError> {
    let connect = Arc::new(Connect::to(&settings.url, settings.connect_timeout, settings.allow_unsafe)?);
    let mut connection = connect.connection().await?;
    let partitions = migrate::migrate(&mut connection, settings.partitions).await?;
    let (now, real) = migrate::time(&mut connection).await?;
    if !real && !settings.allow_unsafe {
        return Err(StoreError::Unfit(
            "the database's time was moved for a test (pipeline.time_offset isn't zero): it is no database to serve \
             from; --testing accepts it"
                .into(),
        ));
    }
    connection.close().await.ok();
    let read_patience = settings.read_patience.as_millis().to_string();
    let pool = PgPoolOptions::new()
        .max_connections(settings.read_connections + LISTENER)
        .acquire_timeout(settings.connect_timeout)
        // A connection that died is noticed by the statement that uses it, and the read is repeated.
        .test_before_acquire(false)
        // Where there was a primary there may be a standby: what it answers may be older than what was acknowledged.
        .after_connect({
            let connect = Arc::clone(&connect);
            move |connection, _| {
                let connect = Arc::clone(&connect);
                Box::pin(async move { connect.check(connection).await.map_err(StoreError::into_driver_error) })
            }
        })
        // Ended by the database, so that a read whose caller has gone doesn't keep its connection.
        .connect_lazy_with(connect.options.clone().options([("statement_timeout", read_patience)]));
    Ok(Store { pool, connect, partitions, clock: Arc::new(Clock::new(now)) })
}

/// The connection that hears other replicas.
const LISTENER: u32 = 1;

/// Session settings. The planner's: a generic plan that was made while a table was small must not scan it when it has
/// grown; every access of the service is by key. The network's: a dead peer is noticed within half a minute.
const SESSION: [(&str, &str); 12] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("jit", "off"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    // A lookup in its key's order must be read in that order: on a small table a sort looks as cheap.
    ("enable_sort", "off"),
    ("enable_incremental_sort", "off"),
    ("default_transaction_isolation", "read committed"),
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "20000"),
];

impl Connect {
    /// Checks the URL; connects to nothing yet.
    pub(super) fn to(url: &str, timeout: Duration, allow_unsafe: bool) -> Result<Self, StoreError> {
        let of_postgres = ["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme));
        let options = PgConnectOptions::from_str(url)
            .ok()
            .filter(|_| of_postgres)
            // No word of the driver's: its text may hold the password.
            .ok_or_else(|| StoreError::Unfit("the database URL is no valid postgres:// URL".into()))?
            .application_name("lead-pipeline")
            .options(SESSION);
        Ok(Self { options: options.disable_statement_logging(), timeout, allow_unsafe })
    }

    /// A new connection to a database that is fit to serve.
    pub(super) async fn connection(&self) -> Result<PgConnection, StoreError> {
        let connecting = async {
            let mut connection = self.options.connect().await?;
            self.check(&mut connection).await?;
            Ok(connection)
        };
        tokio::time::timeout(self.timeout, connecting)
            .await
            .unwrap_or_else(|_| Err(StoreError::Lost(sqlx::Error::PoolTimedOut)))
    }

    /// Refuses what would break a promise, and makes commits of this session wait for the disk.
    async fn check(&self, connection: &mut PgConnection) -> Result<(), StoreError> {
        let row = sqlx::query(
            "select current_setting('server_version_num')::int, current_setting('fsync') = 'on',
                    current_setting('full_page_writes') = 'on', pg_is_in_recovery(),
                    set_config('synchronous_commit', case current_setting('synchronous_commit')
                        when 'remote_apply' then 'remote_apply' else 'on' end, false)",
        )
        .fetch_one(connection)
        .await?;
        let (version, fsync, full_pages, standby): (i32, bool, bool, bool) =
            (row.get(0), row.get(1), row.get(2), row.get(3));
        if !(150_000..190_000).contains(&version) {
            let major = version / 10_000;
            return Err(StoreError::Unfit(format!("the database is PostgreSQL {major}: use 15, 16, 17 or 18")));
        }
        for (name, on) in [("fsync", fsync), ("full_page_writes", full_pages)] {
            if !on && !self.allow_unsafe {
                return Err(StoreError::Unfit(format!(
                    "the database runs with {name} = off and can lose acknowledged writes in a crash: \
                     set {name} = on in postgresql.conf"
                )));
            }
        }
        if standby {
            // A standby may be promoted any moment: worth trying again.
            return Err(StoreError::Lost(sqlx::Error::Configuration("the database is a standby".into())));
        }
        Ok(())
    }
}
