//! Writes: the n-th call moves the lead n modulo their number, to and fro, so that each is a change.

use super::figures::Latencies;
use super::stage::{Stage, lead_id};
use crate::support::requests::override_to;
use crate::support::server::Client;
use lead_pipeline::proto::{OverrideStageRequest, Stage as LeadStage};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tonic::Code;

/// A write that was acknowledged.
#[derive(Clone, Copy, Debug)]
pub struct Acknowledged {
    pub partition: i32,
    pub position: i64,
    pub lead: usize,
    pub sent: Instant,
    pub answered: Instant,
}

/// How long the calls took.
pub fn calls(writes: &[Acknowledged]) -> Latencies {
    writes.iter().map(|write| (write.sent, write.answered - write.sent)).collect()
}

/// Writes under way.
pub struct Load {
    stop: CancellationToken,
    acknowledged: mpsc::UnboundedReceiver<Acknowledged>,
}

/// Where the calls come from.
#[derive(Clone)]
struct Source {
    clients: Arc<[Client]>,
    leads: usize,
    next: Arc<AtomicU64>,
    reason: String,
    told: mpsc::UnboundedSender<Acknowledged>,
}

impl Source {
    /// One write, tried again while the server has no room for it.
    async fn write(&self) {
        let number = self.next.fetch_add(1, Ordering::Relaxed) as usize;
        let stage = if (number / self.leads).is_multiple_of(2) { LeadStage::Engaged } else { LeadStage::Nurture };
        let lead = number % self.leads;
        let mut client = self.clients[number % self.clients.len()].clone();
        let request = OverrideStageRequest { reason: self.reason.clone(), ..override_to(&lead_id(lead), stage) };
        let sent = Instant::now();
        loop {
            match client.override_stage(request.clone()).await {
                Ok(response) => {
                    let change = &response.get_ref().changes[0];
                    let (partition, position) = (change.partition, change.position);
                    let write = Acknowledged { partition, position, lead, sent, answered: Instant::now() };
                    self.told.send(write).ok();
                    return;
                }
                Err(status) if status.code() == Code::ResourceExhausted => tokio::task::yield_now().await,
                Err(status) => panic!("a write failed: {status:?}"),
            }
        }
    }
}

impl Load {
    fn start(stage: &Stage) -> (Self, Source) {
        let (told, acknowledged) = mpsc::unbounded_channel();
        let clients = stage.clients(4).into();
        let (leads, reason) = (stage.leads, stage.reason.clone());
        let source = Source { clients, leads, next: Arc::clone(&stage.next), reason, told };
        (Self { stop: CancellationToken::new(), acknowledged }, source)
    }

    /// So many writes a second, however long each takes.
    pub fn steady(stage: &Stage, rate: u32) -> Self {
        let (load, source) = Self::start(stage);
        let stop = load.stop.clone();
        tokio::spawn(async move {
            let mut tick = tokio::time::interval(Duration::from_millis(1));
            let (began, mut sent) = (Instant::now(), 0);
            while stop.run_until_cancelled(tick.tick()).await.is_some() {
                let due = (began.elapsed().as_secs_f64() * f64::from(rate)) as u64;
                for _ in sent..due {
                    let source = source.clone();
                    tokio::spawn(async move { source.write().await });
                }
                sent = due;
            }
        });
        load
    }

    /// So many writes at the same time, as fast as they are answered.
    pub fn full(stage: &Stage, in_flight: usize) -> Self {
        let (load, source) = Self::start(stage);
        for _ in 0..in_flight {
            let (source, stop) = (source.clone(), load.stop.clone());
            tokio::spawn(async move {
                while !stop.is_cancelled() {
                    source.write().await;
                }
            });
        }
        load
    }

    /// Stops, and returns every write once all are answered.
    pub async fn finish(mut self) -> Vec<Acknowledged> {
        self.stop.cancel();
        let mut acknowledged = Vec::new();
        while let Some(write) = self.acknowledged.recv().await {
            acknowledged.push(write);
        }
        acknowledged
    }
}
