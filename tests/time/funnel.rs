//! GetFunnel: how many leads are where, how they moved, and how long that took; exact at its cursor.

use super::funnel_model::{assert_told, counts, fold};
use super::{created_for, time_of};
use crate::support::command::Run;
use crate::support::errors::failed;
use crate::support::requests::{applied, message_sent, new_id, overridden, override_to, person, replied};
use crate::support::server::{Client, Database, Server, replica_of, server_with};
use crate::support::watcher::{Watching, after, from_beginning};
use lead_pipeline::proto::{
    GetFunnelRequest, GetFunnelResponse, OutreachMode, OverrideStageRequest, ReviveForModeRequest, Stage, StageChange,
};
use prost_types::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeMap;
use tokio::task::JoinSet;

const AGENTS: [&str; 3] = ["anna", "ben", "zoe"];
const FOREVER: i64 = i64::MAX;

async fn funnel(client: &mut Client, request: GetFunnelRequest) -> GetFunnelResponse {
    client.get_funnel(request).await.expect("a funnel").into_inner()
}

fn of(agent_id: &str) -> GetFunnelRequest {
    GetFunnelRequest { agent_id: agent_id.into(), ..Default::default() }
}

fn at(micros: i64) -> Timestamp {
    Timestamp { seconds: micros / 1_000_000, nanos: (micros % 1_000_000) as i32 * 1000 }
}

async fn heads(server: &Server) -> BTreeMap<i32, i64> {
    crate::support::log::heads(server.database_url()).await
}

/// Everything that happened.
async fn everything(server: &Server) -> Vec<StageChange> {
    let mut watching = Watching::start(&mut server.client(), from_beginning()).await;
    watching.through(&heads(server).await).await
}

/// The positions that a cursor stands for.
async fn positions(client: &mut Client, cursor: &str) -> BTreeMap<i32, i64> {
    Watching::start(client, after(cursor)).await.through
}

fn through<'a>(changes: impl IntoIterator<Item = &'a StageChange>, positions: &BTreeMap<i32, i64>) -> Vec<StageChange> {
    changes.into_iter().filter(|change| change.position <= positions[&change.partition]).cloned().collect()
}

/// Some history of some leads, over some weeks.
async fn live(client: &mut Client, database: &mut Database, random: &mut StdRng, names: &str) {
    for number in 0..24 {
        created_for(client, AGENTS[number % 3], &format!("{names}-{number}")).await;
    }
    for round in 0..60 {
        let lead_id = format!("{names}-{}", random.random_range(0..24));
        match random.random_range(0..4) {
            // It may be refused: then nothing happened.
            0 => drop(client.apply_trigger(crate::support::requests::trigger(&lead_id, replied())).await),
            1 => drop(client.apply_trigger(crate::support::requests::trigger(&lead_id, message_sent())).await),
            _ => {
                let stage = Stage::try_from(random.random_range(1..=13)).expect("a stage");
                overridden(client, &lead_id, stage).await;
            }
        }
        if round % 6 == 0 {
            database.move_time(random.random_range(1..200_000)).await;
        }
    }
}

/// Ranges whose ends are at, before and behind moments in which something happened.
fn ranges(changes: &[StageChange], random: &mut StdRng) -> Vec<(i64, i64)> {
    let mut moment = || {
        let change = &changes[random.random_range(0..changes.len())];
        time_of(change.recorded_at) + random.random_range(-1..=1)
    };
    let mut ranges: Vec<(i64, i64)> =
        (0..12).map(|_| (moment(), moment())).filter(|(start, end)| start < end).collect();
    ranges.extend([(0, FOREVER), (moment(), FOREVER), (0, moment())]);
    ranges
}

fn request(agent_id: &str, (start, end): (i64, i64)) -> GetFunnelRequest {
    GetFunnelRequest {
        start_at: (start > 0).then(|| at(start)),
        end_at: (end < FOREVER).then(|| at(end)),
        ..of(agent_id)
    }
}

/// With sums after every entry, after some, and without any.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_the_fold_of_the_changes_that_a_watch_sends() {
    for (seed, step) in ["1", "7", "1000000"].into_iter().enumerate() {
        let mut random = StdRng::seed_from_u64(seed as u64);
        let server = server_with(&["--timer-interval=5ms", "--funnel-step", step]).await;
        let (mut client, mut database) = (server.client(), server.database().await);
        let empty = funnel(&mut client, of("")).await;
        assert_told(&empty, &fold(&[], "", 0, FOREVER), "nothing yet");
        live(&mut client, &mut database, &mut random, "a").await;
        let changes = everything(&server).await;
        for range in ranges(&changes, &mut random) {
            for agent in ["", "anna", "ben", "nobody"] {
                let what = format!("step {step}, {agent}, {range:?}");
                let expected = fold(&changes, agent, range.0, range.1);
                let told = funnel(&mut client, request(agent, range)).await;
                assert_told(&told, &expected, &what);
                assert!(!told.counts_only);
                let request = GetFunnelRequest { counts_only: true, ..request(agent, range) };
                let told = funnel(&mut client, request).await;
                assert_told(&told, &counts(expected, range == (0, FOREVER)), &what);
                assert!(told.counts_only);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_after_its_cursor_continues_the_counts() {
    let server = server_with(&["--timer-interval=5ms", "--funnel-step=3"]).await;
    let replica = replica_of(&server).await;
    let (mut client, mut database) = (server.client(), server.database().await);
    let mut random = StdRng::seed_from_u64(7);
    live(&mut client, &mut database, &mut random, "before").await;
    let known = everything(&server).await;
    let mut writers = JoinSet::new();
    for writer in 0..4_u64 {
        let server = if writer % 2 == 0 { &server } else { &replica };
        let (mut client, mut database) = (server.client(), server.database().await);
        writers.spawn(async move {
            let mut random = StdRng::seed_from_u64(writer);
            live(&mut client, &mut database, &mut random, &format!("w{writer}")).await;
        });
    }
    let mut told = Vec::new();
    while !writers.is_empty() {
        for agent in ["", "zoe"] {
            let funnel = funnel(&mut replica.client(), of(agent)).await;
            let positions = positions(&mut client, &funnel.cursor).await;
            told.push((agent, funnel, positions));
        }
        while let Some(ended) = writers.try_join_next() {
            ended.expect("no panic");
        }
    }
    assert!(told.len() > 2, "some were counted meanwhile");
    let changes = everything(&server).await;
    assert!(changes.len() > known.len());
    for (agent, funnel, positions) in &told {
        let then = through(&changes, positions);
        assert_told(funnel, &fold(&then, agent, 0, FOREVER), agent);
    }
    // What a watch sends after the last cursor, together with what was before, is the funnel of now.
    let (_, _, last) = told.last().expect("some");
    let mut rest = Watching::start(&mut client, after(&told.last().expect("some").1.cursor)).await;
    let mut all = through(&changes, last);
    overridden(&mut client, "before-1", Stage::Won).await;
    all.extend(rest.through(&heads(&server).await).await);
    assert_told(&funnel(&mut client, of("")).await, &fold(&all, "", 0, FOREVER), "continued");
}

/// A time of the pipeline, as the program takes it.
fn written(micros: i64) -> String {
    humantime::format_rfc3339_micros(std::time::UNIX_EPOCH + std::time::Duration::from_micros(micros.unsigned_abs()))
        .to_string()
}

async fn prune(url: &str, before: i64) -> i64 {
    let arguments =
        ["prune", "--database-url", url, "--before", &written(before), "--yes", "--output=json", "--chunk=9"];
    let ended = Run::start(".", &arguments).ended().await.with(0);
    ended.document()["pruned"]["entries"].as_i64().expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_pruned_still_counts() {
    for (seed, step) in ["1", "10", "1000000"].into_iter().enumerate() {
        let mut random = StdRng::seed_from_u64(100 + seed as u64);
        let server = server_with(&["--timer-interval=5ms", "--funnel-step", step]).await;
        let (mut client, mut database) = (server.client(), server.database().await);
        live(&mut client, &mut database, &mut random, "a").await;
        let mut changes = everything(&server).await;
        let mut cut = 0;
        for round in 0..3 {
            let mut times: Vec<i64> = changes.iter().map(|change| time_of(change.recorded_at)).collect();
            times.sort_unstable();
            let before = times[times.len() * (round + 2) / 5];
            assert!(prune(server.database_url(), before).await > 0 && before > cut);
            cut = before;
            let cursor = funnel(&mut client, of("")).await.cursor;
            let mut rest = Watching::start(&mut client, after(&cursor)).await;
            live(&mut client, &mut database, &mut random, &format!("{round}")).await;
            changes.extend(rest.through(&heads(&server).await).await);
            for agent in ["", "anna", "zoe", "nobody"] {
                let what = format!("step {step}, round {round}, {agent}");
                let told = funnel(&mut client, of(agent)).await;
                assert_told(&told, &counts(fold(&changes, agent, 0, FOREVER), true), &what);
                assert!(told.counts_only, "the times of what was pruned are gone");
                for range in ranges(&changes, &mut random) {
                    // Each partition kept what is from this time or later.
                    if range.0 > cut && range.1 > cut {
                        let told = funnel(&mut client, request(agent, range)).await;
                        assert_told(&told, &fold(&changes, agent, range.0, range.1), &format!("{what}, {range:?}"));
                    }
                }
            }
            let early = request("", (times[0], FOREVER));
            failed(client.get_funnel(early).await).names(&["start_at"]);
            failed(client.get_funnel(request("", (0, times[0] + 1))).await).names(&["end_at"]);
        }
        everything_pruned(&mut client, &mut database, server.database_url(), &changes).await;
    }
}

/// With no history left at all.
async fn everything_pruned(client: &mut Client, database: &mut Database, url: &str, changes: &[StageChange]) {
    database.move_time(10).await;
    let now = super::moment(database).await;
    prune(url, now).await;
    assert_told(&funnel(client, of("")).await, &counts(fold(changes, "", 0, FOREVER), true), "all was pruned");
    let since = fold(changes, "", now, FOREVER);
    assert_told(&funnel(client, request("", (now, FOREVER))).await, &since, "since then nothing happened");
    prune(url, now).await;
    assert_told(&funnel(client, request("", (now, FOREVER))).await, &since, "there was nothing to prune");
}

#[tokio::test]
async fn a_long_range_has_counts_only() {
    let server = server_with(&["--funnel-entries=5"]).await;
    let mut client = server.client();
    for number in 0..5 {
        created_for(&mut client, "anna", &format!("lead-{number}")).await;
    }
    assert!(!funnel(&mut client, of("")).await.counts_only);
    applied(&mut client, "lead-1", message_sent()).await;
    let told = funnel(&mut client, of("")).await;
    assert!(told.counts_only);
    let (new, contacted) = (&told.stages[0], &told.stages[1]);
    assert_eq!((new.leads, new.entries, contacted.leads, contacted.entries), (4, 5, 1, 1));
    assert_eq!((new.next_stages[0].leads, new.next_stages[0].share), (1, 0.2));
}

#[tokio::test]
async fn revivals_and_overrides_count_as_entries() {
    let server = server_with(&[]).await;
    let mut client = server.client();
    created_for(&mut client, "anna", "lead-1").await;
    overridden(&mut client, "lead-1", Stage::Exhausted).await;
    let same = OverrideStageRequest { reopen_channels: true, ..override_to("lead-1", Stage::Exhausted) };
    client.override_stage(same).await.expect("no change");
    let revival = ReviveForModeRequest {
        agent_id: "anna".into(),
        outreach_mode: OutreachMode::Blended.into(),
        request_id: new_id(),
        actor: Some(person()),
        validate_only: false,
    };
    super::revivals::summary(&mut client, revival).await;
    let told = funnel(&mut client, of("anna")).await;
    let entries: Vec<i64> = told.stages.iter().map(|stage| stage.entries).collect();
    assert_eq!(entries, [1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0]);
    assert_told(&told, &fold(&everything(&server).await, "anna", 0, FOREVER), "anna");
}

#[tokio::test]
async fn wrong_fields_are_named() {
    let server = server_with(&[]).await;
    let mut client = server.client();
    let time = |seconds, nanos| Some(Timestamp { seconds, nanos });
    let wrong = GetFunnelRequest {
        agent_id: "a b".into(),
        start_at: time(1, -1),
        end_at: time(i64::MAX, 0),
        counts_only: true,
    };
    failed(client.get_funnel(wrong).await).names(&["agent_id", "start_at", "end_at"]);
    for start in [5, 6] {
        let wrong = GetFunnelRequest { start_at: time(start, 0), end_at: time(5, 0), ..Default::default() };
        failed(client.get_funnel(wrong).await).names(&["end_at"]);
    }
    // The earliest and the latest there are.
    let whole = GetFunnelRequest {
        start_at: time(-62_135_596_800, 0),
        end_at: time(253_402_300_799, 999_999_999),
        ..Default::default()
    };
    assert_told(&funnel(&mut client, whole).await, &fold(&[], "", 0, FOREVER), "no leads");
}
