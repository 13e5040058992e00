//! The front of the writers: a bounded queue for each partition, and the wait for the answer.

use super::ahead::{Memory, ReadAhead};
use super::command::{Answer, Command, CommandError};
use super::partition::PartitionWriter;
use super::revival::{Chunk, ChunkOutcome, QueuedChunk};
use super::{Feed, WriterSettings};
use crate::store::{Store, partition_of};
use rand::rngs::StdRng;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A command on its way, as the writer holds it.
pub(super) struct Queued {
    pub command: Command,
    /// Past it the command is dropped, unless it was sent.
    pub deadline: Instant,
    pub reply: oneshot::Sender<Result<Answer, CommandError>>,
    pub progress: Arc<Progress>,
    /// The part of a stream's command in the room that streams may take, until it is answered.
    turn: Option<OwnedSemaphorePermit>,
}

/// How far a command has come. Decides whether giving up means "nothing was done" or "unknown".
#[derive(Debug, Default)]
pub(super) struct Progress(AtomicU8);

const WAITING: u8 = 0;
const SENT: u8 = 1;
const ABANDONED: u8 = 2;

impl Progress {
    /// The writer is about to send the command to the database; `false` if the caller has given up before.
    pub(super) fn send(&self) -> bool {
        match self.0.compare_exchange(WAITING, SENT, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => true,
            Err(now) => now == SENT,
        }
    }

    /// The database has certainly not done it.
    pub(super) fn unsend(&self) {
        // A caller that has given up meanwhile was told "unknown": that stays true enough.
        self.0.compare_exchange(SENT, WAITING, Ordering::AcqRel, Ordering::Acquire).ok();
    }

    /// Whether the command may be with the database.
    pub(super) fn sent(&self) -> bool {
        self.0.load(Ordering::Acquire) == SENT
    }

    /// The caller gives up; `true` if the command will certainly not be sent any more.
    fn abandon(&self) -> bool {
        match self.0.compare_exchange(WAITING, ABANDONED, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => true,
            Err(now) => now == ABANDONED,
        }
    }
}

/// Gives a command up when its caller goes away, so that it isn't decided for nobody.
struct AbandonOnDrop(Arc<Progress>);

impl Drop for AbandonOnDrop {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// The way to one partition's writer.
#[derive(Debug)]
struct Queue {
    commands: mpsc::Sender<Queued>,
    /// Chunks of revivals, one at a time.
    chunks: mpsc::Sender<QueuedChunk>,
    /// Half of the room: streams may wait for it, so the other half is there for calls, which don't.
    turns: Arc<Semaphore>,
}

/// The writers of all partitions.
#[derive(Clone, Debug)]
pub struct Writers {
    queues: Arc<[Queue]>,
    stop: CancellationToken,
}

impl Writers {
    /// Starts one writer a partition, and what reads ahead for it. They stop when `stop` is cancelled: what wasn't sent to the database is answered
    /// `Stopping`, what was is settled. `random` seeds each writer's source of tags.
    pub fn start(
        store: &Store,
        settings: WriterSettings,
        feed: &Arc<dyn Feed>,
        stop: &CancellationToken,
        mut random: impl FnMut() -> StdRng,
    ) -> (Self, JoinSet<()>) {
        let mut tasks = JoinSet::new();
        let queues = (0..store.partitions())
            .map(|partition| {
                let (sender, receiver) = mpsc::channel(settings.queue);
                let (next, ready) = mpsc::channel(settings.batch);
                let (chunks, chunks_ready) = mpsc::channel(1);
                let memory = Memory::new(settings.cache);
                let (store, stop, batch) = (store.clone(), stop.clone(), settings.batch);
                let ahead = (memory.clone(), store.clone(), stop.clone());
                let writer = PartitionWriter::new(partition, store, settings, memory, Arc::clone(feed), random(), stop);
                tasks.spawn(writer.run(ready, chunks_ready));
                let (memory, store, stop) = ahead;
                tasks.spawn(ReadAhead { partition, store, memory, batch, next, stop }.run(receiver));
                Queue { commands: sender, chunks, turns: Arc::new(Semaphore::new(settings.queue.div_ceil(2))) }
            })
            .collect();
        (Self { queues, stop: stop.clone() }, tasks)
    }

    /// Hands a command to its partition's writer, which is to begin with it before `deadline`.
    ///
    /// # Errors
    /// If the writer has no room for it, or is stopping, or it is too late: nothing was done.
    pub fn submit(&self, command: Command, deadline: Instant) -> Result<Submitted, CommandError> {
        let (queue, queued, submitted) = self.prepare(command, deadline)?;
        queue.commands.try_send(queued).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => CommandError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => CommandError::Stopping,
        })?;
        Ok(submitted)
    }

    /// The same, but waits until the writer has room. Not to be left unpolled: it may hold room while it waits.
    ///
    /// # Errors
    /// If the writer is stopping, or it is too late: nothing was done.
    pub async fn submit_in_turn(&self, command: Command, deadline: Instant) -> Result<Submitted, CommandError> {
        let (queue, mut queued, submitted) = self.prepare(command, deadline)?;
        let in_turn = async {
            queued.turn = Arc::clone(&queue.turns).acquire_owned().await.ok();
            queue.commands.send(queued).await
        };
        let sent = tokio::time::timeout_at(deadline, self.stop.run_until_cancelled(in_turn)).await;
        match sent {
            Ok(Some(Ok(()))) => Ok(submitted),
            Ok(_) => Err(CommandError::Stopping),
            Err(_) => Err(CommandError::Unavailable),
        }
    }

    /// Hands the writer of the chunk's partition a chunk of a revival, which takes its turn with the commands.
    pub async fn revive(&self, chunk: Chunk) -> ChunkOutcome {
        let (reply, outcome) = oneshot::channel();
        let queue = &self.queues[chunk.part.partition as usize];
        if queue.chunks.send(QueuedChunk { chunk, reply }).await.is_err() {
            return ChunkOutcome::Failed;
        }
        outcome.await.unwrap_or(ChunkOutcome::Failed)
    }

    fn prepare(&self, command: Command, deadline: Instant) -> Result<(&Queue, Queued, Submitted), CommandError> {
        if deadline <= Instant::now() {
            return Err(CommandError::Unavailable);
        }
        let queue = &self.queues[partition_of(command.lead_id.as_str(), self.queues.len() as i32) as usize];
        let (reply, answer) = oneshot::channel();
        let progress = Arc::new(Progress::default());
        let queued = Queued { command, deadline, reply, progress: Arc::clone(&progress), turn: None };
        let submitted = Submitted { answer, deadline, guard: AbandonOnDrop(progress), stop: self.stop.clone() };
        Ok((queue, queued, submitted))
    }

    /// How many commands wait, over all partitions.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queues.iter().map(|queue| queue.commands.max_capacity() - queue.commands.capacity()).sum()
    }
}

/// A command that a writer has. Dropped before its answer: nobody waits for it any more.
pub struct Submitted {
    answer: oneshot::Receiver<Result<Answer, CommandError>>,
    deadline: Instant,
    guard: AbandonOnDrop,
    stop: CancellationToken,
}

impl Submitted {
    /// Waits for the answer, until the deadline.
    ///
    /// # Errors
    /// What the command was refused for, or that nothing was done, or that it isn't known.
    pub async fn answer(self) -> Result<Answer, CommandError> {
        let Self { mut answer, deadline, guard, stop } = self;
        // Asked in this order: an answer that is there counts, whatever else has happened.
        let given_up = tokio::select! {
            biased;
            result = &mut answer => return match result {
                Ok(result) => result,
                // Nobody has it any more: the server stops.
                Err(_) if guard.0.abandon() => Err(CommandError::Stopping),
                Err(_) => Err(CommandError::OutcomeUnknown),
            },
            () = stop.cancelled() => CommandError::Stopping,
            () = tokio::time::sleep_until(deadline) => CommandError::Unavailable,
        };
        if guard.0.abandon() {
            return Err(given_up);
        }
        // It is with the database, and is settled if that answers in time; a stop ends the writer after its grace.
        match tokio::time::timeout_at(deadline, answer).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) | Err(_) => Err(CommandError::OutcomeUnknown),
        }
    }
}
