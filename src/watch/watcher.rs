//! One watcher: a position in each partition, and the next response from there.

use super::cursor;
use super::filter::Filter;
use super::hub::{Hub, Seat};
use super::ring::{Found, Item};
use crate::store::{Mark, StoreError};
use bytes::Bytes;
use metrics::histogram;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Where a watcher starts.
#[derive(Clone, Debug)]
pub enum Start {
    Now,
    Beginning,
    AfterCursor(String),
}

/// What a response tells beside its entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    CaughtUp,
    FellBehind,
    GoingAway,
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
    /// The database has lost history that the cursor, or this stream, has seen.
    CursorDiverged,
    /// Every seat is taken.
    Overloaded,
    /// The server stops; the watcher was told its cursor before.
    GoingAway,
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
    hub: Arc<Hub>,
    filter: Filter,
    interval: Duration,
    stop: CancellationToken,
    places: Vec<Place>,
    /// The partition to look at first, so that none is served before the others for ever.
    turn: usize,
    began: bool,
    caught_up: bool,
    going_away: bool,
    notice: Option<Notice>,
    generation: u64,
    changes: watch::Receiver<()>,
    silent_until: Instant,
    _seat: Seat,
}

/// How far a watcher is in one partition.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// The last entry that was looked at.
    mark: Mark,
    /// The last position that a response has accounted for.
    told: i64,
    /// The head when the watch began.
    head: i64,
}

impl Watcher {
    /// Begins a watch. `stop` ends it with its cursor.
    ///
    /// # Errors
    /// If the cursor isn't valid or its history is gone, if there are too many watchers, or if the database can't be
    /// asked.
    pub async fn start(
        hub: &Arc<Hub>,
        start: Start,
        filter: Filter,
        interval: Duration,
        stop: CancellationToken,
    ) -> Result<Self, WatchError> {
        let seat = hub.sit_down().ok_or(WatchError::Overloaded)?;
        let generation = hub.generation();
        let changes = hub.changes();
        let heads = hub.store().heads().await?;
        let marks = match start {
            Start::Now => heads.iter().map(|head| Mark { position: head.position, tag: head.tag }).collect(),
            Start::Beginning => vec![Mark::default(); heads.len()],
            Start::AfterCursor(cursor) => {
                let marks = cursor::decode(&cursor, heads.len()).ok_or(WatchError::CursorInvalid)?;
                if !hub.store().holds(&marks).await? {
                    return Err(WatchError::CursorDiverged);
                }
                marks
            }
        };
        let places = marks
            .into_iter()
            .zip(&heads)
            .map(|(mark, head)| Place { mark, told: mark.position, head: head.position })
            .collect();
        Ok(Self {
            hub: Arc::clone(hub),
            filter,
            interval,
            stop,
            places,
            turn: 0,
            began: false,
            caught_up: false,
            going_away: false,
            notice: None,
            generation,
            changes,
            silent_until: Instant::now() + interval,
            _seat: seat,
        })
    }

    /// The next response; waits until there is one.
    ///
    /// # Errors
    /// When the stream ends: see [`WatchError`].
    pub async fn next(&mut self) -> Result<Response, WatchError> {
        if self.going_away {
            return Err(WatchError::GoingAway);
        }
        if !self.began {
            self.began = true;
            self.note_if_caught_up();
            return Ok(self.first_response());
        }
        loop {
            self.changes.mark_unchanged();
            if self.hub.generation() != self.generation {
                return Err(WatchError::CursorDiverged);
            }
            if self.stop.is_cancelled() {
                self.going_away = true;
                self.notice = Some(Notice::GoingAway);
                return Ok(self.response(Vec::new()));
            }
            let before = self.position();
            let entries = self.gather().await?;
            self.note_if_caught_up();
            if !entries.is_empty() || self.notice.is_some() || Instant::now() >= self.silent_until {
                return Ok(self.response(entries));
            }
            if self.position() == before {
                self.wait().await;
            } else {
                // All of it was filtered out, and there may be more: let others run.
                tokio::task::yield_now().await;
            }
        }
    }

    /// Waits for something new, for the end of the silence, or for the stop.
    async fn wait(&mut self) {
        tokio::select! {
            // The hub outlives its watchers.
            _ = self.changes.changed() => (),
            () = tokio::time::sleep_until(self.silent_until) => (),
            () = self.stop.cancelled() => (),
        }
    }

    /// The entries that follow and pass the filter, as many as fit a response; moves the places past all it looked at.
    async fn gather(&mut self) -> Result<Vec<Bytes>, WatchError> {
        let settings = *self.hub.settings();
        let mut entries = Vec::new();
        let mut room = Room { entries: settings.response_entries, bytes: settings.response_bytes };
        let partitions = self.places.len();
        for step in 0..partitions {
            let partition = (self.turn + step) % partitions;
            let after = self.places[partition].mark;
            match self.hub.recent(partition as i32, after, room.entries) {
                Found::Nothing => (),
                Found::Chunks(chunks, first) => {
                    let items = chunks.iter().flat_map(|chunk| chunk.iter()).skip(first);
                    self.take(partition, items, &mut entries, &mut room);
                }
                Found::InLog => {
                    if self.caught_up {
                        self.caught_up = false;
                        self.notice = Some(Notice::FellBehind);
                    }
                    let items = self.hub.log(partition as i32, after).await?.ok_or(WatchError::CursorDiverged)?;
                    self.take(partition, items.iter(), &mut entries, &mut room);
                }
            }
            if room.is_used_up() {
                self.turn = partition;
                return Ok(entries);
            }
        }
        self.turn = (self.turn + 1) % partitions;
        Ok(entries)
    }

    /// Takes what follows in one partition, until the response is full.
    fn take<'a>(
        &mut self,
        partition: usize,
        items: impl Iterator<Item = &'a Item>,
        entries: &mut Vec<Bytes>,
        room: &mut Room,
    ) {
        let place = &mut self.places[partition];
        for item in items {
            if room.is_used_up() {
                break;
            }
            debug_assert_eq!(item.mark.position, place.mark.position + 1, "the log has no holes");
            place.mark = item.mark;
            if self.filter.passes(item) {
                room.entries -= 1;
                room.bytes = room.bytes.saturating_sub(item.encoded.len());
                entries.push(item.encoded.clone());
            }
        }
    }

    fn note_if_caught_up(&mut self) {
        if !self.caught_up && self.behind() == 0 {
            self.caught_up = true;
            self.notice = Some(Notice::CaughtUp);
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

    /// The first response names every partition: where the stream starts.
    fn first_response(&mut self) -> Response {
        let start = |(partition, place): (usize, &Place)| Coverage {
            partition: partition as i32,
            after: place.mark.position,
            through: place.mark.position,
        };
        let coverage = self.places.iter().enumerate().map(start).collect();
        Response { coverage, ..self.response(Vec::new()) }
    }

    /// A response with everything that was looked at since the last one.
    fn response(&mut self, entries: Vec<Bytes>) -> Response {
        let mut coverage = Vec::new();
        for (partition, place) in self.places.iter_mut().enumerate() {
            if place.mark.position > place.told {
                coverage.push(Coverage {
                    partition: partition as i32,
                    after: place.told,
                    through: place.mark.position,
                });
                place.told = place.mark.position;
            }
        }
        self.silent_until = Instant::now() + self.interval;
        let behind = self.behind();
        histogram!("lead_pipeline_watch_behind").record(behind as f64);
        Response {
            entries,
            coverage,
            cursor: cursor::encode(self.places.iter().map(|place| place.mark)),
            notice: self.notice.take(),
            behind,
        }
    }
}

/// What a response still has room for.
struct Room {
    entries: usize,
    bytes: usize,
}

impl Room {
    fn is_used_up(&self) -> bool {
        self.entries == 0 || self.bytes == 0
    }
}
