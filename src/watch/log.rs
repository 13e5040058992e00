//! Reads of the log and of snapshots for watchers, bounded and shared.

use super::Encoder;
use super::pages::{Next, Page, Pages};
use super::ring::Item;
use crate::store::{LeadPage, Mark, PageOf, Standing, Store, StoreError};
use metrics::counter;
use std::num::NonZeroUsize;
use std::sync::Arc;
use tokio::sync::{Semaphore, SemaphorePermit};

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

/// Limits of the reads.
#[derive(Clone, Copy, Debug)]
pub(super) struct LogLimits {
    /// Entries in one read.
    pub page: i64,
    /// Pages that are kept.
    pub pages: NonZeroUsize,
    /// Reads at the same time.
    pub readers: usize,
}

/// Reads the log.
#[derive(Debug)]
pub(super) struct LogReader {
    store: Store,
    encode: Encoder,
    page: i64,
    pages: Pages,
    /// Bounded, so that many watchers who replay leave the database room for writes. Never closed.
    readers: Semaphore,
}

impl LogReader {
    pub fn new(store: &Store, encode: Encoder, limits: LogLimits) -> Self {
        let LogLimits { page, pages, readers } = limits;
        let (store, pages, readers) = (store.clone(), Pages::new(page, pages), Semaphore::new(readers));
        Self { store, encode, page, pages, readers }
    }

    /// What follows `after`, from a page that watchers share.
    pub async fn shared(&self, partition: i32, after: Mark) -> Result<Logged<Arc<Page>>, StoreError> {
        let read = async |from| {
            let _turn = self.turn().await;
            self.page(partition, from).await
        };
        let page = self.pages.get(partition, after.position, read).await?;
        if let Next::From(first) = page.next(after)
            && first < page.items().len()
        {
            return Ok(Logged::Page(page, first));
        }
        // It may be older than what is asked for, or was pruned before it, or the log is another one, or has a hole.
        let _turn = self.turn().await;
        Ok(match self.fresh(partition, after).await? {
            Logged::Page(page, first) => Logged::Page(Arc::new(page), first),
            Logged::Expired => Logged::Expired,
            Logged::Diverged => Logged::Diverged,
        })
    }

    /// What follows `after`, as the log has it now. Waits for no other reader.
    pub async fn fresh(&self, partition: i32, after: Mark) -> Result<Logged<Page>, StoreError> {
        let page = self.page(partition, after.position + 1).await?;
        match page.next(after) {
            Next::From(first) => Ok(Logged::Page(page, first)),
            Next::Hole => Ok(Logged::Diverged),
            Next::Unknown => match self.store.standing(partition, after).await? {
                // Nothing was ever written, or the log begins just here.
                Standing::Holds if page.begins_behind(after) => Ok(Logged::Page(page, 0)),
                // A prune deletes and raises the floor in one transaction: this one isn't its doing.
                Standing::Holds if page.begins_later(after) => Ok(Logged::Diverged),
                // It was pruned between the two reads: what follows will be soon, if it isn't already.
                Standing::Holds | Standing::Expired => Ok(Logged::Expired),
                Standing::Diverged => Ok(Logged::Diverged),
            },
        }
    }

    /// The entries from `from` on, and the one before them: it shows that the log is still the one it was.
    async fn page(&self, partition: i32, from: i64) -> Result<Page, StoreError> {
        counter!("lead_pipeline_watch_log_reads_total").increment(1);
        let again = i64::from(from > 1);
        let entries = self.store.log(partition, from - again, self.page + again).await?;
        Ok(Page::new(from, entries.iter().map(|entry| Item::new(entry, self.encode))))
    }

    /// A page of a snapshot.
    pub async fn leads(&self, page: PageOf<'_>) -> Result<LeadPage, StoreError> {
        let _turn = self.turn().await;
        self.store.lead_page(page).await
    }

    async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.readers.acquire().await.ok()
    }

    /// Forgets the pages that are kept.
    pub fn forget(&self) {
        self.pages.forget();
    }
}
