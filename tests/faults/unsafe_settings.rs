//! A database that can lose acknowledged writes is refused, with a message that says what to change.

use crate::support::cluster::fresh_database;
use crate::support::process::Process;
use crate::support::server::Database;

async fn refused(url: &str, flags: &[&str]) -> String {
    let flags = [&["--listen=127.0.0.1:0"], flags].concat();
    let ended = Process::spawn(url, &flags).ended().await;
    assert_eq!(ended.status.code(), Some(1), "{}", ended.stderr);
    ended.stderr
}

#[tokio::test]
async fn fsync_off_is_refused_unless_it_is_a_test() {
    let url = fresh_database().await;
    let log = refused(&url, &[]).await;
    assert!(log.contains("fsync = off") && log.contains("set fsync = on in postgresql.conf"), "{log}");
    let tables = "select count(*) from pg_tables where schemaname = 'public'";
    assert_eq!(Database::connect(&url).await.number(tables).await, 0, "refused before anything is made");
    Process::serving(&url, &[]).await;
}

#[tokio::test]
async fn a_url_that_is_none_is_refused_without_its_password() {
    let log = refused("mysql://root:secret@127.0.0.1/x", &["--testing"]).await;
    assert!(log.contains("postgres://") && !log.contains("secret"), "{log}");
}

#[tokio::test]
async fn settings_that_contradict_each_other_are_refused() {
    let url = fresh_database().await;
    let log = refused(&url, &["--testing", "--page-default=100", "--page-max=10"]).await;
    assert!(log.contains("--page-default 100 is more than --page-max 10"), "{log}");
    let log = refused(&url, &["--testing", "--checkpoint-interval=100ms"]).await;
    assert!(log.contains("--checkpoint-interval"), "{log}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let url = fresh_database().await;
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = taken.local_addr().expect("an address");
    let ended = Process::spawn(&url, &["--testing", &format!("--listen={address}")]).ended().await;
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stderr.contains(&format!("can't listen on {address} (--listen)")), "{}", ended.stderr);
}
