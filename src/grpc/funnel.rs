//! The call that counts: the funnel.

use super::check::Check;
use super::service::Calls;
use super::{render, status};
use crate::domain::Stage;
use crate::proto;
use crate::store::{Funnel, FunnelRange, Moves, RangeEnd};
use crate::watch::cursor_at;
use tonic::Status;

pub async fn get_funnel(calls: &Calls, request: &proto::GetFunnelRequest) -> Result<proto::GetFunnelResponse, Status> {
    let mut check = Check::default();
    let agent = check.agent_filter("agent_id", &request.agent_id);
    let start = check.optional_time("start_at", request.start_at);
    let end = check.optional_time("end_at", request.end_at);
    if let (Some(Some(start)), Some(Some(end))) = (start, end)
        && start >= end
    {
        check.wrong("end_at", "must be after start_at");
    }
    let all = || Some((agent?, FunnelRange { start: start?, end: end? }));
    let (agent, range) = check.done(all()).map_err(|wrong| status::invalid(wrong, None))?;
    let most = Some(calls.settings.funnel_entries).filter(|_| !request.counts_only);
    let funnel = calls.store.funnel(agent.as_ref(), range, most).await.map_err(|error| status::store(&error))?;
    if let Some(end) = funnel.pruned {
        let mut check = Check::default();
        check.wrong(
            if end == RangeEnd::Start { "start_at" } else { "end_at" },
            "is in history that was pruned: leave it out, for all of it, or choose a time after the prune's",
        );
        return Err(check.done::<()>(None).map_or_else(|wrong| status::invalid(wrong, None), |()| status::defect()));
    }
    let whole = range.start.is_none() && range.end.is_none();
    Ok(proto::GetFunnelResponse {
        stages: Stage::ALL.iter().map(|stage| of_stage(*stage, &funnel, whole)).collect(),
        cursor: cursor_at(&funnel.marks),
        at: Some(render::timestamp(funnel.now)),
        counts_only: funnel.visits.is_none(),
    })
}

fn of_stage(stage: Stage, funnel: &Funnel, whole: bool) -> proto::StageFunnel {
    let entries = into(&funnel.in_range, stage);
    let times = funnel.visits.as_ref().and_then(|visits| visits.times.get(&stage));
    let duration = |micros: f64| {
        let nanos = (micros * 1e3).round() as i64;
        prost_types::Duration { seconds: nanos / 1_000_000_000, nanos: (nanos % 1_000_000_000) as i32 }
    };
    let went_on: Vec<(Stage, i64)> = match &funnel.visits {
        // Of all visits the sums know it too.
        _ if whole => out_of(&funnel.all, stage).filter(|(_, leads)| *leads > 0).collect(),
        Some(visits) => visits
            .went_on
            .iter()
            .filter(|((from, _), _)| *from == stage)
            .map(|((_, to), leads)| (*to, *leads))
            .collect(),
        None => Vec::new(),
    };
    proto::StageFunnel {
        stage: stage.code().into(),
        leads: into(&funnel.all, stage) - out_of(&funnel.all, stage).map(|(_, count)| count).sum::<i64>(),
        entries,
        next_stages: went_on
            .into_iter()
            .map(|(to, leads)| proto::NextStage {
                stage: to.code().into(),
                leads,
                share: leads as f64 / entries.max(1) as f64,
            })
            .collect(),
        visits: times.map_or(0, |times| times.0),
        median_time_in_stage: times.map(|times| duration(times.1)),
        p90_time_in_stage: times.map(|times| duration(times.2)),
    }
}

fn into(moves: &Moves, stage: Stage) -> i64 {
    moves.iter().filter(|((_, to), _)| *to == stage).map(|(_, count)| count).sum()
}

fn out_of(moves: &Moves, stage: Stage) -> impl Iterator<Item = (Stage, i64)> + '_ {
    moves.iter().filter(move |((from, _), _)| *from == Some(stage)).map(|((_, to), count)| (*to, *count))
}
