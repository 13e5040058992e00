//! WatchStageChanges: every change the filter lets through, once, in order, with proof.

mod cursors;
mod filters;
mod live;
mod replicas;
mod slow;
pub mod starts;
mod stop;
