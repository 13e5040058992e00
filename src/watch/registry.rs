//! The watches of this replica: how many there may be, and how far each is, for operators to see.

use super::filter::Filter;
use crate::domain::Timestamp;
use metrics::gauge;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Who watches.
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// The other end of the connection.
    pub peer: String,
    /// What the client calls itself.
    pub name: String,
}

/// A watch that is listed until it is dropped. The watcher notes here how far it is; whoever asks reads it.
#[derive(Debug)]
pub(super) struct Registration {
    registry: Arc<Registry>,
    pub watch: Arc<Registered>,
}

/// A watch as it is listed.
#[derive(Debug)]
pub(super) struct Registered {
    pub id: i64,
    pub client: Client,
    pub filter: Filter,
    pub since: Timestamp,
    /// For each partition the last position that was looked at.
    positions: Box<[AtomicI64]>,
    /// Whether it has been live: only then can it fall behind.
    was_live: AtomicBool,
}

/// The position in a partition that a snapshot hasn't come to.
const NOWHERE: i64 = -1;

impl Registered {
    pub fn note_position(&self, partition: usize, position: i64) {
        self.positions[partition].store(position, Ordering::Relaxed);
    }

    pub fn note_live(&self) {
        self.was_live.store(true, Ordering::Relaxed);
    }

    pub fn was_live(&self) -> bool {
        self.was_live.load(Ordering::Relaxed)
    }

    /// The partitions that it has begun, with the last position that was looked at in each.
    pub fn positions(&self) -> impl Iterator<Item = (i32, i64)> + '_ {
        let positions = self.positions.iter().map(|position| position.load(Ordering::Relaxed));
        (0..).zip(positions).filter(|(_, position)| *position != NOWHERE)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.registry.remove(self.watch.id);
    }
}

/// The watches that are open.
#[derive(Debug)]
pub(super) struct Registry {
    most: usize,
    partitions: usize,
    count: AtomicUsize,
    list: Mutex<List>,
}

#[derive(Debug, Default)]
struct List {
    last_id: i64,
    watches: BTreeMap<i64, Arc<Registered>>,
}

impl Registry {
    /// For so many watches of so many partitions.
    pub fn new(most: usize, partitions: i32) -> Arc<Self> {
        let partitions = partitions as usize;
        Arc::new(Self { most, partitions, count: AtomicUsize::new(0), list: Mutex::default() })
    }

    fn list(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many are open.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Lists a watch; `None` if there are as many as may be.
    pub fn register(self: &Arc<Self>, client: Client, filter: Filter, since: Timestamp) -> Option<Registration> {
        let mut list = self.list();
        if list.watches.len() >= self.most {
            return None;
        }
        list.last_id += 1;
        let id = list.last_id;
        let positions = (0..self.partitions).map(|_| AtomicI64::new(NOWHERE)).collect();
        let watch = Registered { id, client, filter, since, positions, was_live: AtomicBool::new(false) };
        let watch = Arc::new(watch);
        list.watches.insert(id, Arc::clone(&watch));
        self.counted(&list);
        Some(Registration { registry: Arc::clone(self), watch })
    }

    fn remove(&self, id: i64) {
        let mut list = self.list();
        list.watches.remove(&id);
        self.counted(&list);
    }

    fn counted(&self, list: &List) {
        self.count.store(list.watches.len(), Ordering::Release);
        gauge!("lead_pipeline_watchers").set(list.watches.len() as f64);
    }

    /// The watches behind an id, in the order in which they began.
    pub fn after(&self, id: i64, limit: usize) -> Vec<Arc<Registered>> {
        let list = self.list();
        let behind = list.watches.range((Bound::Excluded(id), Bound::Unbounded));
        behind.take(limit).map(|(_, watch)| Arc::clone(watch)).collect()
    }
}
