//! Hands out follow-ups: partitions and agents take turns, and a caller may wait.

use crate::domain::{AgentId, Span, Timestamp};
use crate::store::{Leased, Store, StoreError, Wanted};
use rand::RngExt;
use rand::rngs::StdRng;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex as SyncMutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::Instant;
use uuid::Uuid;

/// What a caller wants.
#[derive(Clone, Debug)]
pub struct LeaseRequest {
    /// Of all agents if none.
    pub agent: Option<AgentId>,
    pub most: usize,
    pub lease: Span,
    /// How long to wait while nothing is due.
    pub until: Instant,
}

/// What a caller gets.
#[derive(Debug)]
pub struct Handed {
    pub leased: Vec<Leased>,
    /// If there are none: when to come back.
    pub next_due_at: Option<Timestamp>,
}

/// Hands out follow-ups.
#[derive(Debug)]
pub struct FollowUps {
    store: Store,
    /// One caller at a time looks in a partition, so that callers of this replica don't take the same.
    turns: Vec<Mutex<Turn>>,
    /// The partition that the next caller begins with.
    first: AtomicUsize,
    random: SyncMutex<StdRng>,
    /// Callers that may wait.
    pub waiting: Arc<Semaphore>,
    /// How often a caller that waits looks again.
    interval: Duration,
}

/// Where a partition's agents take turns.
#[derive(Debug, Default)]
struct Turn {
    /// The agent that was last.
    after: String,
}

impl FollowUps {
    /// Nothing is handed out yet. `random` makes the tokens.
    #[must_use]
    pub fn new(store: &Store, waiters: usize, interval: Duration, random: StdRng) -> Self {
        Self {
            store: store.clone(),
            turns: (0..store.partitions()).map(|_| Mutex::default()).collect(),
            first: AtomicUsize::new(0),
            random: SyncMutex::new(random),
            waiting: Arc::new(Semaphore::new(waiters)),
            interval,
        }
    }

    /// Leases follow-ups that are due; if there are none, waits for some.
    ///
    /// # Errors
    /// If the database doesn't answer.
    pub async fn lease(&self, request: &LeaseRequest) -> Result<Handed, StoreError> {
        loop {
            let leased = self.take(request).await?;
            let look = Instant::now() + self.interval;
            if !leased.is_empty() || request.until <= Instant::now() {
                if !leased.is_empty() {
                    return Ok(Handed { leased, next_due_at: None });
                }
                let next_due_at = self.store.next_follow_up(request.agent.as_ref()).await?;
                return Ok(Handed { leased, next_due_at });
            }
            tokio::time::sleep_until(look.min(request.until)).await;
        }
    }

    /// What is due now.
    async fn take(&self, request: &LeaseRequest) -> Result<Vec<Leased>, StoreError> {
        let partitions = self.turns.len();
        let first = self.first.fetch_add(1, Ordering::Relaxed);
        let mut turns: Vec<usize> = (0..partitions).map(|nth| (first + nth) % partitions).collect();
        let mut leased = Vec::new();
        // First each partition gives its share, then those that may have more give what is still missing.
        for round in 0..2 {
            let mut more = Vec::new();
            for (nth, partition) in turns.iter().copied().enumerate() {
                let missing = request.most - leased.len();
                if missing == 0 {
                    return Ok(leased);
                }
                let share = if round == 0 { missing.div_ceil(turns.len() - nth) } else { missing };
                let given = match self.take_of(partition, request, share).await {
                    Ok(given) => given,
                    // What the caller has by now is the caller's.
                    Err(_) if !leased.is_empty() => return Ok(leased),
                    Err(error) => return Err(error),
                };
                if given.len() == share {
                    more.push(partition);
                }
                leased.extend(given);
            }
            turns = more;
        }
        Ok(leased)
    }

    /// What is due in one partition, `most` at most.
    async fn take_of(&self, partition: usize, request: &LeaseRequest, most: usize) -> Result<Vec<Leased>, StoreError> {
        let mut turn = self.turns[partition].lock().await;
        let partition = partition as i32;
        let mut leased: Vec<Leased> = Vec::new();
        while leased.len() < most {
            let missing = most - leased.len();
            let agents = match &request.agent {
                Some(agent) => vec![agent.to_string()],
                None => self.agents(partition, &turn.after, missing).await?,
            };
            if agents.is_empty() {
                break;
            }
            let wanted = Wanted {
                partition,
                agents: &agents.iter().map(String::as_str).collect::<Vec<_>>(),
                // Never more agents than are missing: none of them is left out.
                of_each: (missing / agents.len()) as i64,
                tokens: &self.tokens(missing),
                lease: request.lease,
            };
            let found = self.store.lease(wanted).await?;
            self.store.put_off(partition, &found.put_off).await?;
            if let Some(last) = agents.last().filter(|_| request.agent.is_none()) {
                turn.after.clone_from(last);
            }
            let progress = found.leased.len() + found.put_off.len() + found.missed > 0;
            leased.extend(found.leased);
            if request.agent.is_some() && !progress {
                break;
            }
        }
        Ok(leased)
    }

    /// The agents whose turn it is: those behind the last one, then from the beginning.
    async fn agents(&self, partition: i32, after: &str, most: usize) -> Result<Vec<String>, StoreError> {
        let mut agents = self.store.agents_with_follow_ups(partition, after, most as i64).await?;
        if agents.len() < most && !after.is_empty() {
            let missing = (most - agents.len()) as i64;
            let again = self.store.agents_with_follow_ups(partition, "", missing).await?;
            agents.extend(again.into_iter().take_while(|agent| agent.as_str() <= after));
        }
        Ok(agents)
    }

    fn tokens(&self, count: usize) -> Vec<Uuid> {
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        (0..count).map(|_| uuid::Builder::from_random_bytes(random.random()).into_uuid()).collect()
    }
}
