//! The settings of the server: flags, environment, defaults. Every limit has its name here.

use clap::{Args, ValueEnum};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Settings of `lead-pipeline serve`.
#[derive(Clone, Debug, Args)]
pub struct Config {
    /// Address for gRPC; port 0 takes any free one.
    #[arg(long, env = "LEAD_PIPELINE_LISTEN", default_value = "127.0.0.1:50051", value_name = "ADDRESS")]
    pub listen: SocketAddr,
    /// Address for metrics (/metrics) and health (/healthz) over HTTP; port 0 takes any free one.
    #[arg(long, env = "LEAD_PIPELINE_HTTP_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    pub http_listen: SocketAddr,
    /// The database, as postgres://user:password@host:port/name. Without it the server runs a Postgres of its own.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: Option<String>,
    /// Folder of the server's own Postgres.
    #[arg(long, env = "LEAD_PIPELINE_DATA_DIR", default_value = ".lead-pipeline", value_name = "DIR")]
    pub data_dir: PathBuf,
    /// Partitions of a new database; one that is initialised keeps its number.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(i32).range(1..=256))]
    pub partitions: i32,
    /// How log lines are written, to standard error.
    #[arg(long, env = "LEAD_PIPELINE_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// What is logged: a level, or levels by module, like `info,lead_pipeline=debug`. At debug, one line a call.
    #[arg(long, env = "LEAD_PIPELINE_LOG", default_value = "info", value_name = "FILTER")]
    pub log: String,
    /// Prints three grpcurl lines to try, once the server serves.
    #[arg(long)]
    pub print_examples: bool,
    /// For tests only: accepts a database that can lose writes in a crash (fsync off).
    #[arg(long)]
    pub testing: bool,
    /// How many ATTEMPT_FAILED in a row make a contact point BAD.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(i32).range(1..=1000))]
    pub failures_until_bad: i32,
    /// After what time without a word of the lead an ENGAGED or QUALIFIED lead counts as quiet and goes to NURTURE, like
    /// `14d`. Without it: never.
    #[arg(long, value_name = "TIME", value_parser = long)]
    pub quiet_after: Option<Duration>,
    /// From a lead's entering NURTURE, or the last message or check-in there, to the next check-in.
    #[arg(long, default_value = "14d", value_name = "TIME", value_parser = long)]
    pub check_in_interval: Duration,
    #[command(flatten)]
    pub limits: Limits,
}

/// Limits. Times are like `250ms`, `10s` or `2m`.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Limits")]
pub struct Limits {
    /// Commands that wait for one partition's writer; one more is refused with RESOURCE_EXHAUSTED.
    #[arg(long, default_value_t = 4096, value_parser = count(1, 1_000_000))]
    pub write_queue: usize,
    /// Commands that one partition's writer decides and writes together.
    #[arg(long, default_value_t = 512, value_parser = count(1, 10_000))]
    pub write_batch: usize,
    /// Leads that one partition's writer remembers (about 500 bytes each).
    #[arg(long, default_value = "32768")]
    pub lead_cache: NonZeroUsize,
    /// How long a write may take before it is UNAVAILABLE, unless the caller's own deadline comes first.
    #[arg(long, default_value = "10s", value_parser = duration)]
    pub write_patience: Duration,
    /// How long a writer waits for a lock before it ends a holder that has fallen silent in the middle of a write.
    #[arg(long, default_value = "5s", value_parser = duration)]
    pub lock_patience: Duration,
    /// How long a statement of a writer may take before its connection is given up.
    #[arg(long, default_value = "20s", value_parser = duration)]
    pub statement_patience: Duration,
    /// How long a read may take before it is UNAVAILABLE.
    #[arg(long, default_value = "10s", value_parser = duration)]
    pub read_patience: Duration,
    /// How long making or borrowing a database connection may take.
    #[arg(long, default_value = "5s", value_parser = duration)]
    pub connect_timeout: Duration,
    /// Database connections for reads, beside two a partition for writes and one for notifications.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub read_connections: u32,
    /// Triggers of one ApplyTriggers stream that are under way or unread; no more are taken before one is read.
    #[arg(long, default_value_t = 1024, value_parser = count(1, 1_000_000))]
    pub stream_window: usize,
    /// Reads of one lead that wait for one partition's next statement; more wait to be taken.
    #[arg(long, default_value_t = 4096, value_parser = count(1, 1_000_000))]
    pub read_queue: usize,
    /// Leads that are read in one statement, for as many calls.
    #[arg(long, default_value_t = 512, value_parser = count(1, 10_000))]
    pub read_batch: usize,
    /// Leads in one BatchCreateLeads; at most 1,000, which is what the contract allows.
    #[arg(long, default_value_t = 1000, value_parser = count(1, 1000))]
    pub batch_leads: usize,
    /// Page size of a list whose caller asks for none.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i32).range(1..=10_000))]
    pub page_default: i32,
    /// The largest page; a larger one that is asked for is cut to it.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(i32).range(1..=10_000))]
    pub page_max: i32,
    /// Bytes of one page of ListWatchers, about: filters may be long, and a client takes 4 MiB.
    #[arg(long, default_value_t = 1024 * 1024, value_parser = count(1, 64 * 1024 * 1024))]
    pub page_bytes: usize,
    /// The largest request in bytes.
    #[arg(long, default_value_t = 4 * 1024 * 1024, value_parser = count(1024, 64 * 1024 * 1024))]
    pub message_bytes: usize,
    /// Calls that one connection may have open at the same time.
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub streams_per_connection: u32,
    /// Bytes that one call may send before the server has read them.
    #[arg(long, default_value_t = 64 * 1024, value_parser = clap::value_parser!(u32).range(65_535..=16_777_216))]
    pub stream_window_bytes: u32,
    /// Bytes that the calls of one connection may send before the server has read them; small messages that wait unread
    /// count for more than their size, and beyond it the connection is closed.
    #[arg(long, default_value_t = 32 * 1024 * 1024, value_parser = clap::value_parser!(u32).range(65_535..=1_073_741_824))]
    pub connection_window_bytes: u32,
    /// How often an idle connection is asked whether it is still there.
    #[arg(long, default_value = "30s", value_parser = duration)]
    pub keepalive_interval: Duration,
    /// How long the answer may take before the connection is closed.
    #[arg(long, default_value = "10s", value_parser = duration)]
    pub keepalive_timeout: Duration,
    /// Watches that this server serves at the same time.
    #[arg(long, default_value_t = 20_000, value_parser = count(1, 10_000_000))]
    pub watchers: usize,
    /// How long a watch may be silent before it gets a checkpoint, unless its caller says; 1 s or more.
    #[arg(long, default_value = "10s", value_parser = duration)]
    pub checkpoint_interval: Duration,
    /// Recent entries of each partition that are kept in memory while someone watches (about 700 bytes each).
    #[arg(long, default_value_t = 8192, value_parser = count(1, 10_000_000))]
    pub ring_entries: usize,
    /// How often the database is asked for other replicas' changes while someone watches.
    #[arg(long, default_value = "250ms", value_parser = duration)]
    pub poll_interval: Duration,
    /// The least time between two hints to the other replicas.
    #[arg(long, default_value = "5ms", value_parser = duration)]
    pub hint_interval: Duration,
    /// Changes in one response of a watch.
    #[arg(long, default_value_t = 512, value_parser = count(1, 100_000))]
    pub response_entries: usize,
    /// Bytes of changes in one response of a watch, about.
    #[arg(long, default_value_t = 64 * 1024, value_parser = count(1, 4 * 1024 * 1024))]
    pub response_bytes: usize,
    /// Entries that one read of the log brings.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(i64).range(1..=100_000))]
    pub log_page: i64,
    /// Pages of the log that are kept for other watches (about 700 bytes an entry).
    #[arg(long, default_value = "16")]
    pub log_pages: NonZeroUsize,
    /// Reads of the log and of snapshots that watches do at the same time.
    #[arg(long, default_value_t = 4, value_parser = count(1, 1000))]
    pub log_readers: usize,
    /// Leads in one page of a snapshot.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    pub snapshot_page: i64,
    /// Leads a second that snapshots send, all together, while leads are written; as many as can be while none are.
    #[arg(long, default_value_t = 12_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub snapshot_rate: u32,
    /// How long a watch lasts: then it gets its cursor and is asked to begin again, on another replica maybe. Each ends
    /// up to a tenth earlier, not all at once.
    #[arg(long, default_value = "12h", value_parser = duration)]
    pub watch_age: Duration,
    /// How often the database is asked what is due: meetings that have ended, quiet leads, revivals to go on with.
    #[arg(long, default_value = "1s", value_parser = duration)]
    pub timer_interval: Duration,
    /// Due leads that are taken from one partition at a time.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    pub timer_batch: i64,
    /// Leads of a revival that are written together, at most.
    #[arg(long, default_value_t = 512, value_parser = count(1, 10_000))]
    pub revival_batch: usize,
    /// The percentage of the leads written that a revival takes while others are written too.
    #[arg(long, default_value_t = 50, value_parser = count(1, 99))]
    pub revival_share: usize,
    /// How long a replica that works on a revival may be silent before another one goes on with it.
    #[arg(long, default_value = "3s", value_parser = duration)]
    pub revival_lease: Duration,
    /// How often the progress of a revival is told.
    #[arg(long, default_value = "500ms", value_parser = duration)]
    pub revival_progress: Duration,
    /// Follow-ups that one call leases, at most.
    #[arg(long, default_value_t = 1000, value_parser = count(1, 10_000))]
    pub lease_follow_ups: usize,
    /// How long a call may wait for a follow-up to become due.
    #[arg(long, default_value = "60s", value_parser = duration)]
    pub lease_wait: Duration,
    /// Calls that may wait for follow-ups at the same time.
    #[arg(long, default_value_t = 1000, value_parser = count(1, 1_000_000))]
    pub lease_waiters: usize,
    /// How often a call that waits for follow-ups looks again.
    #[arg(long, default_value = "250ms", value_parser = duration)]
    pub lease_interval: Duration,
    /// Entries of a partition's log between two sums of the funnel.
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(i64).range(1..=1_000_000))]
    pub funnel_step: i64,
    /// Entries that are read one by one for the times in stage of a funnel; of a longer range there are only counts.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(i64).range(1..=1_000_000_000))]
    pub funnel_entries: i64,
    /// How long a stop waits for what is under way.
    #[arg(long, default_value = "10s", value_parser = duration)]
    pub stop_grace: Duration,
}

impl Config {
    /// Checks what one flag alone can't show.
    ///
    /// # Errors
    /// What is wrong, and what is allowed.
    pub fn validate(&self) -> Result<(), String> {
        let limits = &self.limits;
        if limits.page_default > limits.page_max {
            return Err(format!("--page-default {} is more than --page-max {}", limits.page_default, limits.page_max));
        }
        if limits.checkpoint_interval < Duration::from_secs(1) {
            return Err("--checkpoint-interval must be 1s or more".into());
        }
        if (limits.log_readers as u64) >= u64::from(limits.read_connections) {
            return Err(format!(
                "--log-readers {} leaves no connection for other reads: it must be below --read-connections {}",
                limits.log_readers, limits.read_connections
            ));
        }
        Ok(())
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if duration.is_zero() || duration > Duration::from_hours(24) {
        return Err("must be above 0 and at most 24h".into());
    }
    Ok(duration)
}

/// A time of days or months.
fn long(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if duration.is_zero() || duration > Duration::from_hours(24 * 3650) {
        return Err("must be above 0 and at most 3650 days".into());
    }
    Ok(duration)
}

fn count(least: usize, most: usize) -> impl Fn(&str) -> Result<usize, String> + Clone + Send + Sync + 'static {
    move |text| {
        let number: usize = text.parse().map_err(|_| "must be a whole number".to_owned())?;
        if (least..=most).contains(&number) { Ok(number) } else { Err(format!("must be from {least} to {most}")) }
    }
}
