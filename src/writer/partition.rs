//! The batch loop of one partition: takes what waits, decides it, writes it, settles what went wrong.

use super::ahead::Memory;
use super::batch::{Batch, is_creation};
use super::command::CommandError;
use super::fold::{Folded, Ground, Recording};
use super::queue::Queued;
use super::revival::{Chunk, ChunkOutcome, DecidedChunk, QueuedChunk};
use super::{Feed, WriterSettings};
use crate::domain::{LeadId, OutreachMode, Timestamp};
use crate::store::{Advanced, Head, Known, LeadWrite, Modes, Store, StoreError, WriteConnection, Written};
use metrics::{counter, histogram};
use rand::RngExt;
use rand::rngs::StdRng;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(super) struct PartitionWriter {
    partition: i32,
    store: Store,
    settings: WriterSettings,
    feed: Arc<dyn Feed>,
    random: StdRng,
    stop: CancellationToken,
    connection: Option<Connected>,
    memory: Memory,
    /// Commands taken since the last chunk of a revival.
    beside: usize,
}

/// A connection, and the modes that decisions are made under.
struct Connected {
    connection: WriteConnection,
    modes: Modes,
}

/// The commands of one lead, by their places in the batch.
type Group = (LeadId, Vec<usize>);

/// What was read for a round: the leads that were asked for, and what is known of them.
struct Fresh {
    leads: HashSet<LeadId>,
    known: Known,
}

/// The pauses between attempts while the database doesn't answer; the last one repeats.
const PAUSES: [Duration; 4] =
    [Duration::from_millis(20), Duration::from_millis(100), Duration::from_millis(300), Duration::from_secs(1)];

impl PartitionWriter {
    pub(super) fn new(
        partition: i32,
        store: Store,
        settings: WriterSettings,
        memory: Memory,
        feed: Arc<dyn Feed>,
        random: StdRng,
        stop: CancellationToken,
    ) -> Self {
        Self { partition, store, settings, memory, feed, random, stop, connection: None, beside: 0 }
    }

    /// Serves the queue until the stop. Commands and chunks of revivals take turns.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Queued>, mut chunks: mpsc::Receiver<QueuedChunk>) {
        let mut taken = Vec::with_capacity(self.settings.batch);
        loop {
            // After commands it is a chunk's turn, if one waits.
            let waiting = if self.beside > 0 { chunks.try_recv().ok() } else { None };
            let chunk = tokio::select! {
                biased;
                () = self.stop.cancelled() => break,
                () = async {}, if waiting.is_some() => waiting,
                count = queue.recv_many(&mut taken, self.settings.batch) => {
                    if count == 0 {
                        break;
                    }
                    None
                }
                Some(chunk) = chunks.recv() => Some(chunk),
            };
            if let Some(QueuedChunk { chunk, reply }) = chunk {
                reply.send(self.revive(chunk).await).ok();
                self.beside = 0;
            } else {
                histogram!("lead_pipeline_batch_commands").record(taken.len() as f64);
                self.beside += taken.len();
                self.settle(Batch::new(taken.drain(..))).await;
            }
        }
        queue.close();
        while let Some(queued) = queue.recv().await {
            queued.reply.send(Err(CommandError::Stopping)).ok();
        }
        if let Some(connected) = self.connection.take() {
            connected.connection.close().await;
        }
    }

    /// Works on a batch until every command has its answer or its caller has gone.
    async fn settle(&mut self, mut batch: Batch) {
        // Becomes smaller when the database refuses the write: one bad command must not fail the others.
        let mut most_leads = usize::MAX;
        let mut failures = 0;
        while !batch.is_settled() {
            if self.stop.is_cancelled() {
                batch.refuse_unsent(&CommandError::Stopping);
                if batch.is_settled() {
                    break;
                }
            }
            match self.round(&mut batch, most_leads).await {
                Ok(()) => failures = 0,
                Err(error) if error.may_pass() => {
                    tracing::warn!(partition = self.partition, %error, "a batch failed and is tried again");
                    counter!("lead_pipeline_batch_failures_total").increment(1);
                    // The round has dropped its connection: the next one begins with a new one and an empty memory.
                    self.memory.clear();
                    self.pause(PAUSES[failures.min(PAUSES.len() - 1)]).await;
                    failures += 1;
                }
                Err(error) => {
                    tracing::error!(partition = self.partition, %error, "the database refused a batch");
                    self.memory.clear();
                    most_leads = narrow(&mut batch, most_leads);
                }
            }
        }
    }

    /// Waits, but not past the beginning of the stop: then there may be commands to answer at once.
    async fn pause(&self, pause: Duration) {
        if self.stop.is_cancelled() {
            tokio::time::sleep(pause).await;
        } else {
            tokio::time::timeout(pause, self.stop.cancelled()).await.ok();
        }
    }

    /// One read, if anything must be read, and one write, if anything is to be written.
    async fn round(&mut self, batch: &mut Batch, most_leads: usize) -> Result<(), StoreError> {
        let mut connected = match self.connection.take() {
            Some(connected) => connected,
            None => self.connect().await?,
        };
        let mut groups = batch.by_lead();
        groups.truncate(most_leads);
        let fresh = self.read(&mut connected.connection, batch, &groups).await?;
        if fresh.known.mode_epoch.is_some_and(|epoch| epoch != connected.modes.epoch) {
            // Some command may be answered without a write, which would compare it.
            connected.modes = connected.connection.modes().await?;
        }
        let folds = self.fold(batch, groups, &fresh, &connected.modes);
        if !folds.is_empty() {
            self.write(&mut connected, batch, folds).await?;
        }
        self.connection = Some(connected);
        Ok(())
    }

    async fn connect(&self) -> Result<Connected, StoreError> {
        let mut connection = self.store.write_connection(self.partition).await?;
        let modes = connection.modes().await?;
        Ok(Connected { connection, modes })
    }

    /// Reads the leads that can't be decided from memory, with a look for all requests on them.
    async fn read(
        &self,
        connection: &mut WriteConnection,
        batch: &Batch,
        groups: &[Group],
    ) -> Result<Fresh, StoreError> {
        let wanted: Vec<&Group> = groups.iter().filter(|group| self.needs_read(batch, group)).collect();
        if wanted.is_empty() {
            return Ok(Fresh { leads: HashSet::new(), known: Known::default() });
        }
        let leads: Vec<&LeadId> = wanted.iter().map(|(lead_id, _)| lead_id).collect();
        let requests: Vec<_> =
            wanted.iter().flat_map(|(_, places)| places).map(|p| batch.pending[*p].command().request_id).collect();
        let read = connection.read(&leads, &requests);
        let known = tokio::time::timeout(self.settings.statement_patience, read)
            .await
            .unwrap_or(Err(StoreError::Silent(self.settings.statement_patience)))?;
        Ok(Fresh { leads: leads.into_iter().cloned().collect(), known })
    }

    fn needs_read(&self, batch: &Batch, (lead_id, places): &Group) -> bool {
        let first = batch.pending[places[0]].command();
        // A lead that is to be created is taken to be new: if it isn't, the write says so.
        let known = self.memory.has(lead_id) || is_creation(first);
        !known || places.iter().any(|place| batch.pending[*place].fresh)
    }

    fn fold(&mut self, batch: &mut Batch, groups: Vec<Group>, fresh: &Fresh, modes: &Modes) -> Vec<Folded> {
        let context = self.settings.context(OutreachMode::Blended, self.store.clock().now());
        let mut folds = Vec::with_capacity(groups.len());
        for (lead_id, places) in groups {
            let ground = if fresh.leads.contains(&lead_id) {
                Ground { base: fresh.known.leads.get(&lead_id).cloned(), known: Some(&fresh.known), modes, context }
            } else {
                Ground { base: self.memory.get(&lead_id), known: None, modes, context }
            };
            folds.extend(ground.fold(batch, &places, || self.random.random()));
        }
        folds
    }

    async fn write(
        &mut self,
        connected: &mut Connected,
        batch: &mut Batch,
        folds: Vec<Folded>,
    ) -> Result<(), StoreError> {
        let began = Instant::now();
        let writes: Vec<&LeadWrite> = folds.iter().map(|folded| &folded.write).collect();
        match self.send(connected, &writes).await {
            Ok(Written::Done { after, recorded_at, leads, .. }) => {
                histogram!("lead_pipeline_commit_seconds").record(began.elapsed().as_secs_f64());
                self.commit(batch, folds, after, recorded_at, &leads.into_iter().collect());
                Ok(())
            }
            Ok(Written::EpochMoved) => {
                Self::unsend(batch, &folds);
                connected.modes = connected.connection.modes().await?;
                Ok(())
            }
            Ok(Written::Unreplicated) => {
                tracing::error!(partition = self.partition, "a commit was not confirmed by the synchronous standby");
                self.memory.clear();
                for place in folds.iter().flat_map(Folded::places) {
                    batch.pending[place].answer(Err(CommandError::OutcomeUnknown));
                }
                Ok(())
            }
            Err(StoreError::AlreadyRecorded(_)) => {
                // The fresh look that follows finds the recorded request.
                Self::unsend(batch, &folds);
                Ok(())
            }
            Err(error) => {
                for place in folds.iter().flat_map(Folded::places) {
                    match error {
                        StoreError::Lost(_) | StoreError::Silent(_) => batch.pending[place].doubt(),
                        _ => batch.pending[place].unsend(),
                    }
                }
                Err(error)
            }
        }
    }

    /// Nothing of these was written.
    fn unsend(batch: &mut Batch, folds: &[Folded]) {
        for place in folds.iter().flat_map(Folded::places) {
            batch.pending[place].unsend();
        }
    }

    async fn send(&self, connected: &mut Connected, writes: &[&LeadWrite]) -> Result<Written, StoreError> {
        let process = connected.connection.process();
        self.patiently(process, connected.connection.write(connected.modes.epoch, self.settings.later, writes)).await
    }

    /// Waits for a write. While it waits for another client's lock it looks now and then whether that client has fallen
    /// silent in the middle of its own write; past all patience the connection is given up.
    async fn patiently<T>(
        &self,
        process: i32,
        write: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        tokio::pin!(write);
        let give_up = Instant::now() + self.settings.statement_patience;
        loop {
            let look = (Instant::now() + self.settings.lock_patience).min(give_up);
            match tokio::time::timeout_at(look, &mut write).await {
                Ok(result) => return result,
                Err(_) if look == give_up => return Err(StoreError::Silent(self.settings.statement_patience)),
                Err(_) => match self.store.end_silent_holders(process).await {
                    Ok(0) => (),
                    Ok(ended) => tracing::warn!(partition = self.partition, ended, "ended silent holders of a lock"),
                    Err(error) => tracing::warn!(partition = self.partition, %error, "looking for a lock's holder"),
                },
            }
        }
    }

    /// The write is done for the leads at `written`: answers their commands and feeds their entries. The others had
    /// moved meanwhile, or have a request that is recorded already: they get a fresh look.
    fn commit(
        &mut self,
        batch: &mut Batch,
        folds: Vec<Folded>,
        after: Head,
        recorded_at: Timestamp,
        written: &HashMap<usize, Option<Timestamp>>,
    ) {
        let mut head = after;
        let mut committed = Vec::new();
        let check_in_interval = self.settings.later.check_in_interval;
        let mut recording = Recording { head: &mut head, recorded_at, check_in_interval, committed: &mut committed };
        for (place, folded) in folds.into_iter().enumerate() {
            if let Some(follow_up) = written.get(&place) {
                let stored = folded.commit(batch, &mut recording, *follow_up);
                self.memory.put(stored);
            } else {
                self.memory.forget(&folded.write.lead.id);
                Self::unsend(batch, std::slice::from_ref(&folded));
            }
        }
        counter!("lead_pipeline_entries_total").increment(committed.len() as u64);
        self.feed.committed(after, &committed);
    }
}

impl PartitionWriter {
    /// Writes a chunk of a revival.
    async fn revive(&mut self, chunk: Chunk) -> ChunkOutcome {
        let now = self.store.clock().now();
        let decided = DecidedChunk::new(chunk, &self.settings, now, || self.random.random());
        let result = async {
            let mut connected = match self.connection.take() {
                Some(connected) => connected,
                None => self.connect().await?,
            };
            let process = connected.connection.process();
            let advanced = self.patiently(process, decided.send(&mut connected.connection)).await?;
            self.connection = Some(connected);
            Ok::<_, StoreError>(advanced)
        };
        match result.await {
            Ok(Advanced::Lost) => ChunkOutcome::Lost,
            Ok(Advanced::Done { after, recorded_at, leads, whole }) => {
                let written = decided.commit(after, recorded_at, &leads, whole);
                written.leads.into_iter().for_each(|lead| self.memory.renew(lead));
                counter!("lead_pipeline_entries_total").increment(written.committed.len() as u64);
                self.feed.committed(written.after, &written.committed);
                if written.whole { ChunkOutcome::Done { beside: self.beside } } else { ChunkOutcome::Again }
            }
            Err(error) => {
                tracing::warn!(partition = self.partition, %error, "a chunk of a revival failed");
                self.memory.clear();
                ChunkOutcome::Failed
            }
        }
    }
}

/// The database refuses some lead of the batch: how many leads to try next, until the one is found. Its commands are
/// answered; the others go on.
fn narrow(batch: &mut Batch, most_leads: usize) -> usize {
    // What the round answered before it failed is none of those that are left.
    batch.is_settled();
    let groups = batch.by_lead();
    let tried = groups.len().min(most_leads);
    if tried > 1 {
        return tried / 2;
    }
    for place in groups.first().map(|(_, places)| places.as_slice()).unwrap_or_default() {
        batch.pending[*place].answer(Err(CommandError::Internal));
    }
    usize::MAX
}
