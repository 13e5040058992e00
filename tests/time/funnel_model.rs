//! The funnel as a client counts it: a fold of the changes that a watch sent.

use super::time_of;
use lead_pipeline::proto::{GetFunnelResponse, NextStage, Stage, StageChange, StageFunnel};
use prost_types::Duration;
use std::collections::BTreeMap;

/// A visit of a stage.
struct Visit {
    stage: Stage,
    began: i64,
    /// To where it ended, and when.
    ended: Option<(Stage, i64)>,
}

/// All that a funnel tells of its stages.
pub fn fold(changes: &[StageChange], agent_id: &str, start: i64, end: i64) -> Vec<StageFunnel> {
    let visits = visits(changes, agent_id);
    let within = |time: i64| (start..end).contains(&time);
    (1..=13)
        .map(|code| {
            let stage = Stage::try_from(code).expect("a stage");
            let here: Vec<&Visit> = visits.iter().filter(|visit| visit.stage == stage).collect();
            let began: Vec<&&Visit> = here.iter().filter(|visit| within(visit.began)).collect();
            let mut next: BTreeMap<i32, i64> = BTreeMap::new();
            for (to, _) in began.iter().filter_map(|visit| visit.ended) {
                *next.entry(to.into()).or_default() += 1;
            }
            let took = |visit: &&Visit| visit.ended.filter(|(_, at)| within(*at)).map(|(_, at)| at - visit.began);
            let mut times: Vec<i64> = here.iter().filter_map(took).collect();
            times.sort_unstable();
            let share = |leads: i64| leads as f64 / began.len() as f64;
            StageFunnel {
                stage: code,
                leads: here.iter().filter(|visit| visit.ended.is_none()).count() as i64,
                entries: began.len() as i64,
                next_stages: next.iter().map(|(to, n)| NextStage { stage: *to, leads: *n, share: share(*n) }).collect(),
                visits: times.len() as i64,
                median_time_in_stage: percentile(&times, 0.5),
                p90_time_in_stage: percentile(&times, 0.9),
            }
        })
        .collect()
}

/// Without what a look at each visit tells.
pub fn counts(stages: Vec<StageFunnel>, next: bool) -> Vec<StageFunnel> {
    let counted = |stage: StageFunnel| StageFunnel {
        visits: 0,
        median_time_in_stage: None,
        p90_time_in_stage: None,
        next_stages: if next { stage.next_stages } else { vec![] },
        ..stage
    };
    stages.into_iter().map(counted).collect()
}

fn visits(changes: &[StageChange], agent_id: &str) -> Vec<Visit> {
    let mut in_order: Vec<&StageChange> = changes
        .iter()
        .filter(|change| agent_id.is_empty() || change.agent_id == agent_id)
        .filter(|change| change.from_stage != change.to_stage)
        .collect();
    in_order.sort_by_key(|change| (change.partition, change.position));
    let mut visits: Vec<Visit> = Vec::new();
    let mut last: BTreeMap<&str, usize> = BTreeMap::new();
    for change in in_order {
        let at = time_of(change.recorded_at);
        if let Some(before) = last.insert(&change.lead_id, visits.len()) {
            assert_eq!(visits[before].stage, change.from_stage(), "{change:?}");
            visits[before].ended = Some((change.to_stage(), at));
        }
        visits.push(Visit { stage: change.to_stage(), began: at, ended: None });
    }
    visits
}

/// Between the two that are next to it, if it falls between them.
fn percentile(sorted: &[i64], share: f64) -> Option<Duration> {
    let place = share * (sorted.len().checked_sub(1)? as f64);
    let (low, high) = (sorted[place.floor() as usize] as f64, sorted[place.ceil() as usize] as f64);
    let nanos = ((low + (place - place.floor()) * (high - low)) * 1e3).round() as i64;
    Some(Duration { seconds: nanos / 1_000_000_000, nanos: (nanos % 1_000_000_000) as i32 })
}

/// Compares stage by stage, so that a difference can be read.
#[track_caller]
pub fn assert_told(told: &GetFunnelResponse, expected: &[StageFunnel], what: &str) {
    assert_eq!(told.stages.len(), expected.len());
    for (told, expected) in told.stages.iter().zip(expected) {
        assert_eq!(told, expected, "{what}");
    }
}
