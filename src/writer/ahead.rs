//! Reads ahead: the leads that the writer doesn't remember are read while it writes the batch before, on a connection of
//! their own. Every command passes here, in its order. What isn't read here the writer reads itself.

use super::batch::is_creation;
use super::command::CommandError;
use super::queue::Queued;
use crate::domain::LeadId;
use crate::store::{Store, StoredLead, WriteConnection};
use lru::LruCache;
use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Leads as the writer last saw them. Kept honest by the compare in the write.
#[derive(Clone)]
pub(super) struct Memory(Arc<Mutex<LruCache<LeadId, StoredLead>>>);

impl Memory {
    pub(super) fn new(leads: NonZeroUsize) -> Self {
        Self(Arc::new(Mutex::new(LruCache::new(leads))))
    }

    fn leads(&self) -> MutexGuard<'_, LruCache<LeadId, StoredLead>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn has(&self, lead_id: &LeadId) -> bool {
        self.leads().contains(lead_id)
    }

    pub(super) fn get(&self, lead_id: &LeadId) -> Option<StoredLead> {
        self.leads().get(lead_id).cloned()
    }

    pub(super) fn put(&self, lead: StoredLead) {
        self.leads().put(lead.lead.id.clone(), lead);
    }

    /// Keeps what it knows of a lead true, without learning of new ones.
    pub(super) fn renew(&self, lead: StoredLead) {
        if let Some(known) = self.leads().peek_mut(&lead.lead.id) {
            *known = lead;
        }
    }

    pub(super) fn forget(&self, lead_id: &LeadId) {
        self.leads().pop(lead_id);
    }

    pub(super) fn clear(&self) {
        self.leads().clear();
    }

    /// Takes what was read ahead; what a write has put here meanwhile is newer.
    fn learn(&self, read: Vec<StoredLead>) {
        let mut leads = self.leads();
        for lead in read {
            leads.get_or_insert(lead.lead.id.clone(), || lead);
        }
    }
}

/// How long a read ahead may take: then the writer reads for itself.
const PATIENCE: Duration = Duration::from_secs(1);

/// Reads ahead for one partition's writer.
pub(super) struct ReadAhead {
    pub partition: i32,
    pub store: Store,
    pub memory: Memory,
    /// Commands that are taken at a time.
    pub batch: usize,
    pub next: mpsc::Sender<Queued>,
    pub stop: CancellationToken,
}

impl ReadAhead {
    /// Hands on what comes until the stop.
    pub(super) async fn run(self, mut queue: mpsc::Receiver<Queued>) {
        let mut connection = None;
        let mut taken = Vec::with_capacity(self.batch);
        let pass_on = async {
            while queue.recv_many(&mut taken, self.batch).await > 0 {
                let unknown: BTreeSet<&LeadId> = taken.iter().filter_map(|queued| self.unknown(queued)).collect();
                if !unknown.is_empty() {
                    let leads: Vec<&LeadId> = unknown.into_iter().collect();
                    self.read(&mut connection, &leads).await;
                }
                for queued in taken.drain(..) {
                    // Dropped with its reply if the writer has ended, which it does only with the server.
                    self.next.send(queued).await.ok();
                }
            }
        };
        self.stop.run_until_cancelled(pass_on).await;
        queue.close();
        while let Some(queued) = queue.recv().await {
            taken.push(queued);
        }
        for queued in taken {
            queued.reply.send(Err(CommandError::Stopping)).ok();
        }
        if let Some(connection) = connection {
            connection.close().await;
        }
    }

    /// The command's lead, if it has to be read. One that is to be created is taken to be new.
    fn unknown<'a>(&self, queued: &'a Queued) -> Option<&'a LeadId> {
        let lead_id = &queued.command.lead_id;
        (!is_creation(&queued.command) && !self.memory.has(lead_id)).then_some(lead_id)
    }

    async fn read(&self, connection: &mut Option<WriteConnection>, leads: &[&LeadId]) {
        let reading = async {
            let mut open = match connection.take() {
                Some(open) => open,
                None => self.store.write_connection(self.partition).await?,
            };
            let read = open.leads(leads).await?;
            *connection = Some(open);
            Ok::<_, crate::store::StoreError>(read)
        };
        match tokio::time::timeout(PATIENCE, reading).await {
            Ok(Ok(read)) => self.memory.learn(read),
            Ok(Err(error)) => tracing::debug!(partition = self.partition, %error, "a read ahead failed"),
            Err(_) => tracing::debug!(partition = self.partition, "a read ahead took too long"),
        }
    }
}
