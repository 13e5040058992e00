//! The pace of a revival: EXHAUSTED leads of one agent, made EXHAUSTED again by hand before each round.

use crate::support::exhausted::Exhausted;
use crate::support::process::Process;
use crate::support::server::Database;
use crate::time::revivals::{revive, summary};
use lead_pipeline::proto::OutreachMode;
use lead_pipeline::store::embedded::EmbeddedPostgres;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

/// A database with such leads, and its server.
pub struct Revived {
    server: Process,
    url: String,
    leads: Exhausted,
    /// Entries that there have to be.
    entries: AtomicI64,
}

impl Revived {
    pub async fn start(postgres: &EmbeddedPostgres, leads: usize) -> Self {
        println!("  filling a database with {leads} EXHAUSTED leads");
        postgres.ensure_database("revived").await.expect("a database");
        let url = postgres.url("revived");
        let mut server = Process::spawn(&url, &["--listen=127.0.0.1:0"]);
        server.serves().await;
        let leads = Exhausted { agent: "anna", leads };
        leads.add_to(&url).await;
        let entries = Database::connect(&url).await.number("select count(*) from entries").await;
        Self { server, url, leads, entries: entries.into() }
    }

    /// Revives them all; how many a second, from the call to its summary.
    pub async fn run(&self) -> f64 {
        let mut database = Database::connect(&self.url).await;
        database.run("update leads set stage = 8, stage_entered_at = clock_timestamp() where stage = 2").await;
        database.run("vacuum analyze leads").await;
        let began = Instant::now();
        let revival = summary(&mut self.server.client(), revive(self.leads.agent, OutreachMode::EmailOnly)).await;
        let took = began.elapsed();
        let alive = self.leads.count(|number| !Exhausted::is_dead(number) && !Exhausted::has_no_email(number));
        assert_eq!(revival.revived, alive, "{revival:?}");
        let entries = self.entries.fetch_add(alive, Ordering::Relaxed) + alive;
        assert_eq!(database.number("select count(*) from entries").await, entries, "each has its entry");
        self.leads.leads as f64 / took.as_secs_f64()
    }
}
