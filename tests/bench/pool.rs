//! The leads that are worked on, and what is known of each: so every answer can be checked.

use crate::support::requests::{override_to, trigger};
use lead_pipeline::proto::trigger::Kind;
use lead_pipeline::proto::{
    ApplyTriggerRequest, ApplyTriggerResponse, LeadReplied, Outcome, OverrideStageRequest, OverrideStageResponse,
    Stage, WentQuiet,
};
use rand::RngExt;
use rand::rngs::StdRng;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use uuid::Uuid;

/// Set in a lead's word while a call on it is under way; the rest is its version.
const BUSY: u32 = 1 << 31;

/// Where the numbers of leads begin, so that all ids have the same length.
pub const FIRST: usize = 10_000_001;

/// The first leads are not drawn: many callers work on them at the same time.
pub const HOT: usize = 100;

pub fn lead_id(number: usize) -> String {
    format!("lead-{}", FIRST + number)
}

/// How the request ids of a run follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ids {
    /// In time's order, as UUID version 7.
    Ordered,
    /// In none, as version 4: each write goes to another page of the index.
    Random,
}

/// All leads. Each is as far as its version: 1 is NEW, then NURTURE and ENGAGED in turn.
pub struct Pool {
    leads: Vec<AtomicU32>,
    next: AtomicU64,
    /// Changes that were acknowledged.
    pub acknowledged: AtomicU64,
}

/// A lead that nobody else works on; given back when dropped.
pub struct Taken<'a> {
    pool: &'a Pool,
    pub number: usize,
    pub version: u32,
}

impl Pool {
    pub fn new(leads: usize) -> Self {
        let leads = (0..leads).map(|_| AtomicU32::new(1)).collect();
        Self { leads, next: AtomicU64::new(1), acknowledged: AtomicU64::new(0) }
    }

    /// Draws a lead, each but the hot ones as likely as any other that is free.
    pub fn take(&self, random: &mut StdRng) -> Taken<'_> {
        loop {
            let number = random.random_range(HOT..self.leads.len());
            let version = self.leads[number].load(Ordering::Acquire);
            let lead = &self.leads[number];
            if version & BUSY == 0
                && lead.compare_exchange(version, version | BUSY, Ordering::AcqRel, Ordering::Relaxed).is_ok()
            {
                return Taken { pool: self, number, version };
            }
        }
    }

    /// A lead that was taken and whose `Taken` was let go of.
    pub fn taken(&self, number: usize) -> Taken<'_> {
        let word = self.leads[number].load(Ordering::Acquire);
        assert_ne!(word & BUSY, 0, "it is taken");
        Taken { pool: self, number, version: word & !BUSY }
    }

    fn request_id(&self, ids: Ids, random: &mut StdRng) -> String {
        let id = match ids {
            Ids::Ordered => {
                let number = self.next.fetch_add(1, Ordering::Relaxed);
                Uuid::from_u64_pair(0x0199_d2a0_5b3e_7000, 0x8000_0000_0000_0000 | number)
            }
            Ids::Random => uuid::Builder::from_random_bytes(random.random()).into_uuid(),
        };
        id.to_string()
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.pool.leads[self.number].store(self.version, Ordering::Release);
    }
}

impl Taken<'_> {
    /// Keeps the lead busy, until it is asked for by its number.
    pub fn keep(self) -> usize {
        let number = self.number;
        std::mem::forget(self);
        number
    }

    const fn target(&self) -> Stage {
        if self.version.is_multiple_of(2) { Stage::Engaged } else { Stage::Nurture }
    }

    /// A trigger that moves it.
    pub fn trigger(&self, ids: Ids, random: &mut StdRng) -> ApplyTriggerRequest {
        let kind = match self.target() {
            Stage::Engaged => Kind::LeadReplied(LeadReplied { channel: 1 }),
            _ => Kind::WentQuiet(WentQuiet {}),
        };
        ApplyTriggerRequest { request_id: self.pool.request_id(ids, random), ..trigger(&lead_id(self.number), kind) }
    }

    pub fn overriding(&self, random: &mut StdRng) -> OverrideStageRequest {
        let request_id = self.pool.request_id(Ids::Ordered, random);
        OverrideStageRequest { request_id, ..override_to(&lead_id(self.number), self.target()) }
    }

    /// The trigger was applied, just so.
    pub fn applied(&mut self, response: &ApplyTriggerResponse) {
        assert_eq!((response.outcome(), response.replayed), (Outcome::Moved, false), "{response:?}");
        self.moved(response.lead.as_ref().map(|lead| (lead.version, lead.stage())), response.changes.len());
    }

    pub fn overridden(&mut self, response: &OverrideStageResponse) {
        assert_eq!((response.outcome(), response.replayed), (Outcome::Moved, false), "{response:?}");
        self.moved(response.lead.as_ref().map(|lead| (lead.version, lead.stage())), response.changes.len());
    }

    /// What would be was told, and nothing was written.
    pub fn validated(&self, response: &ApplyTriggerResponse) {
        assert_eq!((response.outcome(), response.replayed), (Outcome::Moved, false), "{response:?}");
        let lead = response.lead.as_ref().expect("a lead");
        assert_eq!((lead.version as u32, lead.stage()), (self.version, self.target()), "{response:?}");
    }

    fn moved(&mut self, lead: Option<(i32, Stage)>, changes: usize) {
        assert_eq!((lead, changes), (Some((self.version as i32 + 1, self.target())), 1), "lead {}", self.number);
        self.version += 1;
        self.pool.acknowledged.fetch_add(1, Ordering::Relaxed);
    }
}
