//! A server process over a database of its own, filled with leads.

use crate::support::cluster::fresh_database;
use crate::support::folder::Folder;
use crate::support::log::heads;
use crate::support::process::Process;
use crate::support::requests::{batch, batch_results, create};
use crate::support::server::{Client, Database, endpoint};
use futures::stream::{self, StreamExt};
use lead_pipeline::proto::CreateLeadRequest;
use lead_pipeline::proto::lead_pipeline_client::LeadPipelineClient;
use lead_pipeline::store::embedded::{EmbeddedPostgres, Settings};
use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;

/// How large a scenario is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// In `make test`.
    Small,
    /// In `make campaign`.
    Full,
}

impl Size {
    /// One number or the other.
    pub fn of<T>(self, small: T, full: T) -> T {
        match self {
            Self::Small => small,
            Self::Full => full,
        }
    }
}

/// Where a scenario is played. The server ends before its Postgres.
pub struct Stage {
    pub server: Process,
    pub url: String,
    /// How many leads there are.
    pub leads: usize,
    /// The number of the next write: see `load`.
    pub next: Arc<AtomicU64>,
    /// What each write gives as its reason: in a small scenario so much that a reader's windows fill soon.
    pub reason: String,
    pub _postgres: Option<(EmbeddedPostgres, Folder)>,
}

/// Agents of the leads.
pub const AGENTS: usize = 50;

pub fn lead_id(number: usize) -> String {
    format!("lead-{number:07}")
}

pub fn agent(number: usize) -> String {
    format!("agent-{:02}", number % AGENTS)
}

impl Stage {
    /// In full size the Postgres is durable, and nobody else's.
    pub async fn new(size: Size, leads: usize, flags: &[&str]) -> Self {
        let (url, postgres) = match size {
            Size::Small => (fresh_database().await, None),
            Size::Full => {
                let folder = Folder::new().expect("a temporary folder");
                let postgres = EmbeddedPostgres::start(Settings::new(folder.path())).await.expect("Postgres starts");
                postgres.ensure_database("campaign").await.expect("a database");
                (postgres.url("campaign"), Some((postgres, folder)))
            }
        };
        let server = Process::serving(&url, flags).await;
        let reason = size.of("🎉".repeat(500), String::new());
        let mut stage = Self { server, url, leads, next: Arc::default(), reason, _postgres: postgres };
        stage.fill().await;
        if size == Size::Full {
            // What filling it took is not to be seen in its memory.
            stage.server.terminate();
            let fresh = Process::serving(&stage.url, flags).await;
            std::mem::replace(&mut stage.server, fresh).ended().await;
        }
        stage
    }

    async fn fill(&self) {
        let creations = (0..self.leads).map(|n| CreateLeadRequest { agent_id: agent(n), ..create(&lead_id(n)) });
        let creations: Vec<_> = creations.collect();
        let calls = creations.chunks(1000).map(|leads| {
            let (mut client, request) = (self.server.client(), batch(leads.iter().cloned()));
            async move {
                let response = client.batch_create_leads(request).await.expect("created");
                assert!(batch_results(response).iter().all(Result::is_ok), "every lead is created");
            }
        });
        stream::iter(calls).buffer_unordered(4).collect::<Vec<()>>().await;
        // As it would be after a while.
        let mut database = Database::connect(&self.url).await;
        database.run("vacuum analyze leads").await;
        database.run("vacuum analyze entries").await;
    }

    /// Clients with a connection each.
    pub fn clients(&self, count: usize) -> Vec<Client> {
        (0..count).map(|_| self.server.client()).collect()
    }

    /// A client whose streams take little before they are read, and hold up no other stream of its connection.
    pub fn narrow_client(&self) -> Client {
        const STREAM: u32 = 16 * 1024;
        let endpoint = endpoint(self.server.address());
        let endpoint = endpoint.initial_stream_window_size(STREAM).initial_connection_window_size(1024 * STREAM);
        LeadPipelineClient::new(endpoint.connect_lazy())
    }

    /// The heads as the database has them.
    pub async fn heads(&self) -> BTreeMap<i32, i64> {
        heads(&self.url).await
    }

    /// The server's memory, and from now on the most that it has.
    pub fn watch_memory(&self) -> Memory {
        let pid = self.server.id();
        let before = memory(pid);
        let most = Arc::new(AtomicUsize::new(before));
        let seen = Arc::clone(&most);
        let looking = tokio::spawn(async move {
            loop {
                seen.fetch_max(memory(pid), Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        Memory { before, most, looking }
    }
}

/// The memory of a process while something happens, in bytes.
pub struct Memory {
    before: usize,
    most: Arc<AtomicUsize>,
    looking: JoinHandle<()>,
}

impl Memory {
    /// By how much it has grown at most.
    pub fn growth(&self) -> usize {
        self.most.load(Ordering::Relaxed).saturating_sub(self.before)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.looking.abort();
    }
}

/// The memory that a process has of its own: not the pages of its program.
fn memory(pid: u32) -> usize {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kib: usize = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default();
    kib * 1024
}
