//! What a partition's entries are judged by beside themselves: where its head was, and which modes its agents got when.

use crate::domain::{AgentId, Lead, OutreachMode, Stage, Timestamp};
use crate::store::{AuditHead, AuditPart};
use uuid::Uuid;

/// A partition, as it stood when the checker began.
#[derive(Debug)]
pub struct Past {
    pub head: AuditHead,
    /// What revivals did here, in the order of their numbers.
    pub parts: Vec<AuditPart>,
}

/// Whether the part gave its partition the mode: none comes to a partition that has a later one.
pub fn took_effect(part: &AuditPart) -> bool {
    !(part.superseded && part.finished_at == Some(part.began_at))
}

impl Past {
    /// Whether the partition's history begins later than its leads' do.
    pub const fn pruned(&self) -> bool {
        self.head.floor.position > 0
    }

    /// The modes that an agent may have had at a moment: several if it was given one at the very moment.
    pub fn modes(&self, agent: &AgentId, at: Timestamp) -> Vec<OutreachMode> {
        let of_agent = || self.parts.iter().filter(|part| part.agent == *agent);
        let before = of_agent().rfind(|part| took_effect(part) && part.began_at < at);
        let mut modes = vec![before.map_or(OutreachMode::Blended, |part| part.mode)];
        modes.extend(of_agent().filter(|part| part.began_at == at).map(|part| part.mode));
        modes
    }

    /// The part of a revival.
    pub fn part(&self, revival_id: Uuid) -> Option<&AuditPart> {
        self.parts.iter().find(|part| part.revival_id == revival_id)
    }

    /// Whether an agent got a mode here at that moment.
    pub fn got_mode_at(&self, at: Timestamp) -> bool {
        self.parts.iter().any(|part| part.began_at == at && took_effect(part))
    }

    /// A revival that should have revived a lead that was so between two moments.
    pub fn left_by(&self, lead: &Lead, since: Timestamp, until: Timestamp) -> Option<&AuditPart> {
        if lead.stage != Stage::Exhausted || lead.dead.is_some() {
            return None;
        }
        self.parts.iter().find(|part| {
            part.agent == lead.agent
                && !part.superseded
                && part.began_at > since
                && part.finished_at.is_some_and(|at| at < until)
                && lead.channels.any_open(part.mode)
        })
    }
}
