//! `make bench`: the service beside hand-written SQL, in one run on one durable Postgres, in turn, round by round.
//! Every answer is checked, and in the end every acknowledged change is counted in its database.

mod board;
mod calls;
mod direct;
mod empty;
mod fill;
mod pgbench;
mod pool;
mod report;
mod revival;

use crate::campaign::stage::{Size, Stage};
use crate::campaign::{fan_out, idle_watchers, latency};
use crate::support::folder::Folder;
use crate::support::process::Process;
use crate::support::server::Database;
use board::Board;
use calls::{Op, Target};
use direct::Direct;
use empty::EmptyServer;
use lead_pipeline::store::embedded::{EmbeddedPostgres, Settings};
use pool::{Ids, Pool};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
struct Plan {
    rounds: usize,
    /// Of each measurement.
    time: Duration,
    /// Databases of other sizes than the usual one.
    sizes: &'static [usize],
    /// Databases with other numbers of partitions than the default.
    partitions: &'static [i32],
    /// Batches of L, in changes.
    direct: usize,
    /// Leads that are revived.
    revived: usize,
}

const FULL: Plan = Plan {
    rounds: 3,
    time: Duration::from_secs(3),
    sizes: &[10_000, 1_000_000, 10_000_000],
    partitions: &[8, 16],
    direct: 200_000,
    revived: 200_000,
};

/// Two minutes: enough to see a change that helps, without what takes long to fill.
const QUICK: Plan = Plan {
    rounds: 1,
    time: Duration::from_secs(2),
    sizes: &[1_000_000],
    partitions: &[],
    direct: 50_000,
    revived: 50_000,
};

/// Leads of the usual database.
const LEADS: usize = 100_000;

/// Clients of pgbench, and calls under way.
const CLIENTS: [usize; 5] = [1, 16, 32, 64, 128];
const IN_FLIGHT: [usize; 5] = [1, 16, 64, 256, 1024];

/// Streams of triggers, and triggers under way in each.
const STREAMS: (usize, usize) = (4, 1024);

/// A database with a server of its own.
struct Served {
    target: Target,
    url: String,
    leads: usize,
    _server: Process,
}

impl Served {
    async fn start(postgres: &EmbeddedPostgres, name: &str, leads: usize, partitions: i32) -> Self {
        let url = filled(postgres, name, leads, partitions).await;
        let mut server = Process::spawn(&url, &["--listen=127.0.0.1:0"]);
        let address = server.serves().await;
        let target = Target::new(address, Arc::new(Pool::new(leads)));
        Self { target, url, leads, _server: server }
    }

    async fn run(&self, board: &mut Board, name: &str, op: Op, in_flight: usize, time: Duration) {
        if board.wants(name) {
            board.measured(name, &self.target.run(op, in_flight, time).await);
        }
    }

    /// Every change that was acknowledged is in the database, and no other.
    async fn count(&self) -> u64 {
        let acknowledged = self.target.pool.acknowledged.load(Ordering::Relaxed);
        assert_eq!(entries(&self.url).await, self.leads as u64 + acknowledged, "entries of {}", self.url);
        acknowledged
    }
}

async fn filled(postgres: &EmbeddedPostgres, name: &str, leads: usize, partitions: i32) -> String {
    println!("  filling a database with {leads} leads in {partitions} partitions");
    postgres.ensure_database(name).await.expect("a database");
    let url = postgres.url(name);
    fill::fill(&url, leads, partitions).await;
    url
}

async fn entries(url: &str) -> u64 {
    Database::connect(url).await.number("select count(*) from entries").await as u64
}

/// A and B: one database, whose transactions are counted.
struct Yardstick {
    folder: tempfile::TempDir,
    url: String,
    transactions: usize,
}

impl Yardstick {
    async fn new(postgres: &EmbeddedPostgres) -> Self {
        let url = filled(postgres, "yardstick", LEADS, 4).await;
        let mut database = Database::connect(&url).await;
        for statement in pgbench::PREPARE {
            database.run(statement).await;
        }
        Self { folder: tempfile::tempdir().expect("a folder"), url, transactions: 0 }
    }

    async fn run(&mut self, board: &mut Board, name: &str, script: &str, clients: usize, time: Duration) {
        if !board.wants(name) {
            return;
        }
        let (measured, transactions) = pgbench::run(self.folder.path(), &self.url, script, LEADS, clients, time).await;
        self.transactions += transactions;
        board.measured(name, &measured);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes ten minutes: make bench"]
async fn bench() {
    let plan = if std::env::var_os("BENCH_QUICK").is_some_and(|quick| !quick.is_empty()) { QUICK } else { FULL };
    let folder = Folder::new().expect("a temporary folder");
    // So much less than the largest database's index of request ids takes.
    let settings = Settings { shared_buffers_mib: 256, max_connections: 300, ..Settings::new(folder.path()) };
    let postgres = EmbeddedPostgres::start(settings).await.expect("Postgres starts");
    let setup = report::setup(&postgres.url("postgres")).await;
    println!("\n{setup:#}");

    let only = std::env::var("BENCH_ONLY").unwrap_or_default();
    let mut board = Board::only(&only);
    let mut yardstick = Yardstick::new(&postgres).await;
    let direct_url = filled(&postgres, "direct", LEADS, 4).await;
    let mut direct = Direct::new(&direct_url, LEADS).await;
    let ours = Served::start(&postgres, "ours", LEADS, 4).await;
    let empty = EmptyServer::start().await;
    let empty = Target::new(empty.address, Arc::new(Pool::new(0)));
    let mut sizes = Vec::new();
    for leads in plan.sizes.iter().filter(|leads| board.wants(&format!("leads_{leads}"))) {
        sizes.push(Served::start(&postgres, &format!("leads_{leads}"), *leads, 4).await);
    }
    let mut partitions = Vec::new();
    for count in plan.partitions.iter().filter(|count| board.wants(&format!("partitions_{count}"))) {
        partitions.push((*count, Served::start(&postgres, &format!("partitions_{count}"), LEADS, *count).await));
    }
    let watched = if ["watch_", "fanout", "replay", "idle"].iter().any(|name| board.wants(name)) {
        Some(Stage::new(Size::Full, LEADS, &[]).await)
    } else {
        None
    };

    let revived =
        if board.wants("revive") { Some(revival::Revived::start(&postgres, plan.revived).await) } else { None };

    // The server begins with an empty memory, and Postgres with everything that it was filled with in its own.
    ours.target.stream(STREAMS.0, STREAMS.1, 2 * plan.time).await;

    for round in 1..=plan.rounds {
        println!("  round {round} of {}", plan.rounds);
        let (board, time) = (&mut board, plan.time);
        for (clients, in_flight) in CLIENTS.into_iter().zip(IN_FLIGHT) {
            yardstick.run(board, &format!("a/{clients}"), pgbench::FOUR_STATEMENTS, clients, time).await;
            ours.run(board, &format!("unary/{in_flight}"), Op::Trigger(Ids::Ordered), in_flight, time).await;
            yardstick.run(board, &format!("b/{clients}"), pgbench::ONE_STATEMENT, clients, time).await;
        }
        for size in [64, 512] {
            let name = format!("l/{size}");
            if board.wants(&name) {
                board.measured(&name, &direct.run(plan.direct / 4 / size, size).await);
            }
            let (streams, in_flight) = STREAMS;
            let name = format!("stream/{}", streams * in_flight);
            if board.wants(&name) {
                board.measured(&name, &ours.target.stream(streams, in_flight, time).await);
            }
        }
        ours.run(board, "get/256", Op::GetLead, 256, time).await;
        if board.wants("empty/256") {
            board.measured("empty/256", &empty.run(Op::Empty, 256, time).await);
        }
        for (name, op) in [
            ("override/64", Op::Override),
            ("refused/64", Op::Refused),
            ("replayed/64", Op::Replayed),
            ("validate_only/64", Op::Validated),
            ("hot/256", Op::Hot),
        ] {
            ours.run(board, name, op, name.rsplit('/').next().and_then(|n| n.parse().ok()).unwrap_or(64), time).await;
        }
        for (count, served) in &partitions {
            served.run(board, &format!("partitions_{count}/256"), Op::Trigger(Ids::Ordered), 256, time).await;
        }
        for served in &sizes {
            // The usual database beside each: what is compared lies a few seconds apart.
            ours.run(board, &format!("leads_{LEADS}/256"), Op::Trigger(Ids::Ordered), 256, time).await;
            let name = format!("leads_{}", served.leads);
            served.run(board, &format!("{name}/256"), Op::Trigger(Ids::Ordered), 256, time).await;
            served.run(board, &format!("{name}_random_ids/256"), Op::Trigger(Ids::Random), 256, time).await;
        }
        if let Some(stage) = &watched {
            watch(board, stage, time).await;
        }
        if let Some(revived) = &revived {
            board.note("revive per_s", revived.run().await);
        }
    }

    let mut counted = ours.count().await;
    for served in sizes.iter().chain(partitions.iter().map(|(_, served)| served)) {
        counted += served.count().await;
    }
    assert_eq!(entries(&direct_url).await, (LEADS + direct.acknowledged) as u64, "entries of L");
    assert_eq!(entries(&yardstick.url).await, (LEADS + yardstick.transactions) as u64, "entries of A and B");
    println!("  every acknowledged change is in its database: {counted} of ours");
    report::write(&board, setup);
}

/// What watchers see.
async fn watch(board: &mut Board, stage: &Stage, time: Duration) {
    for watchers in [1, 100] {
        if !board.wants(&format!("watch_{watchers}")) {
            continue;
        }
        let delays = latency::delays(stage, watchers, time).await;
        board.note(&format!("watch_{watchers} p50_ms"), delays.share(0.5).as_secs_f64() * 1e3);
        board.note(&format!("watch_{watchers} p99_ms"), delays.share(0.99).as_secs_f64() * 1e3);
    }
    if board.wants("fanout") {
        board.note("fanout_50 per_s", fan_out::burst(stage, 50).await);
    }
    if board.wants("replay") {
        board.note("replay per_s", fan_out::replay(stage, 1).await);
        board.note("replay_50 per_s", fan_out::replay(stage, 50).await);
    }
    if board.wants("idle") {
        board.note("idle_watcher bytes", idle_watchers::cost(stage, 10_000).await as f64);
    }
}
