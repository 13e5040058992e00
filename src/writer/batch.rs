//! The commands that a writer has taken from its queue and not yet answered.

use super::command::{Answer, Body, Command, CommandError};
use super::queue::Queued;
use crate::domain::LeadId;
use std::collections::HashMap;
use tokio::time::Instant;

/// Whether a command makes its lead.
pub(super) const fn is_creation(command: &Command) -> bool {
    matches!(command.body, Body::Create(_))
}

/// A command that waits for its answer.
pub(super) struct Pending {
    queued: Option<Queued>,
    /// The writer's own knowledge of the lead wasn't enough: read it from the database.
    pub fresh: bool,
    /// The tags of this command's entries in earlier attempts, to know its own effect when it is found recorded.
    pub attempted: Vec<i64>,
    /// An attempt was sent whose answer never came: from then on nobody may be told "nothing was done".
    uncertain: bool,
}

impl Pending {
    pub(super) fn new(queued: Queued) -> Self {
        Self { queued: Some(queued), fresh: false, attempted: Vec::new(), uncertain: false }
    }

    fn queued(&self) -> &Queued {
        self.queued.as_ref().expect("answered commands leave the batch before anyone looks at them")
    }

    pub(super) fn command(&self) -> &Command {
        &self.queued().command
    }

    /// Whether the command may be with the database.
    pub(super) fn sent(&self) -> bool {
        self.queued().progress.sent()
    }

    /// The command is about to be sent; `false` if nobody waits for it any more.
    pub(super) fn send(&self) -> bool {
        self.queued().progress.send()
    }

    /// This attempt has certainly done nothing; the next one needs a fresh look.
    pub(super) fn unsend(&mut self) {
        self.fresh = true;
        if !self.uncertain {
            self.queued().progress.unsend();
        }
    }

    /// Nobody knows what this attempt has done; the next one needs a fresh look.
    pub(super) fn doubt(&mut self) {
        self.fresh = true;
        self.uncertain = true;
    }

    pub(super) fn answer(&mut self, result: Result<Answer, CommandError>) {
        if let Some(queued) = self.queued.take() {
            // The caller may have gone.
            queued.reply.send(result).ok();
        }
    }

    /// Whether the deadline has passed before anything was sent.
    fn expired(&self, now: Instant) -> bool {
        self.queued.as_ref().is_some_and(|queued| queued.deadline <= now && !queued.progress.sent())
    }

    fn open(&self) -> bool {
        self.queued.as_ref().is_some_and(|queued| !queued.reply.is_closed())
    }
}

/// The unanswered commands, in the order they came.
#[derive(Default)]
pub(super) struct Batch {
    pub pending: Vec<Pending>,
}

impl Batch {
    pub(super) fn new(queued: impl Iterator<Item = Queued>) -> Self {
        Self { pending: queued.map(Pending::new).collect() }
    }

    /// Forgets the commands that are answered or that nobody waits for; `true` if none is left. To be asked before the
    /// others are looked at again.
    pub(super) fn is_settled(&mut self) -> bool {
        let now = Instant::now();
        for pending in self.pending.iter_mut().filter(|pending| pending.expired(now)) {
            pending.answer(Err(CommandError::Unavailable));
        }
        self.pending.retain(Pending::open);
        self.pending.is_empty()
    }

    /// The places of the commands of each lead, leads and commands in order.
    pub(super) fn by_lead(&self) -> Vec<(LeadId, Vec<usize>)> {
        let mut groups: Vec<(LeadId, Vec<usize>)> = Vec::new();
        let mut index: HashMap<&LeadId, usize> = HashMap::with_capacity(self.pending.len());
        for (place, pending) in self.pending.iter().enumerate() {
            let lead_id = &pending.command().lead_id;
            let group = *index.entry(lead_id).or_insert_with(|| {
                groups.push((lead_id.clone(), Vec::new()));
                groups.len() - 1
            });
            groups[group].1.push(place);
        }
        groups
    }

    /// Answers every command that was never sent.
    pub(super) fn refuse_unsent(&mut self, error: &CommandError) {
        for pending in &mut self.pending {
            if !pending.sent() {
                pending.answer(Err(error.clone()));
            }
        }
    }
}
