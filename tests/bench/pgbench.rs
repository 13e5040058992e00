//! A and B: what a good engineer would write in SQL, run by pgbench on tables with the same columns and indexes.

use super::board::Measured;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::process::Command;

/// A, the transaction of four statements.
pub const FOUR_STATEMENTS: &str = "\
begin;
select agent_id, version, stage, dead_reason, email, sms, voice from leads
    where partition = :p and lead_id = 'lead-' || :id for update;
update leads set version = version + 1, tag = :tag, stage = 7, furthest_stage = 3, stage_entered_at = clock_timestamp(),
    last_reply_at = clock_timestamp() where partition = :p and lead_id = 'lead-' || :id;
insert into entries (partition, position, lead_id, agent_id, version, step, from_stage, to_stage, dead_raised, cause,
    actor_kind, actor_id, reason, request_id, digest, recorded_at, tag)
    select :p::int, n, 'lead-' || :id, 'agent-01', n, 0, 3, 7, false, 107, 3, 'unknown', '',
        ('0199d2a0-5b3e-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, '\\x00112233445566778899aabbccddeeff'::bytea,
        clock_timestamp(), :tag::bigint
    from nextval('positions') as n;
commit;
";

/// B, the same in one statement.
pub const ONE_STATEMENT: &str = "\
with next as materialized (select nextval('positions') as n),
lead as (
    update leads set version = version + 1, tag = :tag, stage = 7, furthest_stage = 3,
        stage_entered_at = clock_timestamp(), last_reply_at = clock_timestamp()
    where partition = :p and lead_id = 'lead-' || :id returning lead_id, agent_id
)
insert into entries (partition, position, lead_id, agent_id, version, step, from_stage, to_stage, dead_raised, cause,
    actor_kind, actor_id, reason, request_id, digest, recorded_at, tag)
    select :p::int, n, lead_id, agent_id, n, 0, 3, 7, false, 107, 3, 'unknown', '',
        ('0199d2a0-5b3e-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, '\\x00112233445566778899aabbccddeeff'::bytea,
        clock_timestamp(), :tag::bigint
    from lead, next;
";

/// The leads' ids, and the partition that pgbench can compute: `fill` has moved them there.
fn variables(leads: usize) -> String {
    let first = super::pool::FIRST;
    format!("\\set id random({first}, {})\n\\set p mod(:id, 4)\n\\set tag random(1, 1000000000)\n", first + leads - 1)
}

/// What the scripts need beside the tables: positions, and partitions that pgbench can compute.
pub const PREPARE: [&str; 5] = [
    "create sequence positions start 1000000000",
    "update leads set partition = mod(substr(lead_id, 6)::bigint, 4)",
    "vacuum full leads",
    "vacuum analyze leads",
    "checkpoint",
];

/// Runs a script with so many clients for so long; also returns how many transactions were committed.
pub async fn run(
    folder: &Path,
    url: &str,
    script: &str,
    leads: usize,
    clients: usize,
    time: Duration,
) -> (Measured, usize) {
    let file = folder.join("script.sql");
    std::fs::write(&file, variables(leads) + script).expect("a script");
    let log = folder.join("pgbench");
    let output = Command::new(program())
        .args(["-n", "-M", "prepared", "-j", "2", "-l"])
        .args(["-c", &clients.to_string(), "-T", &time.as_secs().max(1).to_string()])
        .arg(format!("--log-prefix={}", log.display()))
        .arg("-f")
        .arg(&file)
        .arg(url)
        .output()
        .await
        .expect("pgbench runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let number = |name: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name}: {said}"));
        line.split_whitespace().next().and_then(|word| word.parse::<f64>().ok()).expect("a number")
    };
    assert!(number("number of failed transactions:") < 1.0, "{said}");
    let mut took = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder").flatten() {
        if entry.file_name().to_string_lossy().starts_with("pgbench") {
            let text = std::fs::read_to_string(entry.path()).expect("a log");
            let time = |line: &str| Some(Duration::from_micros(line.split_whitespace().nth(2)?.parse().ok()?));
            took.extend(text.lines().filter_map(time));
            std::fs::remove_file(entry.path()).expect("removed");
        }
    }
    let transactions = number("number of transactions actually processed:") as usize;
    assert_eq!(took.len(), transactions, "every one is in the log");
    (Measured { per_s: number("tps ="), ..Measured::of(took, time) }, transactions)
}

/// pgbench, on the path or beside the Postgres programs.
fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let beside = versions.map(|version| version.path().join("bin"));
    let mut folders = beside.chain(std::env::split_paths(&path));
    let found = folders.find_map(|folder| Some(folder.join("pgbench")).filter(|program| program.is_file()));
    found.expect("pgbench, which comes with Postgres's own programs")
}
