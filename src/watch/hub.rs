//! The hub: one ring a partition, kept up to date by this replica's writers and by the log.

use super::ring::{Appended, Found, Item, Ring};
use super::{Encoder, WatchSettings};
use crate::store::{Entry, Head, Mark, Store, StoreError};
use crate::writer::Feed;
use metrics::gauge;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The change feed of this replica.
#[derive(Debug)]
pub struct Hub {
    store: Store,
    settings: WatchSettings,
    encode: Encoder,
    rings: Box<[Mutex<Ring>]>,
    /// Marked whenever there may be something new for a watcher.
    changed: watch::Sender<()>,
    watchers: AtomicUsize,
    /// Moved when the database turns out to have lost history: every stream of an earlier generation ends.
    generation: AtomicU64,
    /// Wakes the poller before its time.
    poll: Notify,
    /// Wakes the task that tells the other replicas.
    tell: Notify,
    log_readers: Semaphore,
}

/// A watcher that is counted; dropping it counts it out.
#[derive(Debug)]
pub(super) struct Seat(Arc<Hub>);

impl Drop for Seat {
    fn drop(&mut self) {
        let before = self.0.watchers.fetch_sub(1, Ordering::AcqRel);
        gauge!("lead_pipeline_watchers").set((before - 1) as f64);
    }
}

/// The pause after the database could not be asked.
const PAUSE: Duration = Duration::from_millis(500);

impl Feed for Hub {
    fn committed(&self, after: Head, entries: &[Arc<Entry>]) {
        if entries.is_empty() {
            return;
        }
        self.tell.notify_one();
        if self.watchers.load(Ordering::Acquire) > 0 {
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
            rings: (0..store.partitions()).map(|_| Mutex::default()).collect(),
            changed: watch::Sender::new(()),
            watchers: AtomicUsize::new(0),
            generation: AtomicU64::new(0),
            poll: Notify::new(),
            tell: Notify::new(),
            log_readers: Semaphore::new(settings.log_readers),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(until(stop.clone(), Arc::clone(&hub).poll_heads()));
        tasks.spawn(until(stop.clone(), Arc::clone(&hub).hear_hints(origin.clone())));
        tasks.spawn(until(stop.clone(), Arc::clone(&hub).tell_hints(origin)));
        (hub, tasks)
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
    pub(super) fn sit_down(self: &Arc<Self>) -> Option<Seat> {
        let before = self.watchers.fetch_add(1, Ordering::AcqRel);
        let seat = Seat(Arc::clone(self));
        if before >= self.settings.watchers {
            return None;
        }
        gauge!("lead_pipeline_watchers").set((before + 1) as f64);
        if before == 0 {
            self.poll.notify_one();
        }
        Some(seat)
    }

    /// What the ring has behind `after`.
    pub(super) fn recent(&self, partition: i32, after: Mark, most: usize) -> Found {
        self.ring(partition).read(after, most)
    }

    /// The last position of a partition that this replica knows of.
    pub(super) fn head(&self, partition: i32) -> Option<i64> {
        self.ring(partition).head().map(|head| head.position)
    }

    /// Reads the log behind `after`; `None` if `after` isn't in it as it was.
    pub(super) async fn log(&self, partition: i32, after: Mark) -> Result<Option<Vec<Item>>, StoreError> {
        // Bounded, so that many watchers who replay leave the database room for writes. Never closed.
        let _turn = self.log_readers.acquire().await.ok();
        self.read_log(partition, after).await
    }

    async fn read_log(&self, partition: i32, after: Mark) -> Result<Option<Vec<Item>>, StoreError> {
        // The entry at `after` is read again: it shows that the log is still the one it was.
        let again = i64::from(after.position > 0);
        let from = after.position + 1 - again;
        let entries = self.store.log(partition, from, self.settings.log_page + again).await?;
        let mut items = entries.iter().map(|entry| Item::new(entry, self.encode));
        if again == 1 && items.next().is_none_or(|item| item.mark != after) {
            return Ok(None);
        }
        Ok(Some(items.collect()))
    }

    /// Asks for the heads now and then and whenever there is a hint, as long as someone watches.
    async fn poll_heads(self: Arc<Self>) {
        loop {
            tokio::time::timeout(self.settings.poll_interval, self.poll.notified()).await.ok();
            if self.watchers.load(Ordering::Acquire) == 0 {
                for partition in 0..self.store.partitions() {
                    self.ring(partition).reset(None);
                }
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
        for head in self.store.heads().await? {
            let new = Mark { position: head.position, tag: head.tag };
            match before[head.partition as usize] {
                None => {
                    self.ring(head.partition).reset(Some(new));
                    self.changed.send_replace(());
                }
                Some(old) if new.position > old.position => self.catch_up(head.partition, old, new).await?,
                Some(old) if new != old => self.diverge(),
                Some(_) => (),
            }
        }
        Ok(())
    }

    /// Fills the ring from the log, or starts it anew if it would not hold so much.
    async fn catch_up(&self, partition: i32, mut old: Mark, new: Mark) -> Result<(), StoreError> {
        if new.position - old.position > self.settings.ring_entries as i64 {
            if self.read_log(partition, old).await?.is_none() {
                self.diverge();
            }
            let mut ring = self.ring(partition);
            // Writers of this replica may have brought it further meanwhile.
            if ring.head().is_some_and(|head| head.position < new.position) {
                ring.reset(Some(new));
            }
            drop(ring);
            self.changed.send_replace(());
            return Ok(());
        }
        while old.position < new.position {
            let Some(items) = self.read_log(partition, old).await? else {
                self.diverge();
                return Ok(());
            };
            let Some(last) = items.last().map(|item| item.mark) else { break };
            let appended = self.ring(partition).append(old, items, self.settings.ring_entries);
            self.appended(&appended);
            old = last;
        }
        Ok(())
    }

    fn appended(&self, appended: &Appended) {
        match appended {
            Appended::Done => {
                self.changed.send_replace(());
            }
            Appended::Hole => self.poll.notify_one(),
            Appended::Diverged => self.diverge(),
        }
    }

    /// The database has lost history that was streamed: every running stream ends with that word.
    fn diverge(&self) {
        tracing::error!("the database has lost entries that were streamed: every watch ends with CURSOR_DIVERGED");
        for partition in 0..self.store.partitions() {
            self.ring(partition).reset(None);
        }
        self.generation.fetch_add(1, Ordering::AcqRel);
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
