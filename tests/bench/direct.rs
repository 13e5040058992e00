//! L: our own write statement, fed straight into Postgres from one connection a partition, with batches that were made
//! before: no gRPC, no queue, no decisions. What the service can't be faster than.

use super::board::Measured;
use super::pool::lead_id;
use futures::future::join_all;
use lead_pipeline::domain::{
    Action, Actor, ActorId, ActorKind, Agenda, AgentId, Channel, ContactPoint, Context, Creation, Lead, LeadId,
    OutreachMode, Reason, RequestId, Span, Timestamp, Trigger, create, decide,
};
use lead_pipeline::store::{
    Base, Cause, ConnectSettings, Entered, Later, LeadWrite, NewEntry, WriteConnection, Written, connect, partition_of,
};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// The leads of one partition, as its batches leave them.
struct Partition {
    connection: WriteConnection,
    leads: Vec<(Lead, i64)>,
    at: usize,
}

pub struct Direct {
    partitions: Vec<Partition>,
    next: u64,
    /// Changes that were acknowledged.
    pub acknowledged: usize,
}

impl Direct {
    /// On a database that nobody else writes.
    pub async fn new(url: &str, leads: usize) -> Self {
        let settings = ConnectSettings {
            url: url.to_owned(),
            read_connections: 2,
            read_patience: Duration::from_mins(1),
            connect_timeout: Duration::from_secs(10),
            partitions: 4,
            allow_unsafe: false,
        };
        let store = connect(&settings).await.expect("the database is fit to serve");
        let mut partitions = Vec::new();
        for partition in 0..store.partitions() {
            let connection = store.write_connection(partition).await.expect("a connection");
            partitions.push(Partition { connection, leads: Vec::new(), at: 0 });
        }
        for number in 0..leads {
            let id = LeadId::parse(&lead_id(number)).expect("an id");
            let partition = &mut partitions[partition_of(id.as_str(), store.partitions()) as usize];
            let agent = AgentId::parse(&format!("agent-{:02}", number % 50)).expect("an id");
            let creation = Creation { lead_id: id, agent, contact_points: ContactPoint::ALL.to_vec() };
            // As `fill` numbers them.
            let tag = partition.leads.len() as i64 + 1;
            partition.leads.push((create(&creation, Timestamp(0)).lead, tag));
        }
        Self { partitions, next: 1, acknowledged: 0 }
    }

    /// Sends so many batches of so many changes in each partition, and counts from the first to the last answer.
    pub async fn run(&mut self, batches: usize, size: usize) -> Measured {
        let next = &mut self.next;
        let runs: Vec<_> = self
            .partitions
            .iter_mut()
            .map(|partition| {
                let made: Vec<Vec<LeadWrite>> = (0..batches).map(|_| partition.batch(size, next)).collect();
                (partition, made)
            })
            .collect();
        let began = Instant::now();
        let took = join_all(runs.into_iter().map(async |(partition, made)| {
            let mut took = Vec::new();
            for batch in made {
                let sent = Instant::now();
                let writes: Vec<&LeadWrite> = batch.iter().collect();
                match partition.connection.write(0, LATER, &writes).await {
                    Ok(Written::Done { leads, .. }) => assert_eq!(leads.len(), size, "every lead is written"),
                    other => panic!("a batch failed: {other:?}"),
                }
                took.extend(std::iter::repeat_n(sent.elapsed(), size));
            }
            took
        }))
        .await
        .concat();
        self.acknowledged += took.len();
        Measured::of(took, began.elapsed())
    }
}

impl Partition {
    /// The next leads, each once, moved to and fro.
    fn batch(&mut self, size: usize, next: &mut u64) -> Vec<LeadWrite> {
        assert!(size <= self.leads.len(), "each lead once");
        (0..size)
            .map(|_| {
                // Far from each other, as if drawn: the stride has no part in common with any number of leads here.
                self.at = (self.at + 7919) % self.leads.len();
                *next += 1;
                moved(&mut self.leads[self.at], *next)
            })
            .collect()
    }
}

/// What a decision leaves for later, as the server has it by default.
const LATER: Later = Later { quiet_after: None, check_in_interval: Span(14 * 86_400_000_000) };

fn moved((lead, tag): &mut (Lead, i64), number: u64) -> LeadWrite {
    let trigger = match lead.version % 2 {
        0 => Trigger::LeadReplied { channel: Some(Channel::Email) },
        _ => Trigger::WentQuiet,
    };
    let context = Context {
        mode: OutreachMode::Blended,
        now: Timestamp(0),
        failures_until_bad: 3,
        check_in_interval: LATER.check_in_interval,
    };
    let decision = decide(lead, context, &Action::Trigger(trigger.clone())).expect("accepted");
    let base = Some(Base { version: lead.version, tag: *tag });
    *tag = 1_000_000_000 + number as i64;
    let step = &decision.steps[0];
    let entry = NewEntry {
        version: decision.lead.version,
        step: 0,
        from: step.from,
        to: step.to,
        dead: step.dead,
        dead_raised: step.dead_raised,
        cause: Cause::Trigger(trigger),
        actor: Actor { kind: ActorKind::Service, id: ActorId::parse("unknown").expect("an id") },
        reason: Reason::parse("").expect("no reason"),
        request_id: RequestId(Uuid::from_u64_pair(0x0199_d2a0_5b3e_7000, 0x9000_0000_0000_0000 | number)),
        digest: number.to_be_bytes().repeat(2).try_into().expect("16 bytes"),
        occurred_at: None,
        tag: *tag,
        entered: Some(Entered::At(lead.stage_entered_at)),
    };
    lead.clone_from(&decision.lead);
    let agenda = Agenda::UNCHANGED.then(&decision);
    LeadWrite { base, lead: decision.lead, stamps: decision.stamps, agenda, entries: vec![entry] }
}
