//! Chunks of a revival: decided and written by the partition's writer, between two of its batches.

use super::WriterSettings;
use super::fold::{entry, stamped};
use crate::domain::{Agenda, Decision, Lead, Reason, Span, Timestamp, Unrevived, revive};
use crate::store::{
    Advance, Advanced, Base, Cause, Entered, Entry, Head, LeadWrite, NewEntry, Part, StoredLead, WriteConnection,
    revival_request,
};
use std::sync::Arc;
use tokio::sync::oneshot;

/// Leads that a part of a revival has come to.
#[derive(Debug)]
pub struct Chunk {
    pub part: Part,
    /// As they were read, in the order of their ids; none only if it is the last chunk.
    pub leads: Vec<StoredLead>,
    /// No lead comes behind them.
    pub last: bool,
    /// How much longer the part is to be held.
    pub lease: Span,
}

/// What became of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkOutcome {
    /// The part has moved on behind it. `beside`: commands that the writer has taken since the chunk before.
    Done { beside: usize },
    /// Some lead had changed since it was read; the others may be revived. To be read again from where the part stands.
    Again,
    /// The part isn't held any more.
    Lost,
    /// The database didn't do it, or nobody knows; or the server stops. The part's row tells.
    Failed,
}

/// A chunk on its way to the writer.
pub(super) struct QueuedChunk {
    pub chunk: Chunk,
    pub reply: oneshot::Sender<ChunkOutcome>,
}

/// A chunk, decided.
pub(super) struct DecidedChunk {
    chunk: Chunk,
    writes: Vec<LeadWrite>,
    dead: i64,
    no_open_channel: i64,
}

/// A chunk that is on disk.
pub(super) struct WrittenChunk {
    pub after: Head,
    pub committed: Vec<Arc<Entry>>,
    pub leads: Vec<StoredLead>,
    pub whole: bool,
}

impl DecidedChunk {
    pub(super) fn new(
        chunk: Chunk,
        settings: &WriterSettings,
        now: Timestamp,
        mut next_tag: impl FnMut() -> i64,
    ) -> Self {
        let context = settings.context(chunk.part.mode, now);
        let mut decided = Self { writes: Vec::with_capacity(chunk.leads.len()), dead: 0, no_open_channel: 0, chunk };
        for stored in &decided.chunk.leads {
            match revive(&stored.lead, context) {
                Ok(decision) => decided.writes.push(write(&decided.chunk.part, stored, decision, &mut next_tag)),
                Err(Unrevived::Dead) => decided.dead += 1,
                Err(Unrevived::NoOpenChannel) => decided.no_open_channel += 1,
            }
        }
        decided
    }

    /// Sends it; `None`: the part isn't held any more.
    pub(super) async fn send(&self, connection: &mut WriteConnection) -> Result<Advanced, crate::store::StoreError> {
        let chunk = &self.chunk;
        let last_lead = chunk.leads.last().map_or(chunk.part.last_lead.as_str(), |stored| stored.lead.id.as_str());
        let advance = Advance {
            part: &chunk.part,
            last_lead,
            dead: self.dead,
            no_open_channel: self.no_open_channel,
            last: chunk.last,
            lease: chunk.lease,
        };
        connection.revive(advance, &self.writes.iter().collect::<Vec<_>>()).await
    }

    /// What was written of it: the leads at `places`.
    pub(super) fn commit(self, after: Head, at: Timestamp, places: &[usize], whole: bool) -> WrittenChunk {
        let mut places = places.to_vec();
        places.sort_unstable();
        let mut written = WrittenChunk { after, committed: Vec::new(), leads: Vec::new(), whole };
        let mut head = after;
        for (place, write) in self.writes.into_iter().enumerate() {
            if places.binary_search(&place).is_err() {
                continue;
            }
            let tag = write.tag();
            for new in write.entries {
                head.position += 1;
                head.tag = new.tag;
                written.committed.push(Arc::new(entry(new, &write.lead, head, at)));
            }
            let lead = stamped(write.lead, write.stamps, false, at);
            written.leads.push(StoredLead { lead: Lead { next_follow_up_at: Some(at), ..lead }, tag });
        }
        written
    }
}

fn write(part: &Part, stored: &StoredLead, decision: Decision, next_tag: &mut impl FnMut() -> i64) -> LeadWrite {
    let before = &stored.lead;
    let entries = decision.steps.iter().zip(0i16..).map(|(step, number)| NewEntry {
        version: before.version + 1 + i32::from(number),
        step: number,
        from: step.from,
        to: step.to,
        dead: step.dead,
        dead_raised: step.dead_raised,
        cause: Cause::Revival { revival_id: part.revival_id, mode: part.mode },
        actor: part.actor.clone(),
        reason: Reason::default(),
        request_id: revival_request(part.revival_id, &before.id),
        digest: part.digest,
        occurred_at: None,
        tag: next_tag(),
        entered: Some(Entered::At(before.stage_entered_at)),
    });
    LeadWrite {
        base: Some(Base { version: before.version, tag: stored.tag }),
        entries: entries.collect(),
        stamps: decision.stamps,
        agenda: Agenda::UNCHANGED.then(&decision),
        lead: decision.lead,
    }
}
