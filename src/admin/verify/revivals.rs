//! Revivals and modes: their counts in each partition are those of the log, and every partition ends with the mode that
//! the agent was given last.

use super::database::Revived;
use super::finding::{Kind, Report};
use super::past::{Past, took_effect};
use super::readable;
use crate::domain::AgentId;
use crate::store::{Audit, AuditAgent, AuditMode, AuditPart, AuditRevival, Read};
use std::collections::{BTreeMap, HashMap};

/// The counts of each part are those of the log, and add up.
pub fn check_counts(past: &Past, revived: &Revived, report: &mut Report) {
    for part in &past.parts {
        let place = place(part);
        let entries = revived.get(&part.revival_id).copied().unwrap_or_default();
        let as_logged = if past.pruned() { part.revived >= entries } else { part.revived == entries };
        if !as_logged {
            report.add(Kind::RevivalDiffers, &place, format_args!("{entries} revived"), part.revived);
        }
        let looked_at = part.revived + part.dead + part.no_open_channel;
        let total = part.total.unwrap_or_default();
        if looked_at > total || [part.revived, part.dead, part.no_open_channel].iter().any(|count| *count < 0) {
            report.add(Kind::RevivalDiffers, &place, format_args!("{total} leads at most"), looked_at);
        }
        if part.total.is_none() && part.finished_at.is_some() && !part.superseded {
            report.add(Kind::RevivalDiffers, &place, "its leads counted, as it is finished", "no count");
        }
        check_succession(past, part, report);
    }
}

/// A part ends as superseded by a newer one, and by nothing else; and never goes on beside it.
fn check_succession(past: &Past, part: &AuditPart, report: &mut Report) {
    let newer = past.parts.iter().find(|other| {
        other.agent == part.agent
            && other.number > part.number
            && took_effect(other)
            && part.finished_at.is_none_or(|at| other.began_at <= at)
    });
    match newer {
        None if part.superseded => {
            report.add(Kind::RevivalDiffers, place(part), "a newer one that superseded it", "none");
        }
        Some(newer) if part.finished_at.is_none() => {
            let expected = format!("the end, as {} is newer", newer.revival_id);
            report.add(Kind::RevivalDiffers, place(part), expected, "unfinished");
        }
        _ => (),
    }
}

fn place(part: &AuditPart) -> String {
    format!("revival {} (partition {})", part.revival_id, part.partition)
}

/// What the partitions have of agents and revivals, as values.
pub struct Agents {
    homes: BTreeMap<AgentId, AuditAgent>,
    /// Each agent's, in the order of their numbers.
    revivals: BTreeMap<AgentId, Vec<AuditRevival>>,
    modes: HashMap<(i32, AgentId), AuditMode>,
}

impl Agents {
    pub fn new(
        agents: Vec<Read<AuditAgent>>,
        revivals: Vec<Read<AuditRevival>>,
        modes: Vec<Read<AuditMode>>,
        report: &mut Report,
    ) -> Self {
        let agents = agents.into_iter().filter_map(|row| readable(row, report));
        let homes = agents.map(|row| (row.agent.clone(), row)).collect();
        let mut by_agent: BTreeMap<AgentId, Vec<AuditRevival>> = BTreeMap::new();
        for row in revivals.into_iter().filter_map(|row| readable(row, report)) {
            by_agent.entry(row.agent.clone()).or_default().push(row);
        }
        let modes = modes.into_iter().filter_map(|row| readable(row, report));
        let modes = modes.map(|row| ((row.partition, row.agent.clone()), row)).collect();
        Self { homes, revivals: by_agent, modes }
    }

    pub fn check(&self, audit: &Audit, partitions: &[Past], report: &mut Report) {
        for (agent, revivals) in &self.revivals {
            self.check_home(audit, agent, revivals, report);
            for revival in revivals {
                check_revival(revival, partitions, report);
            }
            if revivals.iter().all(|revival| revival.spread) {
                self.check_spread(agent, partitions, report);
            }
        }
        for agent in self.homes.keys().filter(|agent| !self.revivals.contains_key(*agent)) {
            report.add(Kind::ModeDiffers, format_args!("agent {agent}"), "a revival that gave it its mode", "none");
        }
        for past in partitions {
            self.check_parts(past, report);
        }
        self.check_modes(partitions, report);
    }

    /// The home row numbers the revivals, and has the mode of the last.
    fn check_home(&self, audit: &Audit, agent: &AgentId, revivals: &[AuditRevival], report: &mut Report) {
        let place = format!("agent {agent}");
        let home = audit.partition_of(agent.as_str());
        let elsewhere = revivals.iter().map(|revival| revival.partition);
        let elsewhere = elsewhere.chain(self.homes.get(agent).map(|row| row.partition)).find(|other| *other != home);
        if let Some(elsewhere) = elsewhere {
            report.add(
                Kind::Misplaced,
                &place,
                format_args!("partition {home}"),
                format_args!("partition {elsewhere}"),
            );
        }
        let numbers: Vec<i64> = revivals.iter().map(|revival| revival.number).collect();
        if !numbers.iter().copied().eq(1..=numbers.len() as i64) {
            report.add(Kind::ModeDiffers, &place, "revivals 1, 2, 3, ...", format_args!("{numbers:?}"));
        }
        let Some(last) = revivals.last() else { return };
        let expected = (last.number, last.mode, last.revival_id);
        let found = self.homes.get(agent).map(|row| (row.number, row.mode, row.revival_id));
        if found != Some(expected) {
            report.add(Kind::ModeDiffers, &place, format_args!("{expected:?}"), format_args!("{found:?}"));
        }
    }

    /// Every partition has the mode that the agent was given last.
    fn check_spread(&self, agent: &AgentId, partitions: &[Past], report: &mut Report) {
        let Some(home) = self.homes.get(agent) else { return };
        for past in partitions {
            let partition = past.head.partition;
            let mode = self.modes.get(&(partition, agent.clone()));
            if mode.map(|row| (row.number, row.mode)) != Some((home.number, home.mode)) {
                let expected = format!("number {}, {}", home.number, home.mode);
                report.add(Kind::ModeDiffers, at(agent, partition), expected, shown(mode));
            }
        }
    }

    /// Each part belongs to a revival.
    fn check_parts(&self, past: &Past, report: &mut Report) {
        for part in &past.parts {
            let same = |revival: &&AuditRevival| revival.revival_id == part.revival_id;
            let revival = self.revivals.get(&part.agent).and_then(|revivals| revivals.iter().find(same));
            if revival.map(|revival| (revival.number, revival.mode)) != Some((part.number, part.mode)) {
                let found = format!("number {}, {} of agent {}", part.number, part.mode, part.agent);
                report.add(Kind::RevivalDiffers, place(part), "a revival of this agent, number and mode", found);
            }
        }
    }

    /// A partition has the mode of the newest part that came in time.
    fn check_modes(&self, partitions: &[Past], report: &mut Report) {
        let mut known = 0;
        for past in partitions {
            let partition = past.head.partition;
            let newest = past.parts.iter().filter(|part| took_effect(part)).map(|part| (&part.agent, part));
            for (agent, part) in newest.collect::<BTreeMap<_, _>>() {
                let mode = self.modes.get(&(partition, agent.clone()));
                known += usize::from(mode.is_some());
                if mode.map(|row| (row.number, row.mode)) != Some((part.number, part.mode)) {
                    let expected = format!("number {}, {}", part.number, part.mode);
                    report.add(Kind::ModeDiffers, at(agent, partition), expected, shown(mode));
                }
            }
        }
        if known != self.modes.len() {
            let found = format!("{} modes", self.modes.len());
            report.add(Kind::ModeDiffers, "modes of agents", format_args!("{known}, that revivals brought"), found);
        }
    }
}

fn at(agent: &AgentId, partition: i32) -> String {
    format!("agent {agent} (partition {partition})")
}

fn shown(mode: Option<&AuditMode>) -> String {
    mode.map_or("none".to_owned(), |row| format!("number {}, {}", row.number, row.mode))
}

/// A revival is in every partition once it is said so, and ends with its parts.
fn check_revival(revival: &AuditRevival, partitions: &[Past], report: &mut Report) {
    let place = format!("revival {}", revival.revival_id);
    let parts: Vec<&AuditPart> = partitions.iter().filter_map(|past| past.part(revival.revival_id)).collect();
    if (revival.spread || revival.finished) && parts.len() != partitions.len() {
        report.add(Kind::RevivalDiffers, &place, format_args!("{} parts", partitions.len()), parts.len());
    }
    if revival.finished && parts.iter().any(|part| part.finished_at.is_none()) {
        report.add(Kind::RevivalDiffers, &place, "every part finished, as it is", "an unfinished one");
    }
    let superseded = revival.finished && parts.iter().any(|part| part.superseded);
    if revival.superseded != superseded {
        report.add(Kind::RevivalDiffers, &place, format_args!("superseded: {superseded}"), revival.superseded);
    }
}
