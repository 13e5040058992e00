//! `lead-pipeline funnel`: how many leads are in each stage, where they went on to, and how long that took.

use super::connect::{client, known, timed};
use super::say::{name, refused, say, span, time};
use super::table::{Form, Side, table};
use super::values::{address, duration, past};
use crate::contract::{Names, json, message};
use crate::proto::{GetFunnelRequest, GetFunnelResponse, NextStage, StageFunnel};
use clap::Args;
use indicatif::HumanCount;
use prost_types::Timestamp;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;
use tonic::Status;

const MORE: &str = "\
LEADS are those that are in the stage now. ENTRIES, and the stages that they WENT ON TO by now, are
of those that entered it in the range; what is missing to 100% is still there. MEDIAN and P90 are
how long those visits took that ended in the range.

All of it is exact at the cursor that is told on standard error: a watch --from it goes on from there.

Exit code: 0 if it was counted, 1 if not, 2 for wrong arguments.";

const COLUMNS: [(&str, Side); 6] = [
    ("STAGE", Side::Left),
    ("LEADS", Side::Right),
    ("ENTRIES", Side::Right),
    ("MEDIAN", Side::Right),
    ("P90", Side::Right),
    ("WENT ON TO", Side::Left),
];

/// Arguments of `lead-pipeline funnel`.
#[derive(Clone, Debug, Args)]
#[command(after_help = MORE)]
pub struct Funnel {
    /// Only leads of this agent.
    #[arg(long, value_name = "AGENT")]
    agent: Option<String>,
    /// The range begins then: a time like 2026-08-01T00:00:00Z, or how long ago, like 30d. [default: the first entry]
    #[arg(long, value_name = "TIME", value_parser = past)]
    from: Option<Timestamp>,
    /// The range ends before this time, likewise. [default: now]
    #[arg(long, value_name = "TIME", value_parser = past)]
    to: Option<Timestamp>,
    /// Only the counts of leads and entries, which cost little however long the range is.
    #[arg(long)]
    counts_only: bool,
    /// The server, as HOST:PORT or http://HOST:PORT.
    #[arg(long, env = "LEAD_PIPELINE_ADDRESS", default_value = "http://127.0.0.1:50051", value_parser = address)]
    address: String,
    /// The form of the funnel; as JSON it is the GetFunnelResponse.
    #[arg(short = 'o', long = "output", value_enum, default_value = "table", value_name = "FORM")]
    format: Form,
    /// How long the server may take to answer, like 250ms or 10s.
    #[arg(long, default_value = "1m", value_name = "TIME", value_parser = duration(Duration::from_millis(1)))]
    timeout: Duration,
}

/// Runs the command to its end, which is also what the exit code says.
pub async fn run(arguments: Funnel) -> ExitCode {
    let funnel = match ask(&arguments).await {
        Ok(funnel) => funnel,
        Err(status) => return refused(format_args!("{} doesn't count", arguments.address), &status),
    };
    let text = match arguments.format {
        Form::Table => table(COLUMNS, funnel.stages.iter().map(row)),
        Form::Json => json(&message("GetFunnelResponse"), &funnel, Names::Json).get().to_owned() + "\n",
    };
    // Nobody may be reading.
    let _ = std::io::stdout().write_all(text.as_bytes());
    if arguments.format == Form::Table {
        if funnel.counts_only && !arguments.counts_only {
            say("only counts: the range has more entries than the server reads one by one (--funnel-entries)");
        }
        say(format_args!("counted at {}, cursor {}", time(funnel.at.as_ref()), funnel.cursor));
    }
    ExitCode::SUCCESS
}

async fn ask(arguments: &Funnel) -> Result<GetFunnelResponse, Status> {
    let mut client = client(&arguments.address, arguments.timeout).await?;
    let agent_id = arguments.agent.clone().unwrap_or_default();
    if arguments.agent.is_some() {
        known(&mut client, &agent_id, arguments.timeout).await?;
    }
    let request = GetFunnelRequest {
        agent_id,
        start_at: arguments.from,
        end_at: arguments.to,
        counts_only: arguments.counts_only,
    };
    Ok(client.get_funnel(timed(request, arguments.timeout)).await?.into_inner())
}

fn row(stage: &StageFunnel) -> [String; 6] {
    let count = |count: i64| HumanCount(count.max(0).unsigned_abs()).to_string();
    let took = |took: Option<&prost_types::Duration>| {
        took.and_then(|took| Duration::try_from(*took).ok()).map_or_else(|| "-".into(), span)
    };
    let mut next: Vec<&NextStage> = stage.next_stages.iter().collect();
    // Stages that are alike often keep their order.
    next.sort_by_key(|next| std::cmp::Reverse(next.leads));
    let next =
        next.iter().map(|next| format!("{} {:.1}%", name(next.stage().as_str_name(), "STAGE_"), next.share * 100.0));
    let next = next.collect::<Vec<_>>().join(", ");
    [
        name(stage.stage().as_str_name(), "STAGE_").into(),
        count(stage.leads),
        count(stage.entries),
        took(stage.median_time_in_stage.as_ref()),
        took(stage.p90_time_in_stage.as_ref()),
        if next.is_empty() { "-".into() } else { next },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::Stage;

    #[test]
    fn a_stage_is_a_row() {
        let next = |stage: Stage, leads, share| NextStage { stage: stage.into(), leads, share };
        let seconds = |seconds| Some(prost_types::Duration { seconds, nanos: 0 });
        let stages = [
            StageFunnel {
                stage: Stage::New.into(),
                leads: 200,
                entries: 4000,
                next_stages: vec![next(Stage::Nurture, 40, 0.01), next(Stage::Contacted, 3760, 0.94)],
                visits: 3800,
                median_time_in_stage: seconds(90),
                p90_time_in_stage: seconds(90_000),
            },
            StageFunnel { stage: Stage::Won.into(), leads: 3, entries: 3, ..Default::default() },
        ];
        let expected = "\
STAGE  LEADS  ENTRIES  MEDIAN    P90  WENT ON TO
NEW      200    4,000  1m 30s  1d 1h  CONTACTED 94.0%, NURTURE 1.0%
WON        3        3       -      -  -
";
        assert_eq!(table(COLUMNS, stages.iter().map(row)), expected);
    }
}
