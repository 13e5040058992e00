//! The hub: one ring a partition, kept up to date by this replica's writers and by the log.

use super::hints::Hints;
use super::log::{LogLimits, LogReader, Logged};
use super::registry::{Client, Registered, Registration, Registry};
use super::ring::{Appended, Found, Item, Ring};
use super::throttle::{Share, Throttle};
use super::{Encoder, Filter, WatchSettings};
use crate::domain::Timestamp;
use crate::store::{Entry, Extent, Head, Mark, Store, StoreError};
use crate::writer::Feed;
use metrics::counter;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The change feed of this replica.
#[derive(Debug)]
pub struct Hub {
    store: Store,
    settings: WatchSettings,
    encode: Encoder,
    rings: Box<[Mutex<Ring>]>,
    log: LogReader,
    throttle: Arc<Throttle>,
    registry: Arc<Registry>,
    hints: Hints,
    /// Marked whenever there may be something new for a watcher.
    changed: watch::Sender<()>,
    /// How many watchers have begun to wait since all were woken. Those that don't read aren't among them.
    waiting: AtomicUsize,
    /// Wakes the task that wakes the watchers, when there are many; and whether it pauses.
    wake: Notify,
    pausing: AtomicBool,
    /// Moved when the database turns out to have lost history: every stream looks whether it has seen any of that.
    generation: AtomicU64,
    /// Wakes the poller before its time.
    poll: Notify,
}

/// What an operator sees of a watcher.
#[derive(Debug)]
pub struct WatcherState {
    pub id: i64,
    pub client: Client,
    pub filter: Filter,
    /// The last position that it was sent, or that its filter dropped, by partition.
    pub positions: Vec<(i32, i64)>,
    pub behind: i64,
    pub since: Timestamp,
    /// Whether what it needs next has left the memory, though it has been live.
    pub slow: bool,
}

/// Up to so many watchers that wait are woken by each commit.
const FEW: usize = 256;

/// More are woken together, then comes this pause for each of them: else waking them is all that the server does.
const PAUSE_PER_WATCHER: Duration = Duration::from_micros(2);

/// The pause after the database could not be asked.
const PAUSE: Duration = Duration::from_millis(500);

impl Feed for Hub {
    fn committed(&self, after: Head, entries: &[Arc<Entry>]) {
        if entries.is_empty() {
            return;
        }
        self.hints.written();
        if self.registry.count() > 0 {
            let items = entries.iter().map(|entry| Item::new(entry, self.encode)).collect();
            let mark = Mark { position: after.position, tag: after.tag };
            let appended = self.ring(after.partition).append(mark, items, self.settings.ring_entries);
            self.appended(&appended);
        }
    }
}

impl Hub {
    /// Makes the hub and starts its tasks, which end with `stop`. `origin` tells this replica from others.
    pub fn start(
        store: &Store,
        settings: WatchSettings,
        encode: Encoder,
        origin: String,
        stop: &CancellationToken,
    ) -> (Arc<Self>, JoinSet<()>) {
        let limits = LogLimits { page: settings.log_page, pages: settings.log_pages, readers: settings.log_readers };
        let hub = Arc::new(Self {
            store: store.clone(),
            settings,
            encode,
            rings: (0..store.partitions()).map(|_| Mutex::default()).collect(),
            log: LogReader::new(store, encode, limits),
            throttle: Throttle::new(settings.snapshot_rate / settings.snapshot_page as f64),
            registry: Registry::new(settings.watchers, store.partitions()),
            hints: Hints::new(store, origin, settings.hint_interval),
            changed: watch::Sender::new(()),
            waiting: AtomicUsize::new(0),
            wake: Notify::new(),
            pausing: AtomicBool::new(false),
            generation: AtomicU64::new(0),
            poll: Notify::new(),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(until(stop.clone(), Arc::clone(&hub).poll_heads()));
        tasks.spawn(until(stop.clone(), Arc::clone(&hub).wake_watchers()));
        let (telling, hearing) = (Arc::clone(&hub), Arc::clone(&hub));
        tasks.spawn(until(stop.clone(), async move { telling.hints.tell().await }));
        tasks.spawn(until(stop.clone(), async move { hearing.hints.hear(&hearing.poll).await }));
        (hub, tasks)
    }

    /// Tells this replica's hub from others'.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.hints.origin()
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    pub(super) fn log(&self) -> &LogReader {
        &self.log
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

    /// A watcher begins to wait.
    pub(super) fn note_waiting(&self) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
    }

    fn ring(&self, partition: i32) -> MutexGuard<'_, Ring> {
        self.rings[partition as usize].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lists a watch, from which on the rings are kept up to date; `None` if there are as many as may be.
    pub(super) fn register(&self, client: Client, filter: Filter) -> Option<Registration> {
        let registration = self.registry.register(client, filter, self.store.clock().now())?;
        self.poll.notify_one();
        Some(registration)
    }

    /// The watchers of this replica behind an id, in the order in which they began.
    #[must_use]
    pub fn watchers(&self, after: i64, limit: usize) -> Vec<WatcherState> {
        self.registry.after(after, limit).iter().map(|watch| self.state(watch)).collect()
    }

    fn state(&self, watch: &Registered) -> WatcherState {
        let positions: Vec<_> = watch.positions().collect();
        let behind = |(partition, at): &(i32, i64)| (self.head(*partition).unwrap_or(*at) - at).max(0);
        WatcherState {
            id: watch.id,
            client: watch.client.clone(),
            filter: watch.filter.clone(),
            behind: positions.iter().map(behind).sum(),
            since: watch.since,
            slow: self.is_slow(watch),
            positions,
        }
    }

    /// How many watchers have fallen behind.
    #[must_use]
    pub fn slow_watchers(&self) -> usize {
        self.registry.after(0, usize::MAX).iter().filter(|watch| self.is_slow(watch)).count()
    }

    fn is_slow(&self, watch: &Registered) -> bool {
        watch.was_live() && watch.positions().any(|(partition, at)| self.ring(partition).has_passed(at))
    }

    /// A snapshot's part in their rate.
    pub(super) fn snapshot_share(&self) -> Share {
        self.throttle.share()
    }

    /// What the ring has behind `after`.
    pub(super) fn recent(&self, partition: i32, after: Mark, most: usize) -> Found {
        self.ring(partition).read(after, most)
    }

    /// The last position of a partition that this replica knows of.
    pub(super) fn head(&self, partition: i32) -> Option<i64> {
        self.ring(partition).head().map(|head| head.position)
    }

    /// Asks for the heads now and then and whenever there is a hint, as long as someone watches.
    async fn poll_heads(self: Arc<Self>) {
        loop {
            tokio::time::timeout(self.settings.poll_interval, self.poll.notified()).await.ok();
            if self.registry.count() == 0 {
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
            self.wake_all();
            // What was written since is in no ring: look at once.
            self.poll.notify_one();
        }
    }

    /// Fills the ring from the log, or starts it anew if it would not hold so much.
    async fn catch_up(&self, partition: i32, mut old: Mark, new: Mark) -> Result<(), StoreError> {
        if new.position - old.position > self.settings.ring_entries as i64 {
            if let Logged::Diverged = self.log.fresh(partition, old).await? {
                self.diverge();
            } else {
                self.skip_to(partition, new);
            }
            return Ok(());
        }
        while old.position < new.position {
            let page = match self.log.fresh(partition, old).await? {
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
        if self.waiting.load(Ordering::Relaxed) <= FEW && !self.pausing.load(Ordering::Acquire) {
            self.wake_all();
        } else {
            self.wake.notify_one();
        }
    }

    /// Wakes all that wait; returns how many those are, about.
    fn wake_all(&self) -> usize {
        let woken = self.waiting.swap(0, Ordering::Relaxed);
        self.changed.send_replace(());
        woken
    }

    async fn wake_watchers(self: Arc<Self>) {
        loop {
            self.wake.notified().await;
            self.pausing.store(true, Ordering::Release);
            let woken = self.wake_all();
            tokio::time::sleep(PAUSE_PER_WATCHER * woken as u32).await;
            self.pausing.store(false, Ordering::Release);
        }
    }

    fn forget(&self) {
        self.log.forget();
        for partition in 0..self.store.partitions() {
            self.ring(partition).reset(None);
        }
    }

    fn appended(&self, appended: &Appended) {
        match appended {
            Appended::Done => {
                self.throttle.written();
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
        self.wake_all();
        self.poll.notify_one();
    }
}

/// Runs a task until the stop.
async fn until(stop: CancellationToken, task: impl Future<Output = ()>) {
    stop.run_until_cancelled(task).await;
}
