//! WatchStageChanges: every change the filter lets through, once, in order, with proof.

mod age;
mod cursors;
mod filters;
mod live;
mod replicas;
mod slow;
mod snapshot;
mod snapshot_filters;
pub mod starts;
mod stop;
