//! `lead-pipeline leads`: lists the leads that a filter lets through, page by page, each printed as it comes.

use super::connect::{client, known, timed};
use super::say::{name, refused, say, time};
use super::table::{Columns, Form, Side};
use super::values::{address, ahead, duration, span, stage};
use crate::contract::{Names, json, message};
use crate::proto::{Lead, ListLeadsRequest, Stage};
use clap::Args;
use prost_reflect::MessageDescriptor;
use prost_types::Timestamp;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;
use tonic::Status;

/// The most that the contract allows.
const PAGE: u64 = 1000;

const MORE: &str = "\
Filters must all hold. What is given of --stage is any of them. The leads come in an order of the
service's own, and are as they were when their page was read.

Example: anna's leads that have been CONTACTED for more than three days
  lead-pipeline leads --agent anna --stage contacted --in-stage-for 3d

Exit code: 0 if all were listed or nobody reads on, 1 if not, 2 for wrong arguments.";

const COLUMNS: [(&str, Side); 7] = [
    ("LEAD", Side::Left),
    ("AGENT", Side::Left),
    // As wide as its longest name, whatever the first page has.
    ("STAGE            ", Side::Left),
    ("SINCE", Side::Left),
    ("VERSION", Side::Right),
    ("DEAD          ", Side::Left),
    ("NEXT FOLLOW-UP", Side::Left),
];

/// Arguments of `lead-pipeline leads`.
#[derive(Clone, Debug, Args)]
#[command(after_help = MORE)]
pub struct Leads {
    /// Only leads of this agent.
    #[arg(long, value_name = "AGENT")]
    agent: Option<String>,
    /// Only leads in these stages, separated by commas or given several times.
    #[arg(long = "stage", value_name = "STAGE", value_delimiter = ',', value_parser = stage)]
    stages: Vec<Stage>,
    /// Only dead leads.
    #[arg(long, conflicts_with = "alive")]
    dead: bool,
    /// Only leads that aren't dead.
    #[arg(long)]
    alive: bool,
    /// Only leads that have been in their stage for so long or longer, like 3d.
    #[arg(long, value_name = "TIME", value_parser = span)]
    in_stage_for: Option<Duration>,
    /// Only leads that have been in their stage for so long at most.
    #[arg(long, value_name = "TIME", value_parser = span)]
    in_stage_at_most: Option<Duration>,
    /// Only leads whose next follow-up is due before this: a time like 2026-08-01T00:00:00Z, or how far ahead, like 2d.
    #[arg(long, value_name = "TIME", value_parser = ahead)]
    follow_up_before: Option<Timestamp>,
    /// No more leads than this.
    #[arg(long, value_name = "LEADS", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// The server, as HOST:PORT or http://HOST:PORT.
    #[arg(long, env = "LEAD_PIPELINE_ADDRESS", default_value = "http://127.0.0.1:50051", value_parser = address)]
    address: String,
    /// The form of the list; as JSON a Lead a line.
    #[arg(short = 'o', long = "output", value_enum, default_value = "table", value_name = "FORM")]
    format: Form,
    /// How long the server may take for a page, like 250ms or 10s.
    #[arg(long, default_value = "10s", value_name = "TIME", value_parser = duration(Duration::from_millis(1)))]
    timeout: Duration,
}

/// Runs the command to its end, which is also what the exit code says.
pub async fn run(arguments: Leads) -> ExitCode {
    let mut printer = Printer::new(arguments.format);
    let Err(status) = list(&arguments, &mut printer).await else { return ExitCode::SUCCESS };
    let code = refused(format_args!("{} doesn't list its leads", arguments.address), &status);
    if printer.printed > 0 {
        say(format_args!("the list ends after {} leads, and isn't whole", printer.printed));
    }
    code
}

/// Prints page after page.
async fn list(arguments: &Leads, printer: &mut Printer) -> Result<(), Status> {
    let mut client = client(&arguments.address, arguments.timeout).await?;
    let mut request = request(arguments)?;
    if arguments.agent.is_some() {
        known(&mut client, &request.agent_id, arguments.timeout).await?;
    }
    loop {
        let left = arguments.limit.map_or(u64::MAX, |limit| limit - printer.printed);
        request.page_size = left.min(PAGE) as i32;
        let page = client.list_leads(timed(request.clone(), arguments.timeout)).await?.into_inner();
        let read_on = printer.print(&page.leads);
        if !read_on || page.next_page_token.is_empty() || page.leads.len() as u64 >= left {
            return Ok(());
        }
        request.page_token = page.next_page_token;
    }
}

fn request(arguments: &Leads) -> Result<ListLeadsRequest, Status> {
    let mut stages: Vec<i32> = arguments.stages.iter().map(|stage| *stage as i32).collect();
    stages.sort_unstable();
    stages.dedup();
    let duration = |span: Option<Duration>| span.map(prost_types::Duration::try_from).transpose();
    let too_long = |error: prost_types::DurationError| Status::invalid_argument(error.to_string());
    Ok(ListLeadsRequest {
        agent_id: arguments.agent.clone().unwrap_or_default(),
        stages,
        dead: (arguments.dead || arguments.alive).then_some(arguments.dead),
        min_time_in_stage: duration(arguments.in_stage_for).map_err(too_long)?,
        max_time_in_stage: duration(arguments.in_stage_at_most).map_err(too_long)?,
        next_follow_up_before: arguments.follow_up_before,
        ..Default::default()
    })
}

/// Prints leads as they come.
struct Printer {
    format: Form,
    lead: MessageDescriptor,
    /// As the first page needs them.
    columns: Option<Columns<7>>,
    printed: u64,
}

impl Printer {
    fn new(format: Form) -> Self {
        Self { format, lead: message("Lead"), columns: None, printed: 0 }
    }

    /// Prints a page; whether anybody reads on.
    fn print(&mut self, leads: &[Lead]) -> bool {
        let mut text = String::new();
        match self.format {
            Form::Table => self.rows(leads, &mut text),
            Form::Json => {
                for lead in leads {
                    text.push_str(json(&self.lead, lead, Names::Json).get());
                    text.push('\n');
                }
            }
        }
        self.printed += leads.len() as u64;
        std::io::stdout().write_all(text.as_bytes()).is_ok()
    }

    fn rows(&mut self, leads: &[Lead], text: &mut String) {
        let rows: Vec<_> = leads.iter().map(row).collect();
        let columns = self.columns.get_or_insert_with(|| {
            let columns = Columns::of(COLUMNS, &rows);
            columns.push(&COLUMNS.map(|(heading, _)| heading), text);
            columns
        });
        for row in &rows {
            columns.push(row, text);
        }
    }
}

fn row(lead: &Lead) -> [String; 7] {
    [
        lead.lead_id.clone(),
        lead.agent_id.clone(),
        name(lead.stage().as_str_name(), "STAGE_").into(),
        time(lead.stage_entered_at.as_ref()),
        lead.version.to_string(),
        if lead.dead_reason == 0 { "-" } else { name(lead.dead_reason().as_str_name(), "DEAD_REASON_") }.into(),
        time(lead.next_follow_up_at.as_ref()),
    ]
}
