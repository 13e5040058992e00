//! WatchStageChanges: every change the filter lets through, once, in order, with proof.

mod cursors;
mod filters;
mod live;
mod replicas;
mod slow;
mod starts;
mod stop;
