//! Reads of the log that watchers share: a page that several of them want is read once, and kept for those who come
//! soon after.

use super::ring::Item;
use crate::store::{Mark, StoreError};
use lru::LruCache;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::OnceCell;

/// Entries of one partition that follow each other.
#[derive(Debug)]
pub(super) struct Page {
    /// The entry before the first of them; `None` if there is none in the log any more, or never was.
    before: Option<Mark>,
    items: Vec<Item>,
}

/// What a page has for a watcher.
#[derive(Debug)]
pub(super) enum Next {
    /// Entries from this place on; none if the log ends here.
    From(usize),
    /// The page doesn't show whether the watcher's place is still what it was.
    Unknown,
}

impl Page {
    /// A page of the entries from `from` on, read from the log beginning with the entry before it, if there is one.
    pub fn new(from: i64, items: impl Iterator<Item = Item>) -> Self {
        let mut items = items.peekable();
        let before = items.next_if(|item| item.mark.position < from).map(|item| item.mark);
        // Up to the first hole: there is none, unless the database is damaged.
        let mut expected = items.peek().map(|item| item.mark.position).unwrap_or_default();
        let dense = items.take_while(|item| {
            expected += 1;
            item.mark.position == expected - 1
        });
        Self { before, items: dense.collect() }
    }

    pub fn items(&self) -> &[Item] {
        &self.items
    }

    pub fn into_items(self) -> Vec<Item> {
        self.items
    }

    /// Whether no entry is missing between `after` and the first, as far as the page goes.
    pub fn begins_behind(&self, after: Mark) -> bool {
        self.before.is_none() && self.items.first().is_none_or(|item| item.mark.position == after.position + 1)
    }

    /// Whether `after` is there, and what should follow it isn't, though there is more.
    pub fn has_hole_behind(&self, after: Mark) -> bool {
        self.before == Some(after) && self.items.first().is_some_and(|item| item.mark.position != after.position + 1)
    }

    /// What follows `after`, if the page shows that the log still has that entry as it was.
    pub fn next(&self, after: Mark) -> Next {
        let first = self.items.first().map(|item| item.mark.position);
        if after.position == 0 {
            // Nothing stands there that could have changed; but the first entry may have been pruned.
            return if first == Some(1) { Next::From(0) } else { Next::Unknown };
        }
        if self.has_hole_behind(after) {
            return Next::Unknown;
        }
        if self.before == Some(after) {
            return Next::From(0);
        }
        let place = first.and_then(|first| usize::try_from(after.position - first).ok());
        match place.and_then(|place| Some((place, self.items.get(place)?))) {
            Some((place, item)) if item.mark == after => Next::From(place + 1),
            _ => Next::Unknown,
        }
    }
}

/// The pages that were read lately.
#[derive(Debug)]
pub(super) struct Pages {
    entries: i64,
    kept: Mutex<LruCache<Key, Arc<OnceCell<Arc<Page>>>>>,
}

/// The partition, and the number of the page in it.
type Key = (i32, i64);

impl Pages {
    /// Pages of so many entries, of which so many are kept.
    pub fn new(entries: i64, kept: NonZeroUsize) -> Self {
        Self { entries, kept: Mutex::new(LruCache::new(kept)) }
    }

    fn kept(&self) -> MutexGuard<'_, LruCache<Key, Arc<OnceCell<Arc<Page>>>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The page with the entry behind `after`; `read` reads it, given the position of its first entry, unless it is
    /// here or somebody is reading it.
    pub async fn get(
        &self,
        partition: i32,
        after: i64,
        read: impl AsyncFnOnce(i64) -> Result<Page, StoreError>,
    ) -> Result<Arc<Page>, StoreError> {
        let key = (partition, after / self.entries);
        let cell = Arc::clone(self.kept().get_or_insert(key, Arc::default));
        let page = cell.get_or_try_init(async || read(key.1 * self.entries + 1).await.map(Arc::new)).await?;
        if (page.items.len() as i64) < self.entries {
            // The end of the log: soon there is more.
            self.forget_page(key, &cell);
        }
        Ok(Arc::clone(page))
    }

    fn forget_page(&self, key: Key, cell: &Arc<OnceCell<Arc<Page>>>) {
        let mut kept = self.kept();
        if kept.peek(&key).is_some_and(|other| Arc::ptr_eq(cell, other)) {
            kept.pop(&key);
        }
    }

    /// Forgets everything: the database turned out to have another log.
    pub fn forget(&self) {
        self.kept().clear();
    }
}
