//! The arguments of the command, and the databases it works on.

use super::program::{now, prune, start};
use crate::support::cluster::fresh_database;
use crate::support::folder::Folder;
use crate::support::requests::created;
use crate::support::server::{Database, server, server_on};
use lead_pipeline::store::embedded::{DATABASE, EmbeddedPostgres, Settings};

#[tokio::test]
async fn a_time_to_come_is_refused() {
    let server = server().await;
    let ended = prune(server.database_url(), &["--before", "2999-01-01T00:00:00Z", "--yes"]).await;
    ended.with(2).saying("--before 2999-01-01T00:00:00.000000Z is in the future");
}

#[tokio::test]
async fn wrong_arguments_are_named() {
    for (arguments, named) in [
        (&["--before", "soon"][..], "--before"),
        (&["--before", "0"], "--before"),
        (&["--yes"], "--before"),
        (&["--before", "90d", "--chunk", "0"], "--chunk"),
        (&["--before", "90d", "-o", "xml"], "--output"),
    ] {
        prune("postgres://localhost/none", arguments).await.with(2).saying(named);
    }
}

#[tokio::test]
async fn a_database_of_something_else_is_left_alone() {
    let url = fresh_database().await;
    prune(&url, &["--before", "90d", "--yes"]).await.with(1).saying("holds no pipeline");
    let tables = "select count(*) from information_schema.tables where table_schema = 'public'";
    assert_eq!(Database::connect(&url).await.number(tables).await, 0, "nothing was made in it");
}

#[tokio::test]
async fn a_database_of_another_version_is_refused() {
    let server = server().await;
    let url = server.database_url().to_owned();
    let mut database = server.database().await;
    server.stop().await;
    for (change, told) in [
        ("delete from _sqlx_migrations where version = 2", "older version"),
        (
            "insert into _sqlx_migrations values (2, '', now(), true, '', 0), (9999, '', now(), true, '', 0)",
            "another version",
        ),
    ] {
        database.run(change).await;
        prune(&url, &["--before", "90d"]).await.with(1).saying(told);
    }
}

#[tokio::test]
async fn the_servers_own_postgres_is_found_while_it_runs() {
    let folder = Folder::new().expect("a folder");
    let data_dir = folder.path().join("data");
    let arguments = ["--data-dir", data_dir.to_str().expect("UTF-8"), "--before"];
    let run = async |more: &[&str]| start(&[&arguments[..], more].concat()).ended().await;
    run(&["90d"]).await.with(1).saying("no Postgres runs in").saying("--database-url");
    assert!(!data_dir.exists(), "nothing is made");

    let settings = Settings { durable: false, max_connections: 20, shared_buffers_mib: 16, ..Settings::new(&data_dir) };
    let postgres = EmbeddedPostgres::start(settings).await.expect("Postgres starts");
    postgres.ensure_database(DATABASE).await.expect("the database");
    let server = server_on(&postgres.url(DATABASE), &[]).await;
    created(&mut server.client(), "lead-1").await;
    let before = now(server.database_url()).await;
    let found = run(&[&before, "-o", "json", "--yes"]).await.with(0);
    assert_eq!(found.document()["pruned"]["entries"], 1);
    server.stop().await;
    postgres.stop().await.expect("Postgres stops");
    run(&["90d"]).await.with(1).saying("no Postgres runs in");
}
