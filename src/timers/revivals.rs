//! Works off the revivals that were accepted, whichever replica accepted them: gives each partition the mode and its part,
//! and goes through the part's leads, a chunk after the other, as long as this replica holds it.

use super::TimerSettings;
use crate::store::{Part, Revival, Store, StoreError, StoredLead, Unfinished};
use crate::writer::{Chunk, ChunkOutcome, Writers};
use rand::RngExt;
use rand::rngs::StdRng;
use std::collections::HashSet;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The fewest leads of a chunk while others write too: fewer cost more than they spare those.
const LEAST: usize = 16;

/// Wakes who works on revivals.
#[derive(Debug, Default)]
pub struct Revivals(Notify);

impl Revivals {
    /// A revival was accepted here: no need to wait for the next look.
    pub fn accepted(&self) {
        self.0.notify_one();
    }
}

/// Leads that a part has come to.
#[derive(Default)]
struct Page {
    leads: Vec<StoredLead>,
    /// No lead comes behind them.
    last: bool,
}

impl Page {
    /// The first of them; the others are read again.
    fn cut_to(mut self, size: usize) -> Self {
        if self.leads.len() > size {
            self.leads.truncate(size);
            self.last = false;
        }
        self
    }
}

pub(super) struct Runner {
    store: Store,
    writers: Writers,
    settings: TimerSettings,
    wake: Arc<Revivals>,
    stop: CancellationToken,
}

impl Runner {
    pub(super) const fn new(
        store: Store,
        writers: Writers,
        settings: TimerSettings,
        wake: Arc<Revivals>,
        stop: CancellationToken,
    ) -> Self {
        Self { store, writers, settings, wake, stop }
    }

    /// Looks what is to do, again and again, until the stop; then lets go of what it holds.
    pub(super) async fn run(self, mut random: StdRng) {
        let mut at_work: HashSet<i32> = HashSet::new();
        let mut parts: JoinSet<i32> = JoinSet::new();
        let stop = self.stop.clone();
        let this = Arc::new(self);
        while !stop.is_cancelled() {
            if let Err(error) = this.look(&mut random, &mut at_work, &mut parts).await {
                tracing::debug!(%error, "looking for revivals failed");
            }
            tokio::select! {
                () = stop.cancelled() => (),
                () = this.wake.0.notified() => (),
                Some(ended) = parts.join_next() => {
                    at_work.remove(&ended.unwrap_or(-1));
                }
                () = tokio::time::sleep(this.settings.interval) => (),
            }
        }
        while parts.join_next().await.is_some() {}
    }

    async fn look(
        self: &Arc<Self>,
        random: &mut StdRng,
        at_work: &mut HashSet<i32>,
        parts: &mut JoinSet<i32>,
    ) -> Result<(), StoreError> {
        for revival in self.store.unfinished_revivals().await? {
            if !revival.spread {
                self.spread(&revival, random).await?;
            }
            if let Some(revival) = self.store.revival(revival.revival_id).await?.filter(|revival| revival.done) {
                self.store.finish_revival(&revival).await?;
                log_end(&revival);
            }
        }
        for partition in self.store.waiting_parts().await? {
            if at_work.insert(partition) {
                let this = Arc::clone(self);
                parts.spawn(async move {
                    this.serve(partition).await;
                    partition
                });
            }
        }
        Ok(())
    }

    async fn spread(&self, revival: &Unfinished, random: &mut StdRng) -> Result<(), StoreError> {
        for partition in 0..self.store.partitions() {
            self.store.spread(partition, revival, random.random()).await?;
        }
        self.store.set_spread(revival).await
    }

    /// Works off the parts of one partition that nobody holds.
    async fn serve(&self, partition: i32) {
        loop {
            let part = match self.store.claim_part(partition, self.settings.revival_lease).await {
                Ok(Some(part)) => part,
                Ok(None) => return,
                Err(error) => {
                    tracing::debug!(partition, %error, "taking hold of a revival failed");
                    return;
                }
            };
            if let Err(error) = self.work(part).await {
                tracing::warn!(partition, %error, "a revival goes on later");
                return;
            }
            if self.stop.is_cancelled() {
                return;
            }
        }
    }

    /// Works on a part until it is finished, or lost.
    async fn work(&self, mut part: Part) -> Result<(), StoreError> {
        if !part.counted {
            self.store.count_part(&part).await?;
        }
        let mut size = self.settings.revival_batch;
        let mut page = self.page(&part, size).await?;
        loop {
            if self.stop.is_cancelled() {
                return self.store.release_part(&part).await;
            }
            let Page { leads, last } = page;
            let mut next = part.clone();
            if let Some(behind) = leads.last() {
                next.last_lead = behind.lead.id.to_string();
            }
            let chunk = Chunk { part: part.clone(), leads, last, lease: self.settings.revival_lease };
            // The next leads are read while these are written.
            let ahead = async { if last { Ok(Page::default()) } else { self.page(&next, size).await } };
            let (outcome, ahead) = tokio::join!(self.writers.revive(chunk), ahead);
            match outcome {
                ChunkOutcome::Done { .. } if last => return Ok(()),
                ChunkOutcome::Done { beside } => {
                    size = self.size(beside);
                    part = next;
                    page = ahead?.cut_to(size);
                }
                // A lead changed while it was read: fewer at a time are faster than it.
                ChunkOutcome::Again => {
                    size = (size / 2).max(1);
                    page = self.page(&part, size).await?;
                }
                ChunkOutcome::Lost => return Ok(()),
                // The row tells how far it came, to whoever takes hold of it next.
                ChunkOutcome::Failed => return self.store.release_part(&part).await,
            }
        }
    }

    async fn page(&self, part: &Part, size: usize) -> Result<Page, StoreError> {
        let leads = self.store.exhausted(part, size as i64).await?;
        let last = leads.len() < size;
        Ok(Page { leads, last })
    }

    /// How many leads the next chunk has, if the writer had so many commands beside the last one.
    fn size(&self, beside: usize) -> usize {
        let most = self.settings.revival_batch;
        if beside == 0 {
            return most;
        }
        let share = self.settings.revival_share;
        (beside * share / (100 - share)).clamp(LEAST.min(most), most)
    }
}

fn log_end(revival: &Revival) {
    tracing::info!(
        revival_id = %revival.revival_id, agent_id = %revival.agent, mode = %revival.mode, revived = revival.revived,
        superseded = revival.superseded, "a revival has ended"
    );
}
