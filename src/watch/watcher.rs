//! One watcher: a position in each partition, and the next response from there.

use super::cursor::{Cursor, Phase};
use super::filter::Stages;
use super::hub::Hub;
use super::log::Logged;
use super::registry::Registration;
use super::ring::{Found, Item};
use super::snapshot::Snapshot;
use super::start;
use super::throttle::BUSY;
use crate::domain::Lead;
use crate::store::{Mark, StoreError};
use bytes::Bytes;
use metrics::{counter, histogram};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What a response tells beside its entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    CaughtUp,
    FellBehind,
    GoingAway,
    SnapshotComplete,
}

/// A range of positions that is accounted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coverage {
    pub partition: i32,
    pub after: i64,
    pub through: i64,
}

/// What a watcher is sent at a time.
#[derive(Debug)]
pub struct Response {
    /// Encoded entries.
    pub entries: Vec<Bytes>,
    /// Leads of a snapshot; the entries come before them.
    pub leads: Vec<Lead>,
    pub coverage: Vec<Coverage>,
    pub cursor: String,
    pub notice: Option<Notice>,
    /// Positions still to be read, as far as known.
    pub behind: i64,
}

/// Why a watch doesn't begin, or ends.
#[derive(Debug)]
pub enum WatchError {
    /// The cursor is none of this service's.
    CursorInvalid,
    /// The cursor is from the middle of a snapshot with another filter.
    SnapshotFilter,
    /// What follows the cursor was pruned; this one is the earliest that works.
    CursorExpired {
        earliest: String,
    },
    /// The database has lost history that the cursor, or this stream, has seen.
    CursorDiverged,
    /// As many watches are open as may be.
    Overloaded,
    /// The server stops; the watcher was told its cursor before.
    GoingAway,
    /// The stream has reached its age limit; the watcher was told its cursor before.
    TooOld,
    Store(StoreError),
}

impl From<StoreError> for WatchError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A stream of changes in the making. It holds positions, not entries: what it needs next is in the ring or the log.
#[derive(Debug)]
pub struct Watcher {
    pub(super) hub: Arc<Hub>,
    /// Holds the filter, and tells operators how far this is.
    pub(super) registration: Registration,
    pub(super) stages: Stages,
    /// Set until the snapshot is complete.
    pub(super) snapshot: Option<Snapshot>,
    /// One a partition, from the first on; in the middle of a snapshot only those that it has come to.
    pub(super) places: Vec<Place>,
    pub(super) notice: Option<Notice>,
    /// How long the stream may be silent, and until when it may be now.
    pub(super) interval: Duration,
    pub(super) silent_until: Instant,
    pub(super) stop: CancellationToken,
    /// When it is asked to begin again.
    pub(super) ends: Instant,
    /// How it ends, once it has told its cursor.
    pub(super) ending: Option<WatchError>,
    /// The partition to look at first, so that none is served before the others for ever.
    pub(super) turn: usize,
    pub(super) began: bool,
    pub(super) caught_up: bool,
    pub(super) generation: u64,
    pub(super) changes: watch::Receiver<()>,
}

/// How far a watcher is in one partition.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// The last entry that was looked at.
    pub mark: Mark,
    /// The last position that a response has accounted for; none has yet if `None`.
    told: Option<i64>,
    /// The head when the watch began.
    head: i64,
}

impl Place {
    pub(super) const fn at(mark: Mark, head: i64) -> Self {
        Self { mark, told: None, head }
    }
}

impl Watcher {
    /// The next response; waits until there is one.
    ///
    /// # Errors
    /// When the stream ends: see [`WatchError`].
    pub async fn next(&mut self) -> Result<Response, WatchError> {
        if let Some(ending) = self.ending.take() {
            return Err(ending);
        }
        if !self.began {
            self.began = true;
            self.note_if_caught_up();
            return Ok(self.response(Vec::new(), Vec::new()));
        }
        loop {
            self.changes.mark_unchanged();
            self.check_history().await?;
            self.ending = self.ends_now();
            if self.ending.is_some() {
                self.notice = Some(Notice::GoingAway);
                return Ok(self.response(Vec::new(), Vec::new()));
            }
            let before = self.position();
            let snapshot = self.snapshot.as_ref().map(|snapshot| snapshot.after.clone());
            let (entries, leads) = match snapshot {
                Some(after) => self.gather_snapshot(after).await?,
                None => (self.gather().await?, Vec::new()),
            };
            self.note_if_caught_up();
            let silent = Instant::now() >= self.silent_until;
            if !entries.is_empty() || !leads.is_empty() || self.notice.is_some() || self.has_begun_another() || silent {
                return Ok(self.response(entries, leads));
            }
            if let Some(wait) = self.snapshot.as_ref().and_then(Snapshot::wait) {
                self.wait_for_turn(wait).await;
            } else if self.position() == before && self.snapshot.is_none() {
                self.wait().await;
            } else {
                // All of it was filtered out, and there may be more: let others run.
                tokio::task::yield_now().await;
            }
        }
    }

    /// Ends the stream if the database turned out to have lost history, unless it is none that the stream has seen.
    async fn check_history(&mut self) -> Result<(), WatchError> {
        let generation = self.hub.generation();
        if generation != self.generation {
            start::check(&self.hub, &self.phase(), &self.marks()).await?;
            self.generation = generation;
        }
        Ok(())
    }

    fn ends_now(&self) -> Option<WatchError> {
        if self.stop.is_cancelled() {
            Some(WatchError::GoingAway)
        } else {
            (Instant::now() >= self.ends).then_some(WatchError::TooOld)
        }
    }

    /// Waits for something new, for the end of the silence or of the stream, or for the stop.
    async fn wait(&mut self) {
        self.hub.note_waiting();
        tokio::select! {
            // The hub outlives its watchers.
            _ = self.changes.changed() => (),
            () = tokio::time::sleep_until(self.silent_until.min(self.ends)) => (),
            () = self.stop.cancelled() => (),
        }
    }

    /// Waits until a snapshot may go on, for the end of the silence or of the stream, or for the stop.
    async fn wait_for_turn(&self, wait: Duration) {
        // Not for long: the writes that it waits for may end, and changes of leads that were sent come meanwhile.
        let until = Instant::now() + wait.min(BUSY);
        tokio::select! {
            () = tokio::time::sleep_until(until.min(self.silent_until).min(self.ends)) => (),
            () = self.stop.cancelled() => (),
        }
    }

    /// The entries that follow and pass the filter, as many as fit a response; moves the places past all it looked at.
    async fn gather(&mut self) -> Result<Vec<Bytes>, WatchError> {
        let mut gathered = self.empty_response();
        let partitions = self.places.len();
        for step in 0..partitions {
            let partition = (self.turn + step) % partitions;
            self.read_on(partition, i64::MAX, &mut gathered).await?;
            if gathered.is_full() {
                self.turn = partition;
                return Ok(gathered.entries);
            }
        }
        self.turn = (self.turn + 1) % partitions;
        Ok(gathered.entries)
    }

    pub(super) fn empty_response(&self) -> Gathered {
        let settings = self.hub.settings();
        Gathered { entries: Vec::new(), room: settings.response_entries, bytes: settings.response_bytes }
    }

    /// Takes what follows in one partition, up to the position `through`, from the ring or one page of the log.
    pub(super) async fn read_on(
        &mut self,
        partition: usize,
        through: i64,
        gathered: &mut Gathered,
    ) -> Result<(), WatchError> {
        let after = self.places[partition].mark;
        match self.hub.recent(partition as i32, after, gathered.room) {
            Found::Nothing => (),
            Found::Chunks(chunks, first) => {
                let items = chunks.iter().flat_map(|chunk| chunk.iter()).skip(first);
                self.take(partition, items, through, gathered);
            }
            Found::InLog => {
                self.note_if_fell_behind();
                self.read_log(partition, through, gathered).await?;
            }
        }
        Ok(())
    }

    /// The same, from the log.
    pub(super) async fn read_log(
        &mut self,
        partition: usize,
        through: i64,
        gathered: &mut Gathered,
    ) -> Result<(), WatchError> {
        match self.hub.log().shared(partition as i32, self.places[partition].mark).await? {
            Logged::Page(page, first) => {
                self.take(partition, page.items()[first..].iter(), through, gathered);
                Ok(())
            }
            Logged::Diverged => Err(WatchError::CursorDiverged),
            // In the moment between the two it may hold again: then it is read next time.
            Logged::Expired => start::check(&self.hub, &self.phase(), &self.marks()).await,
        }
    }

    /// Takes what follows in one partition, until the response is full.
    fn take<'a>(
        &mut self,
        partition: usize,
        items: impl Iterator<Item = &'a Item>,
        through: i64,
        gathered: &mut Gathered,
    ) {
        let (place, watch) = (&mut self.places[partition], &self.registration.watch);
        let snapshot = self.snapshot.as_ref();
        for item in items.take_while(|item| item.mark.position <= through) {
            if gathered.is_full() {
                break;
            }
            debug_assert_eq!(item.mark.position, place.mark.position + 1, "the log has no holes");
            place.mark = item.mark;
            if watch.filter.passes(item, self.stages)
                && snapshot.is_none_or(|snapshot| snapshot.has_passed(&item.lead_id))
            {
                gathered.add(&item.encoded);
            }
        }
        watch.note_position(partition, place.mark.position);
    }

    fn note_if_caught_up(&mut self) {
        if !self.caught_up && self.snapshot.is_none() && self.notice.is_none() && self.behind() == 0 {
            self.caught_up = true;
            self.registration.watch.note_live();
            self.notice = Some(Notice::CaughtUp);
        }
    }

    fn note_if_fell_behind(&mut self) {
        if self.caught_up {
            self.caught_up = false;
            self.notice = Some(Notice::FellBehind);
            counter!("lead_pipeline_watch_fell_behind_total").increment(1);
        }
    }

    /// How many entries were looked at, ever: moves with every one.
    fn position(&self) -> i64 {
        self.places.iter().map(|place| place.mark.position).sum()
    }

    fn behind(&self) -> i64 {
        let behind = |(partition, place): (usize, &Place)| {
            let head = self.hub.head(partition as i32).unwrap_or_default().max(place.head);
            (head - place.mark.position).max(0)
        };
        self.places.iter().enumerate().map(behind).sum()
    }

    fn marks(&self) -> Vec<Mark> {
        self.places.iter().map(|place| place.mark).collect()
    }

    fn phase(&self) -> Phase {
        match (&self.snapshot, self.stages) {
            (Some(snapshot), _) => {
                Phase::Snapshot { filter: self.registration.watch.filter.digest(), after: snapshot.after.clone() }
            }
            (None, Stages::Members) => Phase::AfterSnapshot,
            (None, Stages::Moves) => Phase::Plain,
        }
    }

    /// Whether the snapshot has come to a partition of which nothing was told yet.
    fn has_begun_another(&self) -> bool {
        self.places.last().is_some_and(|place| place.told.is_none())
    }

    /// A response with everything that was looked at since the last one. The first one of each partition says where
    /// the stream starts there.
    fn response(&mut self, entries: Vec<Bytes>, leads: Vec<Lead>) -> Response {
        let mut coverage = Vec::new();
        for (partition, place) in self.places.iter_mut().enumerate() {
            let through = place.mark.position;
            if place.told.is_none_or(|told| told < through) {
                coverage.push(Coverage { partition: partition as i32, after: place.told.unwrap_or(through), through });
                place.told = Some(through);
                self.registration.watch.note_position(partition, through);
            }
        }
        self.silent_until = Instant::now() + self.interval;
        let behind = self.behind();
        histogram!("lead_pipeline_watch_behind").record(behind as f64);
        counter!("lead_pipeline_watch_changes_total").increment(entries.len() as u64);
        let cursor = Cursor { phase: self.phase(), marks: self.marks() }.encode();
        Response { entries, leads, coverage, cursor, notice: self.notice.take(), behind }
    }
}

/// A response in the making.
pub(super) struct Gathered {
    pub entries: Vec<Bytes>,
    /// How many entries it has room for, and about how many bytes.
    room: usize,
    bytes: usize,
}

impl Gathered {
    pub fn is_full(&self) -> bool {
        self.room == 0 || self.bytes == 0
    }

    fn add(&mut self, encoded: &Bytes) {
        self.room -= 1;
        self.bytes = self.bytes.saturating_sub(encoded.len());
        self.entries.push(encoded.clone());
    }
}
