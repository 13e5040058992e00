//! One Postgres for the whole test run, and a database of its own for each test.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread,
};

use lead_pipeline::store::embedded::{EmbeddedPostgres, Settings};
use tokio::runtime;

use super::folder::Folder;
use super::server::Database;

/// Enough for all tests at once.
const MAX_CONNECTIONS: u32 = 400;

static CLUSTER: OnceLock<EmbeddedPostgres> = OnceLock::new();
static DATABASES: AtomicU32 = AtomicU32::new(1);

/// The cluster of this run; the first test that asks starts it. It ends with the test program, however that ends.
pub fn shared_cluster() -> &'static EmbeddedPostgres {
    CLUSTER.get_or_init(|| {
        let (started, cluster) = mpsc::channel();
        // A thread and a runtime of its own: those of the first test end with that test.
        thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                // Never dropped: a static isn't, so its guardian has to notice the end of the program.
                let folder = Box::leak(Box::new(Folder::new().expect("a temporary folder")));
                let settings = Settings {
                    durable: false,
                    max_connections: MAX_CONNECTIONS,
                    shared_buffers_mib: 256,
                    ..Settings::new(folder.path())
                };
                let cluster = EmbeddedPostgres::start(settings).await.expect("Postgres starts");
                started.send(cluster).expect("the test waits");
                std::future::pending::<()>().await;
            });
        });
        cluster.recv().expect("Postgres started")
    })
}

/// The URL of a new empty database.
pub async fn fresh_database() -> String {
    let name = format!("test_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
    let cluster = shared_cluster();
    cluster.ensure_database(&name).await.expect("a new database");
    cluster.url(&name)
}

/// The URL of a copy of a database that nobody is connected to.
pub async fn copy_of(url: &str) -> String {
    let cluster = shared_cluster();
    let number = DATABASES.fetch_add(1, Ordering::Relaxed);
    let name_of = |number| format!("test_{number}");
    let original = (1..number).map(name_of).find(|name| cluster.url(name) == url).expect("a database of this run");
    let mut operator = Database::connect(&cluster.url("postgres")).await;
    operator.run(&format!("create database {} template {original}", name_of(number))).await;
    cluster.url(&name_of(number))
}
