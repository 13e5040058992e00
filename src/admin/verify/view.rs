//! What a watch is to send: the contract's filter, written beside the service's own, not with it.

use crate::proto::{ChangeOrigin, WatchFilter, WatchStageChangesRequest};
use crate::store::{Cause, Entry};
use std::collections::BTreeSet;

/// Whether an entry is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    Must,
    /// It can't be told from the history.
    May,
    Never,
}

impl Sent {
    const fn when(passes: bool) -> Self {
        if passes { Self::Must } else { Self::Never }
    }
}

/// What the stage filters of a stream mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stages {
    /// Changes from one of these, and to one of those.
    Moves,
    /// Leads in one of them, so changes from or to one: the stream began with a snapshot.
    Membership,
    /// The stream began with a cursor that another stream was given.
    Unknown,
}

/// What a stream has asked to see.
#[derive(Clone, Debug)]
pub struct View {
    leads: BTreeSet<String>,
    agents: BTreeSet<String>,
    from: BTreeSet<i32>,
    to: BTreeSet<i32>,
    origin: ChangeOrigin,
    pub unchanged: bool,
    pub stages: Stages,
}

impl View {
    pub fn new(request: &WatchStageChangesRequest, stages: Stages) -> Self {
        let filter: WatchFilter = request.filter.clone().unwrap_or_default();
        Self {
            origin: filter.origin(),
            leads: filter.lead_ids.into_iter().collect(),
            agents: filter.agent_ids.into_iter().collect(),
            from: filter.from_stages.into_iter().collect(),
            to: filter.to_stages.into_iter().collect(),
            unchanged: request.include_unchanged,
            stages,
        }
    }

    /// Whether an entry is to be sent.
    pub fn sends(&self, entry: &Entry) -> Sent {
        // A creation has no stage before, so it is a change too.
        let notable = entry.from != Some(entry.to) || entry.dead_raised;
        if !(notable || self.unchanged) || !self.concerns(entry.lead_id.as_str(), entry.agent.as_str()) {
            return Sent::Never;
        }
        let manual = matches!(entry.cause, Cause::Override { .. });
        let of_origin = match self.origin {
            ChangeOrigin::Unspecified => true,
            ChangeOrigin::Manual => manual,
            ChangeOrigin::Automatic => !manual,
        };
        if !of_origin {
            return Sent::Never;
        }
        let from = entry.from.map(|stage| i32::from(stage.code()));
        self.moves(from, entry.to.code().into())
    }

    fn moves(&self, from: Option<i32>, to: i32) -> Sent {
        let left = self.from.is_empty() || from.is_some_and(|from| self.from.contains(&from));
        let moved = left && (self.to.is_empty() || self.to.contains(&to));
        let touched = self.holds(to) || from.is_some_and(|from| self.holds(from));
        match self.stages {
            Stages::Moves => Sent::when(moved),
            Stages::Membership => Sent::when(touched),
            Stages::Unknown if moved == touched => Sent::when(moved),
            Stages::Unknown => Sent::May,
        }
    }

    /// Whether the lead and its agent are among those asked for.
    pub fn concerns(&self, lead_id: &str, agent_id: &str) -> bool {
        (self.leads.is_empty() || self.leads.contains(lead_id))
            && (self.agents.is_empty() || self.agents.contains(agent_id))
    }

    /// Whether a snapshot has the leads in this stage.
    pub fn holds(&self, stage: i32) -> bool {
        (self.from.is_empty() && self.to.is_empty()) || self.from.contains(&stage) || self.to.contains(&stage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::Stage;

    fn view(from: &[Stage], to: &[Stage], stages: Stages) -> View {
        let codes = |stages: &[Stage]| stages.iter().map(|stage| (*stage).into()).collect();
        let filter = WatchFilter { from_stages: codes(from), to_stages: codes(to), ..Default::default() };
        View::new(&WatchStageChangesRequest { filter: Some(filter), ..Default::default() }, stages)
    }

    #[test]
    fn stage_filters_mean_moves_or_membership() {
        let (new, won) = (Stage::New.into(), Stage::Won.into());
        let creation_to_new = (None, new);
        let new_to_won = (Some(new), won);
        for (from, to, stages, change, expected) in [
            (&[][..], &[][..], Stages::Moves, creation_to_new, Sent::Must),
            (&[Stage::New], &[], Stages::Moves, creation_to_new, Sent::Never),
            (&[Stage::New], &[], Stages::Membership, creation_to_new, Sent::Must),
            (&[Stage::New], &[], Stages::Unknown, creation_to_new, Sent::May),
            (&[Stage::New], &[], Stages::Unknown, new_to_won, Sent::Must),
            (&[Stage::New], &[Stage::Lost], Stages::Moves, new_to_won, Sent::Never),
            (&[Stage::New], &[Stage::Lost], Stages::Membership, new_to_won, Sent::Must),
            (&[Stage::Lost], &[], Stages::Unknown, new_to_won, Sent::Never),
        ] {
            assert_eq!(
                view(from, to, stages).moves(change.0, change.1),
                expected,
                "{from:?} {to:?} {stages:?} {change:?}"
            );
        }
    }
}
