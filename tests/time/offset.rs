//! The offset that tests move is for tests: a server that serves in earnest refuses it.

use crate::support::folder::Folder;
use crate::support::process::Process;
use crate::support::server::Database;
use lead_pipeline::store::embedded::{EmbeddedPostgres, Settings};

#[tokio::test]
async fn a_server_refuses_a_database_whose_time_was_moved() {
    let folder = Folder::new().expect("a temporary folder");
    // Durable: else it would be refused for that.
    let postgres = EmbeddedPostgres::start(Settings::new(folder.path())).await.expect("Postgres starts");
    postgres.ensure_database("moved").await.expect("a database");
    let url = postgres.url("moved");
    let mut server = Process::spawn(&url, &["--listen=127.0.0.1:0"]);
    server.serves().await;
    server.terminate();
    assert_eq!(server.ended().await.status.code(), Some(0));

    Database::connect(&url).await.move_time(1).await;
    let refused = Process::spawn(&url, &["--listen=127.0.0.1:0"]).ended().await;
    assert_eq!(refused.status.code(), Some(1), "{}", refused.stderr);
    assert!(refused.stderr.contains("pipeline.time_offset isn't zero"), "{}", refused.stderr);

    let mut tested = Process::spawn(&url, &["--listen=127.0.0.1:0", "--testing"]);
    tested.serves().await;
}
