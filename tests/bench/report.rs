//! What the benchmark leaves: `target/bench/bench.json`, and a table for people.

use super::board::{Board, Spread, shown};
use crate::support::server::Database;
use serde_json::{Map, Value, json};
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

/// Machine, versions, and the settings of Postgres that count.
pub async fn setup(url: &str) -> Value {
    const SETTINGS: [&str; 11] = [
        "server_version",
        "fsync",
        "synchronous_commit",
        "full_page_writes",
        "wal_level",
        "wal_sync_method",
        "shared_buffers",
        "max_wal_size",
        "commit_delay",
        "max_connections",
        "autovacuum",
    ];
    let mut database = Database::connect(url).await;
    let mut settings = Map::new();
    for name in SETTINGS {
        let value = sqlx::query_scalar("select current_setting($1)").bind(name).fetch_one(&mut database.0).await;
        settings.insert(name.into(), Value::String(value.expect("a setting")));
    }
    assert_eq!((&settings["fsync"], &settings["synchronous_commit"]), (&json!("on"), &json!("on")));
    let line = |file: &str, name: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
        line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    json!({
        "machine": {
            "cpu": line("/proc/cpuinfo", "model name"),
            "cores": std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
            "memory": line("/proc/meminfo", "MemTotal"),
            "kernel": fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim(),
        },
        "postgres": settings,
        "version": env!("CARGO_PKG_VERSION"),
    })
}

/// Names of a yardstick's measurements.
fn of(name: &str) -> Vec<String> {
    super::CLIENTS.iter().map(|clients| format!("{name}/{clients} per_s")).collect()
}

fn stream() -> String {
    format!("stream/{} per_s", super::STREAMS.0 * super::STREAMS.1)
}

/// The ratios by their names, each with its goal: at least, or at most.
fn ratios(board: &Board) -> Vec<(&'static str, Option<Spread>, &'static str)> {
    let direct = ["l/64 per_s".to_owned(), "l/512 per_s".to_owned()];
    let streamed = stream();
    vec![
        ("unary_256_a", board.ratio_to_best("unary/256 per_s", &of("a")), "at least 3"),
        ("unary_256_b", board.ratio_to_best("unary/256 per_s", &of("b")), "at least 1.8"),
        ("stream_a", board.ratio_to_best(&streamed, &of("a")), "at least 5"),
        ("stream_l", board.ratio_to_best(&streamed, &direct), "at least 0.7"),
        ("one_call_p50_a", board.ratio("unary/1 p50_ms", "a/1 p50_ms"), "at most 1.5"),
        ("p99_64_a", board.ratio("unary/64 p99_ms", "a/64 p99_ms"), "at most 1"),
        ("leads_10m_100k", board.ratio_of_last("leads_10000000/256 per_s", "leads_100000/256 per_s"), "at least 0.8"),
        ("get_empty", board.ratio("get/256 per_s", "empty/256 per_s"), "at least 0.6"),
    ]
}

fn figures(board: &Board) -> Vec<(&'static str, Option<Spread>, &'static str)> {
    vec![
        ("watch_1_p99_ms", board.spread("watch_1 p99_ms"), "at most 3"),
        ("watch_100_p99_ms", board.spread("watch_100 p99_ms"), ""),
        ("fanout_per_s", board.spread("fanout_50 per_s"), "at least 2,000,000"),
        ("replay_per_s", board.spread("replay per_s"), "at least 300,000"),
        ("idle_watcher_bytes", board.spread("idle_watcher bytes"), "at most 10,000"),
        ("revive_per_s", board.spread("revive per_s"), "at least 30,000"),
    ]
}

/// Writes both files.
pub fn write(board: &Board, setup: Value) {
    let folder = PathBuf::from(std::env::var_os("CARGO_TARGET_DIR").unwrap_or("target".into())).join("bench");
    fs::create_dir_all(&folder).expect("a folder");
    let object = |rows: Vec<(&'static str, Option<Spread>, &'static str)>| {
        rows.into_iter().map(|(name, spread, _)| (name.to_owned(), Spread::json(spread))).collect::<Map<_, _>>()
    };
    let all: Map<_, _> = board.names().map(|name| (name.to_owned(), Spread::json(board.spread(name)))).collect();
    let mut json = setup;
    json["ratios"] = Value::Object(object(ratios(board)));
    json["figures"] = Value::Object(object(figures(board)));
    json["all"] = Value::Object(all);
    let json = serde_json::to_string_pretty(&json).expect("JSON");
    fs::write(folder.join("bench.json"), json + "\n").expect("written");
    let table = table(board);
    fs::write(folder.join("bench.md"), &table).expect("written");
    println!("\n{table}\nwritten to {}", folder.join("bench.json").display());
}

fn table(board: &Board) -> String {
    let mut table = String::new();
    let mut line = |cells: [&str; 5]| writeln!(table, "| {} |", cells.join(" | ")).expect("memory");
    line(["", "median", "least", "most", "goal"]);
    line(["---", "--:", "--:", "--:", "---"]);
    for (name, spread, goal) in ratios(board).into_iter().chain(figures(board)) {
        let cell = |value: fn(Spread) -> f64| spread.map_or("-".to_owned(), |spread| shown(value(spread)));
        line([&format!("`{name}`"), &cell(|s| s.median), &cell(|s| s.min), &cell(|s| s.max), goal]);
    }
    writeln!(table, "\n| | changes or calls a second | p50 ms | p99 ms |\n| --- | --: | --: | --: |").expect("memory");
    for name in board.names().filter_map(|name| name.strip_suffix(" per_s")) {
        let cell = |what: &str| {
            let spread = board.spread(&format!("{name} {what}"));
            spread.map_or("-".to_owned(), |spread| shown(spread.median))
        };
        writeln!(table, "| {name} | {} | {} | {} |", cell("per_s"), cell("p50_ms"), cell("p99_ms")).expect("memory");
    }
    table
}
