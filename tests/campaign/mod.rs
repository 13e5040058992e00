//! The watch's promises at their full size: `make campaign` runs each scenario alone, on a durable Postgres of its own,
//! prints its figures, and fails on a broken promise. `make test` runs the same scenarios small, without a look at the
//! clock.

pub mod fan_out;
mod figures;
mod follow_ups;
mod foreign_transaction;
pub mod idle_watchers;
pub mod latency;
mod lists;
mod load;
mod restarts;
mod revivals;
mod snapshot;
pub mod stage;
mod stalled_readers;
mod subscriber;
