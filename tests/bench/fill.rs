//! A database full of leads, each with its first entry, as it would be had the service created them.

use super::pool::lead_id;
use crate::support::server::Database;
use lead_pipeline::store::{ConnectSettings, connect, partition_of};
use std::fmt::Write;
use std::time::Duration;

/// Rows of one copy.
const CHUNK: usize = 100_000;

/// Makes the tables in an empty database, with so many leads in so many partitions.
pub async fn fill(url: &str, leads: usize, partitions: i32) {
    let settings = ConnectSettings {
        url: url.to_owned(),
        read_connections: 2,
        read_patience: Duration::from_mins(1),
        connect_timeout: Duration::from_secs(10),
        partitions,
        allow_unsafe: false,
    };
    connect(&settings).await.expect("the database is fit to serve").close().await;
    let mut database = Database::connect(url).await;
    let indexes = "select string_agg(pg_get_indexdef(indexrelid), '; ') from pg_index
        where indrelid in ('leads'::regclass, 'entries'::regclass) and not indisprimary";
    let indexes: String = sqlx::query_scalar(indexes).fetch_one(&mut database.0).await.expect("indexes");
    // Made anew at the end: sooner than kept up row by row.
    let names = "select string_agg(indexrelid::regclass::text, ', ') from pg_index
        where indrelid in ('leads'::regclass, 'entries'::regclass) and not indisprimary";
    let names: String = sqlx::query_scalar(names).fetch_one(&mut database.0).await.expect("indexes");
    database.run(&format!("drop index {names}")).await;
    let mut heads = vec![0; partitions as usize];
    for first in (0..leads).step_by(CHUNK) {
        copy(&mut database, first..(first + CHUNK).min(leads), &mut heads).await;
    }
    for (partition, position) in heads.iter().enumerate() {
        let set = format!("position = {position}, tag = {position}");
        database.run(&format!("update heads set {set} where partition = {partition}")).await;
    }
    database.run(&indexes).await;
    for table in ["leads", "entries", "heads"] {
        database.run(&format!("vacuum analyze {table}")).await;
    }
    database.run("checkpoint").await;
}

async fn copy(database: &mut Database, numbers: std::ops::Range<usize>, heads: &mut [i64]) {
    let (mut leads, mut entries) = (String::new(), String::new());
    for number in numbers {
        let id = lead_id(number);
        let partition = partition_of(&id, heads.len() as i32);
        let position = &mut heads[partition as usize];
        *position += 1;
        let agent = number % 50;
        writeln!(
            leads,
            "{partition}\t{id}\tagent-{agent:02}\t1\t{position}\t1\t1\t\\N\t1\t1\t1\t0\t0\t2026-01-01\t2026-01-01"
        )
        .expect("memory");
        let request = uuid::Uuid::from_u64_pair(0x0199_0000_0000_7000, 0x8000_0000_0000_0000 | number as u64);
        writeln!(
            entries,
            "{partition}\t{position}\t{id}\tagent-{agent:02}\t1\t0\t\\N\t1\t\\N\tf\t0\t\\N\t3\tunknown\t\t{request}\t\
             \\\\x00112233445566778899aabbccddeeff\t\\N\t2026-01-01\t{position}"
        )
        .expect("memory");
    }
    let columns = "partition, lead_id, agent_id, version, tag, stage, furthest_stage, dead_reason, email, sms, voice, \
                   email_failures, phone_failures, created_at, stage_entered_at";
    send(database, &format!("copy leads ({columns}) from stdin"), leads).await;
    let columns = "partition, position, lead_id, agent_id, version, step, from_stage, to_stage, dead_reason, \
                   dead_raised, cause, details, actor_kind, actor_id, reason, request_id, digest, occurred_at, \
                   recorded_at, tag";
    send(database, &format!("copy entries ({columns}) from stdin"), entries).await;
}

async fn send(database: &mut Database, statement: &str, rows: String) {
    let mut copy = database.0.copy_in_raw(statement).await.expect("a copy begins");
    copy.send(rows.into_bytes()).await.expect("rows are taken");
    copy.finish().await.expect("rows are stored");
}
