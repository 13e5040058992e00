//! Many EXHAUSTED leads at once, as they would be had the service made them: by copies, beside whatever server runs.

use super::server::Database;
use lead_pipeline::store::partition_of;
use std::fmt::Write;

/// Leads of one transaction.
const CHUNK: usize = 100_000;

/// An entry: from, to, the dead mark, whether it was raised, and its cause.
type Step<'a> = (&'a str, i32, &'a str, char, Cause<'a>);

/// A cause: its number, its details, and the kind and id of who did it.
type Cause<'a> = (i32, &'a str, i32, &'a str);

/// EXHAUSTED leads of one agent. Of a hundred, one is dead, and one has no email.
pub struct Exhausted {
    pub agent: &'static str,
    pub leads: usize,
}

impl Exhausted {
    pub fn id(&self, number: usize) -> String {
        format!("{}-{number:07}", self.agent)
    }

    /// The dead ones.
    pub const fn is_dead(number: usize) -> bool {
        number % 100 == 7
    }

    /// Those that have a phone only.
    pub const fn has_no_email(number: usize) -> bool {
        number % 100 == 8
    }

    pub fn count(&self, which: impl Fn(usize) -> bool) -> i64 {
        (0..self.leads).filter(|number| which(*number)).count() as i64
    }

    /// Adds them to a database.
    pub async fn add_to(&self, url: &str) {
        let mut database = Database::connect(url).await;
        for first in (0..self.leads).step_by(CHUNK) {
            self.add(&mut database, first..(first + CHUNK).min(self.leads)).await;
        }
        for table in ["leads", "entries"] {
            database.run(&format!("vacuum analyze {table}")).await;
        }
    }

    async fn add(&self, database: &mut Database, numbers: std::ops::Range<usize>) {
        // As every write: the head rows first.
        database.run("begin; select from heads order by partition for update").await;
        let now = "select greatest(max(recorded_at), clock_timestamp())::text from heads";
        let now: String = sqlx::query_scalar(now).fetch_one(&mut database.0).await.expect("a time");
        let heads = "select position from heads order by partition";
        let mut heads: Vec<i64> = sqlx::query_scalar(heads).fetch_all(&mut database.0).await.expect("heads");
        let (mut leads, mut entries) = (String::new(), String::new());
        for number in numbers {
            self.rows(number, &mut heads, &now, (&mut leads, &mut entries));
        }
        let columns = "partition, lead_id, agent_id, version, tag, stage, furthest_stage, dead_reason, email, sms, voice, \
                       email_failures, phone_failures, created_at, stage_entered_at";
        send(database, &format!("copy leads ({columns}) from stdin"), leads).await;
        let columns = "partition, position, lead_id, agent_id, version, step, from_stage, to_stage, dead_reason, \
                       dead_raised, cause, details, actor_kind, actor_id, reason, request_id, digest, occurred_at, \
                       recorded_at, tag, entered_at";
        send(database, &format!("copy entries ({columns}) from stdin"), entries).await;
        for (partition, position) in heads.iter().enumerate() {
            let set = format!("position = {position}, tag = {position}, recorded_at = '{now}'");
            database.run(&format!("update heads set {set} where partition = {partition}")).await;
        }
        database.run("commit").await;
    }

    /// A lead, created and then set EXHAUSTED by a person; the dead ones opted out in between.
    fn rows(&self, number: usize, heads: &mut [i64], now: &str, (leads, entries): (&mut String, &mut String)) {
        let (id, agent) = (self.id(number), self.agent);
        let partition = partition_of(&id, heads.len() as i32);
        let (points, email) = if Self::has_no_email(number) { ("[2]", 1) } else { ("[1, 2]", 2) };
        let created = format!("{{\"contact_points\": {points}}}");
        let (creation, by_person) = ((0, created.as_str(), 3, "unknown"), (1, "\\N", 1, "mia"));
        let steps: &[Step<'_>] = if Self::is_dead(number) {
            &[
                ("\\N", 1, "\\N", 'f', creation),
                ("1", 10, "3", 't', (115, "\\N", 3, "unknown")),
                ("10", 8, "3", 'f', by_person),
            ]
        } else {
            &[("\\N", 1, "\\N", 'f', creation), ("1", 8, "\\N", 'f', by_person)]
        };
        let position = &mut heads[partition as usize];
        for (version, (from, to, dead, raised, (cause, details, kind, actor))) in (1..).zip(steps) {
            *position += 1;
            let request =
                uuid::Uuid::from_u64_pair(0x0198_0000_0000_7000 | version, 0x8000_0000_0000_0000 | number as u64);
            let entered = if version == 1 { "\\N" } else { now };
            writeln!(
                entries,
                "{partition}\t{position}\t{id}\t{agent}\t{version}\t0\t{from}\t{to}\t{dead}\t{raised}\t{cause}\t{details}\t\
                 {kind}\t{actor}\t\t{request}\t\\\\x00112233445566778899aabbccddeeff\t\\N\t{now}\t{position}\t{entered}"
            )
            .expect("memory");
        }
        let (version, dead) = (steps.len(), steps[steps.len() - 1].2);
        writeln!(
            leads,
            "{partition}\t{id}\t{agent}\t{version}\t{position}\t8\t1\t{dead}\t{email}\t2\t2\t0\t0\t{now}\t{now}"
        )
        .expect("memory");
    }
}

async fn send(database: &mut Database, statement: &str, rows: String) {
    let mut copy = database.0.copy_in_raw(statement).await.expect("a copy begins");
    copy.send(rows.into_bytes()).await.expect("rows are taken");
    copy.finish().await.expect("rows are stored");
}
