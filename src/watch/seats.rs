//! The watchers of this replica: how many there may be, and what each is doing, for operators to see.

use super::filter::Filter;
use crate::domain::Timestamp;
use metrics::gauge;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Who watches.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// The other end of the connection.
    pub peer: String,
    /// What the client calls itself.
    pub client: String,
}

/// A watcher that is counted. It notes here what it does; whoever asks reads it.
#[derive(Debug)]
pub(super) struct Seat {
    pub id: i64,
    pub about: About,
    pub filter: Filter,
    pub since: Timestamp,
    /// For each partition the last position that it was sent.
    positions: Box<[AtomicI64]>,
    /// Whether it reads from the log, having been live before.
    pub fell_behind: AtomicBool,
    /// Whether it is live: it has caught up, and hasn't noticed that it fell behind.
    pub live: AtomicBool,
}

/// The position of a watcher in a partition that its snapshot hasn't come to.
const NOWHERE: i64 = -1;

impl Seat {
    pub fn note(&self, partition: usize, position: i64) {
        self.positions[partition].store(position, Ordering::Relaxed);
    }

    /// The partitions that it has begun, with the last position that it was sent of each.
    pub fn positions(&self) -> impl Iterator<Item = (i32, i64)> + '_ {
        let positions = self.positions.iter().map(|position| position.load(Ordering::Relaxed));
        (0..).zip(positions).filter(|(_, position)| *position != NOWHERE)
    }
}

/// The seats of a replica.
#[derive(Debug)]
pub(super) struct Seats {
    most: usize,
    partitions: usize,
    taken: AtomicUsize,
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    last_id: i64,
    seats: BTreeMap<i64, Arc<Seat>>,
}

impl Seats {
    pub fn new(most: usize, partitions: i32) -> Self {
        Self { most, partitions: partitions as usize, taken: AtomicUsize::new(0), book: Mutex::default() }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many are taken.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Acquire)
    }

    /// A seat; `None` if all are taken.
    pub fn take(&self, about: About, filter: Filter, since: Timestamp) -> Option<Arc<Seat>> {
        let mut book = self.book();
        if book.seats.len() >= self.most {
            return None;
        }
        book.last_id += 1;
        let positions = (0..self.partitions).map(|_| AtomicI64::new(NOWHERE)).collect();
        let seat = Seat {
            id: book.last_id,
            about,
            filter,
            since,
            positions,
            fell_behind: AtomicBool::new(false),
            live: AtomicBool::new(false),
        };
        let seat = Arc::new(seat);
        book.seats.insert(seat.id, Arc::clone(&seat));
        self.count(&book);
        Some(seat)
    }

    pub fn leave(&self, seat: &Seat) {
        let mut book = self.book();
        book.seats.remove(&seat.id);
        self.count(&book);
    }

    fn count(&self, book: &Book) {
        self.taken.store(book.seats.len(), Ordering::Release);
        gauge!("lead_pipeline_watchers").set(book.seats.len() as f64);
    }

    /// The seats behind an id, in the order in which they were taken.
    pub fn list(&self, after: i64, limit: usize) -> Vec<Arc<Seat>> {
        let book = self.book();
        book.seats
            .range((Bound::Excluded(after), Bound::Unbounded))
            .take(limit)
            .map(|(_, seat)| Arc::clone(seat))
            .collect()
    }
}
