//! Postgres's warnings while it commits. The driver hands them to the log and to nobody else, so they are caught there.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

thread_local! {
    /// Whether the statement that is being polled on this thread was told that its commit isn't replicated.
    static UNREPLICATED: Cell<bool> = const { Cell::new(false) };
}

/// The part of the log that catches warnings; without it in the log, none is.
#[must_use]
pub fn catch_warnings<S: Subscriber + for<'a> LookupSpan<'a>>() -> impl Layer<S> {
    Catch.with_filter(Targets::new().with_target("sqlx::postgres::notice", LevelFilter::WARN))
}

struct Catch;

impl<S: Subscriber> Layer<S> for Catch {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        event.record(&mut Look);
    }
}

struct Look;

impl Visit for Look {
    fn record_debug(&mut self, _: &Field, value: &dyn std::fmt::Debug) {
        // "canceling wait for synchronous replication due to user request"
        if format!("{value:?}").contains("synchronous replication") {
            UNREPLICATED.set(true);
        }
    }
}

/// Runs a statement; also says whether Postgres warned that the commit may not be on the standby.
pub(super) async fn watched<T>(statement: impl Future<Output = T>) -> (T, bool) {
    let mut statement = pin!(statement);
    let mut unreplicated = false;
    let result = poll_fn(|context| {
        // The driver tells of a warning while it is polled, on this thread.
        UNREPLICATED.set(false);
        let poll = statement.as_mut().poll(context);
        unreplicated |= UNREPLICATED.get();
        poll
    })
    .await;
    (result, unreplicated)
}
