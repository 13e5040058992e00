//! Which entries a watcher sees.

use super::ring::Item;
use crate::domain::{AgentId, LeadId, Stage};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// Whether a person's override caused an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Manual,
    Automatic,
}

/// What a watcher asked to see. An empty set lets everything through.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub leads: BTreeSet<LeadId>,
    pub agents: BTreeSet<AgentId>,
    pub from: BTreeSet<Stage>,
    pub to: BTreeSet<Stage>,
    pub origin: Option<Origin>,
    /// Also entries that changed neither the stage nor the dead mark.
    pub unchanged: bool,
}

/// Tells one filter from another, on every replica alike.
pub(super) type FilterDigest = [u8; 8];

/// What the stages of a filter mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stages {
    /// From one of these to one of those.
    Moves,
    /// A stream with a snapshot: who is in one of them, comes to one or leaves one.
    Members,
}

impl Filter {
    pub(super) fn passes(&self, item: &Item, stages: Stages) -> bool {
        (item.notable || self.unchanged)
            && (self.leads.is_empty() || self.leads.contains(&item.lead_id))
            && (self.agents.is_empty() || self.agents.contains(&item.agent))
            && self.passes_stages(item, stages)
            && self.origin.is_none_or(|origin| (origin == Origin::Manual) == item.manual)
    }

    fn passes_stages(&self, item: &Item, stages: Stages) -> bool {
        let any = |stages: &BTreeSet<Stage>, stage: Option<Stage>| stage.is_some_and(|stage| stages.contains(&stage));
        match stages {
            Stages::Moves => {
                (self.from.is_empty() || any(&self.from, item.from))
                    && (self.to.is_empty() || self.to.contains(&item.to))
            }
            Stages::Members => {
                let member = |stage| any(&self.from, stage) || any(&self.to, stage);
                (self.from.is_empty() && self.to.is_empty()) || member(item.from) || member(Some(item.to))
            }
        }
    }

    /// The stages whose members a snapshot sends; empty: all.
    pub(super) fn member_stages(&self) -> Vec<Stage> {
        self.from.union(&self.to).copied().collect()
    }

    /// Of the filter itself: entries without a change may be asked for or not at any time.
    pub(super) fn digest(&self) -> FilterDigest {
        let mut digest = Sha256::new();
        // Each part ends with a byte that no name has, each list with another.
        let mut list = |names: &mut dyn Iterator<Item = String>| {
            names.for_each(|name| digest.update(name + "\0"));
            digest.update([1]);
        };
        list(&mut self.leads.iter().map(ToString::to_string));
        list(&mut self.agents.iter().map(ToString::to_string));
        list(&mut self.from.iter().map(ToString::to_string));
        list(&mut self.to.iter().map(ToString::to_string));
        list(&mut self.origin.iter().map(|origin| format!("{origin:?}")));
        let digest = digest.finalize();
        std::array::from_fn(|place| digest[place])
    }
}
