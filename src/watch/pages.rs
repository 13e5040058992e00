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
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Entries from this place on; none if the log ends here.
    From(usize),
    /// The watcher's place is what it was, and what should follow it isn't there, though there is more.
    Hole,
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

    /// Whether nothing is there before the first, and entries are missing between `after` and it.
    pub fn begins_later(&self, after: Mark) -> bool {
        self.before.is_none() && self.items.first().is_some_and(|item| item.mark.position > after.position + 1)
    }

    /// What follows `after`, if the page shows that the log still has that entry as it was.
    pub fn next(&self, after: Mark) -> Next {
        let first = self.items.first().map(|item| item.mark.position);
        if after.position == 0 {
            // Nothing stands there that could have changed; but the first entry may have been pruned.
            return if first == Some(1) { Next::From(0) } else { Next::Unknown };
        }
        if self.before == Some(after) {
            return if first.is_none_or(|first| first == after.position + 1) { Next::From(0) } else { Next::Hole };
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

#[cfg(test)]
mod tests {
    use super::*;

    const fn mark(position: i64) -> Mark {
        Mark { position, tag: 7 }
    }

    /// Read from `from` on, when the log had these entries.
    fn page(from: i64, positions: &[i64]) -> Page {
        Page::new(from, positions.iter().map(|position| Item::at(mark(*position))))
    }

    #[test]
    fn a_page_ends_at_a_hole() {
        assert_eq!(page(2, &[1, 2, 3, 5]).items().len(), 2);
        assert_eq!(page(1, &[1, 3]).items().len(), 1);
    }

    #[test]
    fn a_page_says_what_follows_a_mark() {
        let start = Mark::default();
        let other = Mark { position: 4, tag: 8 };
        for (page, after, expected) in [
            (page(1, &[1, 2]), start, Next::From(0)),
            (page(1, &[2, 3]), start, Next::Unknown),
            (page(1, &[]), start, Next::Unknown),
            (page(5, &[4, 5, 6]), mark(4), Next::From(0)),
            (page(5, &[4, 5, 6]), mark(5), Next::From(1)),
            (page(5, &[4, 5, 6]), mark(6), Next::From(2)),
            (page(5, &[4]), mark(4), Next::From(0)),
            // Something else stands there, or nothing that the page shows.
            (page(5, &[4, 5, 6]), other, Next::Unknown),
            (page(5, &[4, 5, 6]), mark(7), Next::Unknown),
            (page(5, &[5, 6]), mark(4), Next::Unknown),
            // 5 is missing.
            (page(5, &[4, 6]), mark(4), Next::Hole),
        ] {
            assert_eq!(page.next(after), expected, "{after:?} {page:?}");
        }
    }

    #[test]
    fn a_page_without_an_entry_before_it_says_where_it_begins() {
        for (positions, behind, later) in [(&[5, 6][..], true, false), (&[6], false, true), (&[], true, false)] {
            let page = page(5, positions);
            assert_eq!((page.begins_behind(mark(4)), page.begins_later(mark(4))), (behind, later), "{positions:?}");
        }
        assert!(!page(5, &[4, 6]).begins_later(mark(4)), "an entry before it shows more");
    }
}
