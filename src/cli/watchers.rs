//! `lead-pipeline watchers`: who watches what on a replica, and how far behind.

use super::connect::{client, timed};
use super::retry::cause;
use super::say::{say, time};
use super::table::{Form, Side, table};
use super::values::{address, duration};
use crate::contract::{Names, json, message};
use crate::proto::{ListWatchersRequest, ListWatchersResponse, WatchFilter, Watcher};
use clap::Args;
use indicatif::HumanCount;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;
use tonic::Status;

const PAGE: i32 = 1000;

const COLUMNS: [(&str, Side); 8] = [
    ("ID", Side::Left),
    ("CLIENT", Side::Left),
    ("PEER", Side::Left),
    ("SINCE", Side::Left),
    ("BEHIND", Side::Left),
    ("SLOW", Side::Left),
    ("POSITIONS", Side::Left),
    ("FILTER", Side::Left),
];

/// Arguments of `lead-pipeline watchers`.
#[derive(Clone, Debug, Args)]
pub struct Watchers {
    /// The server, as HOST:PORT or http://HOST:PORT. Each replica has watches of its own.
    #[arg(long, env = "LEAD_PIPELINE_ADDRESS", default_value = "http://127.0.0.1:50051", value_parser = address)]
    address: String,
    /// The form of the list.
    #[arg(short = 'o', long = "output", value_enum, default_value = "table", value_name = "FORM")]
    format: Form,
    /// How long the server may take to answer, like 250ms or 10s.
    #[arg(long, default_value = "10s", value_name = "TIME", value_parser = duration(Duration::from_millis(1)))]
    timeout: Duration,
}

/// Runs the command to its end, which is also what the exit code says.
pub async fn run(arguments: Watchers) -> ExitCode {
    let list = match list(&arguments).await {
        Ok(list) => list,
        Err(status) => {
            say(format_args!("{} doesn't list its watches: {}", arguments.address, cause(&status)));
            return ExitCode::FAILURE;
        }
    };
    let text = match arguments.format {
        Form::Table => rows(&list.watchers),
        Form::Json => json(&message("ListWatchersResponse"), &list, Names::Json).get().to_owned() + "\n",
    };
    // Nobody may be reading.
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

/// All pages as one.
async fn list(arguments: &Watchers) -> Result<ListWatchersResponse, Status> {
    let mut client = client(&arguments.address, arguments.timeout).await?;
    let (mut watchers, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = timed(ListWatchersRequest { page_size: PAGE, page_token }, arguments.timeout);
        let page = client.list_watchers(request).await?.into_inner();
        watchers.extend(page.watchers);
        if page.next_page_token.is_empty() {
            return Ok(ListWatchersResponse { watchers, next_page_token: String::new() });
        }
        page_token = page.next_page_token;
    }
}

/// A line a watch.
fn rows(watchers: &[Watcher]) -> String {
    table(COLUMNS, watchers.iter().map(row))
}

fn row(watcher: &Watcher) -> [String; 8] {
    let Watcher { id, peer, client_name, behind, .. } = watcher;
    let positions = watcher.positions.iter().map(|place| format!("{}:{}", place.partition, place.position));
    [
        id.to_string(),
        if client_name.is_empty() { "-".into() } else { client_name.escape_default().to_string() },
        peer.clone(),
        time(watcher.since.as_ref()),
        HumanCount((*behind).max(0) as u64).to_string(),
        if watcher.slow { "yes" } else { "no" }.into(),
        positions.collect::<Vec<_>>().join(" "),
        filter(watcher),
    ]
}

/// The filter as `lead-pipeline watch` would take it.
fn filter(watcher: &Watcher) -> String {
    let unset = WatchFilter::default();
    let filter = watcher.filter.as_ref().unwrap_or(&unset);
    let short = |name: &str, prefix: &str| name.trim_start_matches(prefix).to_owned();
    let stage = |stage: crate::proto::Stage| short(stage.as_str_name(), "STAGE_");
    let lists = [
        ("lead", filter.lead_ids.clone()),
        ("agent", filter.agent_ids.clone()),
        ("from-stage", filter.from_stages().map(stage).collect()),
        ("to-stage", filter.to_stages().map(stage).collect()),
    ];
    let lists = lists.into_iter().filter(|(_, values)| !values.is_empty());
    let mut parts: Vec<_> = lists.map(|(key, values)| format!("{key}={}", values.join(","))).collect();
    if filter.origin != 0 {
        parts.push(format!("origin={}", short(filter.origin().as_str_name(), "CHANGE_ORIGIN_").to_ascii_lowercase()));
    }
    if watcher.include_unchanged {
        parts.push("(unchanged too)".into());
    }
    if parts.is_empty() { "-".into() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{ChangeOrigin, Stage, WatcherPosition};

    #[test]
    fn a_watch_is_a_row() {
        let filter = WatchFilter {
            agent_ids: vec!["anna".into(), "ben".into()],
            to_stages: vec![Stage::Won.into()],
            origin: ChangeOrigin::Manual.into(),
            ..Default::default()
        };
        let positions = [(0, 17), (1, 4)].map(|(partition, position)| WatcherPosition { partition, position });
        let watchers = [
            Watcher {
                id: 7,
                peer: "10.0.0.9:40112".into(),
                client_name: "dashboard".into(),
                filter: Some(filter),
                positions: positions.to_vec(),
                behind: 1200,
                since: Some(prost_types::Timestamp { seconds: 1_795_770_000, nanos: 0 }),
                ..Default::default()
            },
            Watcher { id: 12, slow: true, include_unchanged: true, ..Default::default() },
        ];
        let expected = "\
ID  CLIENT     PEER            SINCE                     BEHIND  SLOW  POSITIONS  FILTER
7   dashboard  10.0.0.9:40112  2026-11-27T09:00:00.000Z  1,200   no    0:17 1:4   agent=anna,ben to-stage=WON origin=manual
12  -                          -                         0       yes              (unchanged too)
";
        assert_eq!(rows(&watchers), expected);
    }
}
