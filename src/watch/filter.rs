//! Which entries a watcher sees.

use super::ring::Item;
use crate::domain::{AgentId, LeadId, Stage};
use std::collections::HashSet;

/// Whether a person's override caused an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Manual,
    Automatic,
}

/// What a watcher asked to see. An empty set lets everything through.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub leads: HashSet<LeadId>,
    pub agents: HashSet<AgentId>,
    pub from: Vec<Stage>,
    pub to: Vec<Stage>,
    pub origin: Option<Origin>,
    /// Also entries that changed neither the stage nor the dead mark.
    pub unchanged: bool,
}

impl Filter {
    pub(super) fn passes(&self, item: &Item) -> bool {
        (item.notable || self.unchanged)
            && (self.leads.is_empty() || self.leads.contains(&item.lead_id))
            && (self.agents.is_empty() || self.agents.contains(&item.agent))
            && (self.from.is_empty() || item.from.is_some_and(|from| self.from.contains(&from)))
            && (self.to.is_empty() || self.to.contains(&item.to))
            && self.origin.is_none_or(|origin| (origin == Origin::Manual) == item.manual)
    }
}
