//! The load generator: so many calls at the same time, over several connections, every answer checked.

use super::board::Measured;
use super::empty;
use super::pool::{HOT, Ids, Pool, Taken, lead_id};
use crate::support::requests::{booked, meeting, message_sent, trigger};
use crate::support::server::{Client, endpoint};
use futures::future::{join_all, try_join_all};
use futures::stream::StreamExt;
use lead_pipeline::proto::apply_triggers_response::Result as Applied;
use lead_pipeline::proto::{ApplyTriggerRequest, ApplyTriggersRequest, GetLeadRequest};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::Code;
use tonic::client::Grpc;
use tonic::transport::Channel;

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// ApplyTrigger that moves the lead.
    Trigger(Ids),
    /// OverrideStage that moves the lead.
    Override,
    /// ApplyTrigger that the lead doesn't accept.
    Refused,
    /// ApplyTrigger that was applied before.
    Replayed,
    /// ApplyTrigger with `validate_only`.
    Validated,
    GetLead,
    /// ApplyTrigger that is recorded and moves nothing, of whatever lead, whoever else is working on it.
    Hot,
    /// The empty call of the other server: see `empty`.
    Empty,
}

/// Whom the calls go to, and with which leads.
#[derive(Clone)]
pub struct Target {
    pub address: SocketAddr,
    pub pool: Arc<Pool>,
    /// Triggers that were applied, to send again.
    pub sent: Arc<Mutex<Vec<ApplyTriggerRequest>>>,
}

/// Connections of one run.
const CONNECTIONS: usize = 4;

/// Triggers that are kept to be sent again.
const KEPT: usize = 10_000;

impl Target {
    pub fn new(address: SocketAddr, pool: Arc<Pool>) -> Self {
        Self { address, pool, sent: Arc::default() }
    }

    async fn connect(&self, in_flight: usize) -> Vec<Channel> {
        let endpoint = endpoint(self.address);
        let connections = (0..in_flight.min(CONNECTIONS)).map(|_| endpoint.connect());
        try_join_all(connections).await.expect("connections")
    }

    /// So many calls at the same time, for so long.
    pub async fn run(&self, op: Op, in_flight: usize, time: Duration) -> Measured {
        let channels = self.connect(in_flight).await;
        let began = Instant::now();
        let workers = (0..in_flight).map(|worker| {
            let (target, channel) = (self.clone(), channels[worker % channels.len()].clone());
            tokio::spawn(target.work(op, channel, fresh_random(), began + time))
        });
        let workers: Vec<_> = workers.collect();
        let took: Vec<Vec<Duration>> =
            join_all(workers).await.into_iter().map(|took| took.expect("no panic")).collect();
        Measured::of(took.concat(), began.elapsed())
    }

    async fn work(self, op: Op, channel: Channel, mut random: StdRng, until: Instant) -> Vec<Duration> {
        let (mut client, mut empty) = (Client::new(channel.clone()), Grpc::new(channel));
        let mut took = Vec::new();
        while Instant::now() < until {
            took.push(match op {
                Op::Empty => empty::call(&mut empty).await,
                _ => self.call(op, &mut client, &mut random).await,
            });
        }
        took
    }

    /// One call; how long it took, without what the generator does before and after it.
    async fn call(&self, op: Op, client: &mut Client, random: &mut StdRng) -> Duration {
        let mut lead = self.pool.take(random);
        match op {
            Op::Trigger(ids) => {
                let request = lead.trigger(ids, random);
                let (response, took) = timed(client.apply_trigger(request.clone())).await;
                lead.applied(response.expect("accepted").get_ref());
                self.keep(request);
                took
            }
            Op::Override => {
                let request = lead.overriding(random);
                let (response, took) = timed(client.override_stage(request)).await;
                lead.overridden(response.expect("accepted").get_ref());
                took
            }
            Op::Refused => {
                let request = trigger(&lead_id(lead.number), booked(meeting("m-1")));
                let (response, took) = timed(client.apply_trigger(request)).await;
                assert_eq!(response.expect_err("not in this stage").code(), Code::FailedPrecondition);
                took
            }
            Op::Replayed => {
                drop(lead);
                let request = {
                    let sent = self.sent.lock().expect("no panic");
                    sent[random.random_range(0..sent.len())].clone()
                };
                let (response, took) = timed(client.apply_trigger(request.clone())).await;
                let response = response.expect("a replay").into_inner();
                assert!(response.replayed && response.request_id == request.request_id, "{response:?}");
                took
            }
            Op::Validated => {
                let request = ApplyTriggerRequest { validate_only: true, ..lead.trigger(Ids::Ordered, random) };
                let (response, took) = timed(client.apply_trigger(request)).await;
                lead.validated(response.expect("it would be").get_ref());
                took
            }
            Op::GetLead => {
                let request = GetLeadRequest { lead_id: lead_id(lead.number) };
                let (response, took) = timed(client.get_lead(request)).await;
                let found = response.expect("it is there").into_inner().lead.expect("a lead");
                assert_eq!((found.lead_id, found.version as u32), (lead_id(lead.number), lead.version));
                took
            }
            Op::Hot => {
                drop(lead);
                let hot = lead_id(random.random_range(0..HOT));
                let (response, took) = timed(client.apply_trigger(trigger(&hot, message_sent()))).await;
                let response = response.expect("accepted").into_inner();
                assert_eq!(response.changes.len(), 1, "{response:?}");
                assert_eq!(response.changes[0].lead_id, hot);
                self.pool.acknowledged.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                took
            }
            Op::Empty => unreachable!("none of this service's"),
        }
    }

    fn keep(&self, request: ApplyTriggerRequest) {
        let mut sent = self.sent.lock().expect("no panic");
        if sent.len() < KEPT {
            sent.push(request);
        }
    }

    /// Triggers on so many streams, each with so many under way, for so long.
    pub async fn stream(&self, streams: usize, in_flight: usize, time: Duration) -> Measured {
        let channels = self.connect(streams).await;
        let began = Instant::now();
        let workers = channels.into_iter().map(|channel| {
            tokio::spawn(self.clone().work_stream(Client::new(channel), fresh_random(), in_flight, began + time))
        });
        let workers: Vec<_> = workers.collect();
        let took: Vec<Vec<Duration>> =
            join_all(workers).await.into_iter().map(|took| took.expect("no panic")).collect();
        Measured::of(took.concat(), began.elapsed())
    }

    async fn work_stream(
        self,
        mut client: Client,
        mut random: StdRng,
        in_flight: usize,
        until: Instant,
    ) -> Vec<Duration> {
        let (send, requests) = tokio::sync::mpsc::unbounded_channel();
        let mut answers =
            client.apply_triggers(UnboundedReceiverStream::new(requests)).await.expect("a stream").into_inner();
        let room = Arc::new(Semaphore::new(in_flight));
        // A lead is under way once at most, so its number does as the trigger's.
        let began: Arc<Mutex<std::collections::HashMap<i64, Instant>>> = Arc::default();
        let (pool, taken, times) = (Arc::clone(&self.pool), Arc::clone(&room), Arc::clone(&began));
        let sending = tokio::spawn(async move {
            while Instant::now() < until {
                taken.acquire().await.expect("never closed").forget();
                let lead = pool.take(&mut random);
                let command = lead.trigger(Ids::Ordered, &mut random);
                let sequence = lead.keep() as i64;
                times.lock().expect("no panic").insert(sequence, Instant::now());
                send.send(ApplyTriggersRequest { sequence, command: Some(command) }).expect("it is open");
            }
        });
        let mut took = Vec::new();
        while let Some(answer) = answers.next().await {
            let answer = answer.expect("the stream goes on");
            let began = began.lock().expect("no panic").remove(&answer.sequence).expect("it was sent");
            took.push(began.elapsed());
            let mut lead: Taken<'_> = self.pool.taken(answer.sequence as usize);
            match answer.result.expect("a result") {
                Applied::Response(response) => lead.applied(&response),
                Applied::Error(error) => panic!("a trigger failed: {error:?}"),
            }
            room.add_permits(1);
        }
        sending.await.expect("no panic");
        took
    }
}

/// Another one for each worker of each run: the same draws twice would be remembered.
fn fresh_random() -> StdRng {
    StdRng::from_rng(&mut rand::rng())
}

/// A call and how long it took.
pub async fn timed<T>(call: impl Future<Output = T>) -> (T, Duration) {
    let began = Instant::now();
    let answer = call.await;
    (answer, began.elapsed())
}
