//! The watch's promises at their full size: `make campaign` runs each scenario alone, on a durable Postgres of its own,
//! prints its figures, and fails on a broken promise. `make test` runs the same scenarios small, without a look at the
//! clock.

mod fan_out;
mod figures;
mod foreign_transaction;
mod idle_watchers;
mod latency;
mod load;
mod restarts;
mod snapshot;
mod stage;
mod stalled_readers;
mod subscriber;
