//! Reads of single leads, gathered: what is asked for while a statement is under way shares the next one. Comes in: lead
//! ids. Goes out: leads as the database has them after they were asked for, never from memory.

use crate::domain::{Lead, LeadId};
use crate::store::{Store, StoreError};
use metrics::histogram;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

/// Limits of the reads; all are settings of the server.
#[derive(Clone, Copy, Debug)]
pub struct ReaderSettings {
    /// Reads that wait for one partition's statement; one more waits for room.
    pub queue: usize,
    /// Leads in one statement.
    pub batch: usize,
}

/// A read that waits for its answer.
struct Wanted {
    lead_id: LeadId,
    reply: oneshot::Sender<Result<Option<Lead>, Arc<StoreError>>>,
}

/// Reads the leads of all partitions.
#[derive(Clone, Debug)]
pub struct Reader {
    store: Store,
    queues: Arc<[mpsc::Sender<Wanted>]>,
}

impl Reader {
    /// Starts one task a partition, which end with the set.
    pub fn start(store: &Store, settings: ReaderSettings, tasks: &mut JoinSet<()>) -> Self {
        let queues = (0..store.partitions()).map(|partition| {
            let (sender, receiver) = mpsc::channel(settings.queue);
            tasks.spawn(serve(store.clone(), partition, receiver, settings.batch));
            sender
        });
        let queues = queues.collect();
        Self { store: store.clone(), queues }
    }

    /// The lead as the last acknowledged write left it.
    ///
    /// # Errors
    /// If the database doesn't answer.
    pub async fn lead(&self, lead_id: &LeadId) -> Result<Option<Lead>, Arc<StoreError>> {
        let (reply, answer) = oneshot::channel();
        let wanted = Wanted { lead_id: lead_id.clone(), reply };
        let queue = &self.queues[self.store.partition_of(lead_id.as_str()) as usize];
        // The tasks end with the server.
        queue.send(wanted).await.map_err(|_| Arc::new(StoreError::Closed))?;
        answer.await.unwrap_or_else(|_| Err(Arc::new(StoreError::Closed)))
    }
}

async fn serve(store: Store, partition: i32, mut queue: mpsc::Receiver<Wanted>, batch: usize) {
    let mut wanted = Vec::with_capacity(batch);
    while queue.recv_many(&mut wanted, batch).await > 0 {
        // Callers that have gone need no answer.
        wanted.retain(|wanted: &Wanted| !wanted.reply.is_closed());
        histogram!("lead_pipeline_read_leads").record(wanted.len() as f64);
        let lead_ids: Vec<&str> = wanted.iter().map(|wanted| wanted.lead_id.as_str()).collect();
        let found = store.leads_of(partition, &lead_ids).await.map_err(Arc::new);
        // Several callers may have asked for one lead.
        let found = found.map(|found| found.into_iter().map(|(id, lead)| (id, lead.map_err(Arc::new))).collect());
        let answer = |lead_id: &LeadId| {
            let found: &HashMap<String, Result<Lead, Arc<StoreError>>> = found.as_ref().map_err(Arc::clone)?;
            found.get(lead_id.as_str()).cloned().transpose()
        };
        for Wanted { lead_id, reply } in wanted.drain(..) {
            reply.send(answer(&lead_id)).ok();
        }
    }
}
