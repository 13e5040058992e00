//! The hub: one ring a partition, kept up to date by this replica's writers and by the log.

use super::filter::Filter;
use super::pace::{Pace, Share};
use super::pages::{Next, Page, Pages};
use super::ring::{Appended, Found, Item, Ring};
use super::seats::{About, Seat, Seats};
use super::{Encoder, WatchSettings};
use crate::domain::Timestamp;
use crate::store::{Entry, Extent, Head, LeadPage, Mark, PageOf, Standing, Store, StoreError};
use crate::writer::Feed;
use metrics::counter;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, SemaphorePermit, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The change feed of this replica.
#[derive(Debug)]
pub struct Hub {
    store: Store,
    settings: WatchSettings,
    encode: Encoder,
    /// Tells this replica from others.
    origin: String,
    rings: Box<[Mutex<Ring>]>,
    pages: Pages,
    pace: Arc<Pace>,
    seats: Seats,
    /// Marked whenever there may be something new for a watcher.
    changed: watch::Sender<()>,
    /// Wakes the task that wakes the watchers, when there are many.
    wake: Notify,
    /// Moved when the database turns out to have lost history: every stream looks whether it has seen any of that.
    generation: AtomicU64,
    /// Wakes the poller before its time.
    poll: Notify,
    /// Wakes the task that tells the other replicas.
    tell: Notify,
    log_readers: Semaphore,
}

/// A watcher's seat, and the hub that it belongs to; dropping it frees the seat.
#[derive(Debug)]
pub(super) struct Seated {
    pub hub: Arc<Hub>,
    pub seat: Arc<Seat>,
}

impl Drop for Seated {
    fn drop(&mut self) {
        self.hub.seats.leave(&self.seat);
    }
}

/// What the log has behind a mark.
#[derive(Debug)]
pub(super) enum Logged<P> {
    /// Entries of the page, from this place on.
    Page(P, usize),
    /// An operator has pruned what follows.
    Expired,
    /// The log doesn't have the mark's entry, or another in its place.
    Diverged,
}

/// What an operator sees of a watcher.
#[derive(Debug)]
pub struct WatcherState {
    pub id: i64,
    pub about: About,
    pub filter: Filter,
    /// The last position that it was sent, by partition.
    pub positions: Vec<(i32, i64)>,
    pub behind: i64,
    pub since: Timestamp,
    /// Whether it reads from the log, having been live before.
    pub slow: bool,
}

/// Up to so many watchers are woken by each commit.
const FEW: usize = 256;

/// More are woken together, with this pause for each of them: else waking them is all that the server does.
const PAUSE_PER_WATCHER: Duration = Duration::from_micros(2);

/// The pause after the database could not be asked.
const PAUSE: Duration = Duration::from_millis(500);

impl Feed for Hub {
    fn committed(&self, after: Head, entries: &[Arc<Entry>]) {
        if entries.is_empty() {
            return;
        }
        self.tell.notify_one();
        if self.seats.taken() > 0 {
            let items = entries.iter().map(|entry| Item::new(entry, self.encode)).collect();
            let mark = Mark { position: after.position, tag: after.tag };
            let appended = self.ring(after.partition).append(mark, items, self.settings.ring_entries);
            self.appended(&appended);
        }
    }
}

impl Hub {
    /// Makes the hub and starts its tasks, which end with `stop`. `origin` tells this replica's hints from others'.
    pub fn start(
        store: &Store,
        settings: WatchSettings,
        encode: Encoder,
        origin: String,
        stop: &CancellationToken,
    ) -> (Arc<Self>, JoinSet<()>) {
        let hub = Arc::new(Self {
            store: store.clone(),
            settings,
            encode,
            origin: origin.clone(),
            rings: (0..store.partitions()).map(|_| Mutex::default()).collect(),
            pages: Pages::new(settings.log_page, settings.log_pages),
            pace: Pace::new(settings.snapshot_pace / settings.snapshot_page as f64),
            seats: Seats::new(settings.watchers, store.partitions()),
            changed: watch::Sender::new(()),
            wake: Notify::new(),
            generation: AtomicU64::new(0),
            poll: Notify::new(),
            tell: Notify::new(),
            log_readers: Semaphore::new(settings.log_readers),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(until(stop.clone(), Arc::clone(&hub).poll_heads()));
        tasks.spawn(until(stop.clone(), Arc::clone(&hub).wake_watchers()));
        tasks.spawn(until(stop.clone(), Arc::clone(&hub).hear_hints(origin.clone())));
        tasks.spawn(until(stop.clone(), Arc::clone(&hub).tell_hints(origin)));
        (hub, tasks)
    }

    /// Tells this replica's hub from others'.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    pub(super) fn settings(&self) -> &WatchSettings {
        &self.settings
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    fn ring(&self, partition: i32) -> MutexGuard<'_, Ring> {
        self.rings[partition as usize].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A seat for a watcher, from which on the rings are kept up to date; `None` if all are taken.
    pub(super) fn sit_down(self: &Arc<Self>, about: About, filter: Filter) -> Option<Seated> {
        let seat = self.seats.take(about, filter, self.store.clock().now())?;
        self.poll.notify_one();
        Some(Seated { hub: Arc::clone(self), seat })
    }

    /// The watchers of this replica behind an id, in the order in which they began.
    #[must_use]
    pub fn watchers(&self, after: i64, limit: usize) -> Vec<WatcherState> {
        let state = |seat: Arc<Seat>| {
            let positions: Vec<_> = seat.positions().collect();
            let head = |partition, position: i64| self.head(partition).unwrap_or(position);
            let behind = positions.iter().map(|(partition, at)| (head(*partition, *at) - at).max(0)).sum();
            WatcherState {
                id: seat.id,
                about: seat.about.clone(),
                filter: seat.filter.clone(),
                behind,
                since: seat.since,
                slow: self.is_slow(&seat),
                positions,
            }
        };
        self.seats.list(after, limit).into_iter().map(state).collect()
    }

    /// How many watchers have fallen behind, and haven't caught up yet.
    #[must_use]
    pub fn slow_watchers(&self) -> usize {
        self.seats.list(0, usize::MAX).iter().filter(|seat| self.is_slow(seat)).count()
    }

    /// Whether a watcher reads from the log, having been live before; or would, if it hadn't stopped reading.
    fn is_slow(&self, seat: &Seat) -> bool {
        let passed = |(partition, position)| self.ring(partition).has_passed(position);
        seat.fell_behind.load(Ordering::Relaxed) || (seat.live.load(Ordering::Relaxed) && seat.positions().any(passed))
    }

    /// What the ring has behind `after`.
    pub(super) fn recent(&self, partition: i32, after: Mark, most: usize) -> Found {
        self.ring(partition).read(after, most)
    }

    /// The last position of a partition that this replica knows of.
    pub(super) fn head(&self, partition: i32) -> Option<i64> {
        self.ring(partition).head().map(|head| head.position)
    }

    /// What the log has behind `after`, from a page that watchers share.
    pub(super) async fn log(&self, partition: i32, after: Mark) -> Result<Logged<Arc<Page>>, StoreError> {
        let read = async |from| {
            let _turn = self.turn().await;
            counter!("lead_pipeline_watch_log_reads_total").increment(1);
            self.page(partition, from).await
        };
        let page = self.pages.get(partition, after.position, read).await?;
        if let Next::From(first) = page.next(after) {
            return Ok(Logged::Page(page, first));
        }
        // It may be older than `after`, or was pruned before it, or the log is another one.
        let _turn = self.turn().await;
        Ok(match self.read_log(partition, after).await? {
            Logged::Page(page, first) => Logged::Page(Arc::new(page), first),
            Logged::Expired => Logged::Expired,
            Logged::Diverged => Logged::Diverged,
        })
    }

    /// Bounded, so that many watchers who replay leave the database room for writes. Never closed.
    async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.log_readers.acquire().await.ok()
    }

    /// A snapshot's part in their pace.
    pub(super) fn pace_share(&self) -> Share {
        self.pace.share()
    }

    /// A page of a snapshot.
    pub(super) async fn lead_page(&self, page: PageOf<'_>) -> Result<LeadPage, StoreError> {
        let _turn = self.turn().await;
        self.store.lead_page(page).await
    }

    /// The entries from `from` on, and the one before them: it shows that the log is still the one it was.
    async fn page(&self, partition: i32, from: i64) -> Result<Page, StoreError> {
        let again = i64::from(from > 1);
        let entries = self.store.log(partition, from - again, self.settings.log_page + again).await?;
        Ok(Page::new(from, entries.iter().map(|entry| Item::new(entry, self.encode))))
    }

    async fn read_log(&self, partition: i32, after: Mark) -> Result<Logged<Page>, StoreError> {
        let page = self.page(partition, after.position + 1).await?;
        if let Next::From(first) = page.next(after) {
            return Ok(Logged::Page(page, first));
        }
        match self.store.standing(partition, after).await? {
            // Nothing was ever written, or the log begins just here.
            Standing::Holds if page.begins_behind(after) => Ok(Logged::Page(page, 0)),
            Standing::Holds if page.has_hole_behind(after) => Ok(Logged::Diverged),
            // It was pruned between the two reads: what follows will be soon, if it isn't already.
            Standing::Holds | Standing::Expired => Ok(Logged::Expired),
            Standing::Diverged => Ok(Logged::Diverged),
        }
    }

    /// Asks for the heads now and then and whenever there is a hint, as long as someone watches.
    async fn poll_heads(self: Arc<Self>) {
        loop {
            tokio::time::timeout(self.settings.poll_interval, self.poll.notified()).await.ok();
            if self.seats.taken() == 0 {
                self.forget();
                self.poll.notified().await;
                self.poll.notify_one();
            } else if let Err(error) = self.poll_once().await {
                tracing::warn!(%error, "polling the heads failed");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    async fn poll_once(&self) -> Result<(), StoreError> {
        // Taken first: what is written meanwhile must not look like history that the database lost.
        let before: Vec<Option<Mark>> = (0..self.store.partitions()).map(|p| self.ring(p).head()).collect();
        for Extent { partition, head: new, .. } in self.store.extents().await? {
            match before[partition as usize] {
                None => self.begin_ring(partition, new),
                Some(old) if new.position > old.position => self.catch_up(partition, old, new).await?,
                Some(old) if new != old => self.diverge(),
                Some(_) => (),
            }
        }
        Ok(())
    }

    /// A ring that isn't kept yet is, from this head on.
    pub(super) fn begin_ring(&self, partition: i32, head: Mark) {
        let mut ring = self.ring(partition);
        if ring.head().is_none() {
            ring.reset(Some(head));
            drop(ring);
            self.changed.send_replace(());
            // What was written since is in no ring: look at once.
            self.poll.notify_one();
        }
    }

    /// Fills the ring from the log, or starts it anew if it would not hold so much.
    async fn catch_up(&self, partition: i32, mut old: Mark, new: Mark) -> Result<(), StoreError> {
        if new.position - old.position > self.settings.ring_entries as i64 {
            if let Logged::Diverged = self.read_log(partition, old).await? {
                self.diverge();
            } else {
                self.skip_to(partition, new);
            }
            return Ok(());
        }
        while old.position < new.position {
            let page = match self.read_log(partition, old).await? {
                Logged::Page(page, _) => page,
                Logged::Expired => {
                    self.skip_to(partition, new);
                    break;
                }
                Logged::Diverged => {
                    self.diverge();
                    break;
                }
            };
            let items = page.into_items();
            let Some(last) = items.last().map(|item| item.mark) else { break };
            let appended = self.ring(partition).append(old, items, self.settings.ring_entries);
            self.appended(&appended);
            old = last;
        }
        Ok(())
    }

    /// Starts a ring anew behind `head`: what is before that is in the log.
    fn skip_to(&self, partition: i32, head: Mark) {
        let mut ring = self.ring(partition);
        // Writers of this replica may have brought it further meanwhile.
        if ring.head().is_some_and(|known| known.position < head.position) {
            ring.reset(Some(head));
        }
        drop(ring);
        self.tell_watchers();
    }

    /// There may be something new.
    fn tell_watchers(&self) {
        if self.seats.taken() <= FEW {
            self.changed.send_replace(());
        } else {
            self.wake.notify_one();
        }
    }

    async fn wake_watchers(self: Arc<Self>) {
        loop {
            self.wake.notified().await;
            self.changed.send_replace(());
            tokio::time::sleep(PAUSE_PER_WATCHER * self.seats.taken() as u32).await;
        }
    }

    fn forget(&self) {
        self.pages.forget();
        for partition in 0..self.store.partitions() {
            self.ring(partition).reset(None);
        }
    }

    fn appended(&self, appended: &Appended) {
        match appended {
            Appended::Done => {
                self.pace.written();
                self.tell_watchers();
            }
            Appended::Hole => self.poll.notify_one(),
            Appended::Diverged => self.diverge(),
        }
    }

    /// The database has lost history that was streamed: every stream that has seen some of it ends with that word.
    fn diverge(&self) {
        tracing::error!(
            "the database has lost entries that were streamed: watches that saw them end with CURSOR_DIVERGED"
        );
        self.forget();
        self.generation.fetch_add(1, Ordering::AcqRel);
        counter!("lead_pipeline_watch_diverged_total").increment(1);
        self.changed.send_replace(());
        self.poll.notify_one();
    }

    /// Hears the hints of other replicas.
    async fn hear_hints(self: Arc<Self>, origin: String) {
        loop {
            let heard = async {
                let mut listener = self.store.listener().await?;
                loop {
                    let teller = listener.heard().await?;
                    if teller.as_deref() != Some(origin.as_str()) {
                        self.poll.notify_one();
                    }
                }
            };
            let heard: Result<(), StoreError> = heard.await;
            if let Err(error) = heard {
                tracing::debug!(%error, "hints can't be heard for now, polling goes on");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Tells the other replicas of this one's writes: in a statement of its own, and not for each of them.
    async fn tell_hints(self: Arc<Self>, origin: String) {
        loop {
            let told = async {
                let mut teller = self.store.teller().await?;
                loop {
                    self.tell.notified().await;
                    teller.tell(&origin).await?;
                    tokio::time::sleep(self.settings.hint_interval).await;
                }
            };
            let told: Result<(), StoreError> = told.await;
            if let Err(error) = told {
                tracing::debug!(%error, "hints can't be told for now");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Runs a task until the stop.
async fn until(stop: CancellationToken, task: impl Future<Output = ()>) {
    stop.run_until_cancelled(task).await;
}
