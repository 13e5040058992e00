//! Logs and metrics of the process.

use crate::config::LogFormat;
use crate::store::catch_warnings;
use metrics::{counter, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::io::IsTerminal;
use std::sync::OnceLock;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// Sends log lines to standard error.
///
/// # Errors
/// If the filter can't be read.
pub fn init_logs(filter: &str, format: LogFormat) -> Result<(), String> {
    // A bare level is meant for this program; the libraries below it keep to warnings.
    let directives = match filter.parse::<tracing::Level>() {
        Ok(level) => format!("warn,lead_pipeline={level}"),
        Err(_) => filter.to_owned(),
    };
    let filter = EnvFilter::try_new(directives).map_err(|error| format!("--log: {error}"))?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let log = tracing_subscriber::registry().with(lines.with_filter(filter)).with(catch_warnings());
    log.try_init().map_err(|error| error.to_string())
}

const SECONDS: [f64; 14] = [0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0, 10.0];
const COUNTS: [f64; 12] = [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 10_000.0];

/// The metrics of the process; the first call begins to collect them.
///
/// # Panics
/// If another recorder was installed: nothing in this program does.
pub fn metrics() -> &'static PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(|| {
        let handle = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS)
            .and_then(|builder| builder.set_buckets(&COUNTS))
            .and_then(PrometheusBuilder::install_recorder)
            .expect("the buckets aren't empty, and nothing else installs a recorder");
        describe();
        // Known from the start, so that the first event is seen as a rise.
        for name in [
            "lead_pipeline_batch_failures_total",
            "lead_pipeline_watch_fell_behind_total",
            "lead_pipeline_watch_diverged_total",
        ] {
            counter!(name).absolute(0);
        }
        handle
    })
}

fn describe() {
    describe_counter!("grpc_server_started_total", "Calls that were started.");
    describe_counter!("grpc_server_handled_total", "Calls that have ended, by code.");
    describe_histogram!("grpc_server_handling_seconds", "How long calls took, streams to their end.");
    describe_histogram!("lead_pipeline_batch_commands", "Commands that a writer took from its queue together.");
    describe_histogram!("lead_pipeline_commit_seconds", "How long the write statement took, commit included.");
    describe_counter!("lead_pipeline_batch_failures_total", "Batches that failed and were tried again.");
    describe_counter!("lead_pipeline_entries_total", "History entries that this replica wrote.");
    describe_gauge!("lead_pipeline_queue_commands", "Commands that wait for a writer.");
    describe_gauge!("lead_pipeline_watchers", "Watches that are open.");
    describe_gauge!("lead_pipeline_watchers_slow", "Watches that fell behind and read from the log.");
    describe_histogram!("lead_pipeline_watch_behind", "Positions a watch still had to read when a response was sent.");
    describe_counter!("lead_pipeline_watch_changes_total", "Changes that were sent to watches.");
    describe_counter!("lead_pipeline_watch_log_reads_total", "Pages of the log that were read for watches.");
    describe_counter!("lead_pipeline_watch_fell_behind_total", "Watches that fell behind and went on from the log.");
    describe_counter!("lead_pipeline_watch_diverged_total", "Times that the database had lost streamed history.");
    describe_gauge!("lead_pipeline_database_up", "1 if the database can be reached, else 0.");
}
