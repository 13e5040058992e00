//! Where a watch begins, and whether it may go on from there.

use super::cursor::{Cursor, Phase};
use super::filter::{Filter, FilterDigest, Stages};
use super::hub::Hub;
use super::registry::Client;
use super::snapshot::Snapshot;
use super::watcher::{Place, WatchError, Watcher};
use crate::store::{Mark, Standing};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Where a watcher starts.
#[derive(Clone, Debug)]
pub enum Start {
    Now,
    Beginning,
    AfterCursor(String),
    Snapshot,
}

/// What a watch is asked to be.
#[derive(Clone, Debug)]
pub struct WatchRequest {
    pub start: Start,
    pub filter: Filter,
    /// How long the stream may be silent.
    pub interval: Duration,
    pub client: Client,
}

impl Watcher {
    /// Begins a watch. `stop` ends it with its cursor.
    ///
    /// # Errors
    /// If the cursor isn't valid or its history is gone, if there are too many watchers, or if the database can't be
    /// asked.
    pub async fn start(hub: &Arc<Hub>, request: WatchRequest, stop: CancellationToken) -> Result<Self, WatchError> {
        let WatchRequest { start, filter, interval, client } = request;
        let digest = filter.digest();
        let registration = hub.register(client, filter).ok_or(WatchError::Overloaded)?;
        let (generation, changes) = (hub.generation(), hub.changes());
        let (phase, places) = begin(hub, start, digest).await?;
        let (stages, snapshot) = match phase {
            Phase::Plain => (Stages::Moves, None),
            Phase::AfterSnapshot => (Stages::Members, None),
            Phase::Snapshot { filter, .. } if filter != digest => return Err(WatchError::SnapshotFilter),
            Phase::Snapshot { after, .. } => (Stages::Members, Some(Snapshot::new(after, hub.snapshot_share()))),
        };
        let now = Instant::now();
        Ok(Self {
            hub: Arc::clone(hub),
            stages,
            snapshot,
            places,
            notice: None,
            interval,
            silent_until: now + interval,
            stop,
            ends: now + lifetime(hub.settings().age, registration.watch.id),
            ending: None,
            turn: 0,
            began: false,
            caught_up: false,
            generation,
            changes,
            registration,
        })
    }
}

/// The part of a stream that begins, and its places.
async fn begin(hub: &Hub, start: Start, filter: FilterDigest) -> Result<(Phase, Vec<Place>), WatchError> {
    let extents = hub.store().extents().await?;
    for extent in &extents {
        // From here on the ring has what follows: a stream that begins now doesn't fall behind at once.
        hub.begin_ring(extent.partition, extent.head);
    }
    let (phase, marks) = match start {
        Start::Now => (Phase::Plain, extents.iter().map(|extent| extent.head).collect()),
        Start::Beginning => (Phase::Plain, extents.iter().map(|extent| extent.floor).collect()),
        Start::Snapshot => (Phase::Snapshot { filter, after: None }, Vec::new()),
        Start::AfterCursor(cursor) => {
            let Cursor { phase, marks } = Cursor::decode(&cursor, extents.len()).ok_or(WatchError::CursorInvalid)?;
            check(hub, &phase, &marks).await?;
            (phase, marks)
        }
    };
    let places = marks.into_iter().zip(&extents).map(|(mark, extent)| Place::at(mark, extent.head.position));
    Ok((phase, places.collect()))
}

/// Whether a stream may go on behind these marks.
pub(super) async fn check(hub: &Hub, phase: &Phase, marks: &[Mark]) -> Result<(), WatchError> {
    let standings = hub.store().standings(marks).await?;
    let any = |wanted: Standing| standings.iter().any(|(standing, _)| *standing == wanted);
    if any(Standing::Diverged) {
        return Err(WatchError::CursorDiverged);
    }
    if any(Standing::Expired) {
        let earliest = standings.iter().zip(marks).map(|((standing, floor), mark)| match standing {
            Standing::Expired => *floor,
            Standing::Holds | Standing::Diverged => *mark,
        });
        let earliest = Cursor { phase: phase.clone(), marks: earliest.collect() }.encode();
        return Err(WatchError::CursorExpired { earliest });
    }
    Ok(())
}

/// How long a watch lasts: up to a tenth less than the limit, so that those that began together don't end together.
fn lifetime(limit: Duration, id: i64) -> Duration {
    /// Steps by the golden ratio spread any number of ids evenly.
    const STEP: f64 = 0.618_033_988_749_895;
    limit.mul_f64(1.0 - (id as f64 * STEP).fract() / 10.0)
}
