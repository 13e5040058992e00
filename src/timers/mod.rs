//! What the pipeline does while nobody looks: meetings end, leads go quiet, revivals go on, the funnel is summed up. Comes
//! in: what is due in the database. Goes out: commands to the writers, as any caller's. Never changes a stage by itself.

mod due;
mod follow_ups;
mod funnel;
mod revivals;

pub use follow_ups::{FollowUps, LeaseRequest};
pub use revivals::Revivals;

use crate::domain::Span;
use crate::store::Store;
use crate::writer::Writers;
use rand::rngs::StdRng;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Limits of what is done without being asked; all are settings of the server.
#[derive(Clone, Copy, Debug)]
pub struct TimerSettings {
    /// How often the database is asked what is due.
    pub interval: Duration,
    /// Leads that are taken from one partition at a time.
    pub batch: i64,
    /// After what time without a word a lead is quiet; `None`: it never is.
    pub quiet_after: Option<Span>,
    /// Leads of a revival that are written together, at most.
    pub revival_batch: usize,
    /// The percentage of a partition's writes that a revival takes while there are others.
    pub revival_share: usize,
    /// How long a replica that works on a revival may be silent before another goes on with it.
    pub revival_lease: Span,
    /// Entries of a partition's log between two sums of the funnel.
    pub funnel_step: i64,
}

/// Starts what is done without being asked. It ends with `stop`, and before the writers.
pub fn start(
    store: &Store,
    writers: &Writers,
    settings: TimerSettings,
    stop: &CancellationToken,
    random: impl FnOnce() -> StdRng,
) -> (Arc<Revivals>, JoinSet<()>) {
    let mut tasks = JoinSet::new();
    let due = due::Timers::new(store.clone(), writers.clone(), settings);
    tasks.spawn(stop.clone().run_until_cancelled_owned(due.run()).map_unit());
    let sums = funnel::run(store.clone(), settings);
    tasks.spawn(stop.clone().run_until_cancelled_owned(sums).map_unit());
    let revivals = Arc::new(Revivals::default());
    let runner = revivals::Runner::new(store.clone(), writers.clone(), settings, Arc::clone(&revivals), stop.clone());
    tasks.spawn(runner.run(random()));
    (revivals, tasks)
}

/// A task that gives nothing.
trait MapUnit {
    fn map_unit(self) -> impl Future<Output = ()> + Send;
}

impl<F: Future<Output = Option<()>> + Send> MapUnit for F {
    async fn map_unit(self) {
        self.await;
    }
}
