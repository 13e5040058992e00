//! Starts and stops in order, on the folders people have.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
};

use lead_pipeline::store::embedded::{EmbeddedError, EmbeddedPostgres, Settings};
use rustix::process::{Pid, getpgid};
use sqlx::{Connection as _, PgConnection};

use super::{pid, read, settings, show, start, write};
use crate::support::{
    cluster::{fresh_database, shared_cluster},
    folder::Folder,
};

#[tokio::test]
async fn a_first_start_makes_a_durable_private_cluster() {
    let folder = Folder::new().unwrap();
    let defaults = Settings { shared_buffers_mib: 16, ..Settings::new(folder.path().join("new/data")) };
    let postgres = EmbeddedPostgres::start(defaults).await.unwrap();
    let expected = [
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("data_checksums", "on"),
        ("listen_addresses", ""),
        ("server_encoding", "UTF8"),
        ("restart_after_crash", "on"),
        ("checkpoint_timeout", "15min"),
        ("max_wal_size", "4GB"),
    ];
    for (setting, value) in expected {
        assert_eq!(show(&postgres, setting).await, value, "{setting}");
    }
    let socket_dir = show(&postgres, "unix_socket_directories").await;
    let found = fs::metadata(socket_dir.trim_matches('"')).unwrap();
    assert_eq!(found.mode() & 0o777, 0o700);
    assert_ne!(found.uid(), 0, "Postgres never is root's");
    // Ctrl-C in the terminal goes to our group.
    let id = Pid::from_raw(pid(&postgres).try_into().unwrap());
    assert_eq!(getpgid(id).unwrap(), id.unwrap());
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn a_second_start_finds_everything_again() {
    let folder = Folder::new().unwrap();
    let postgres = start(folder.path()).await;
    postgres.ensure_database("lead_pipeline").await.unwrap();
    write(&postgres, "kept").await;
    postgres.stop().await.unwrap();

    let postgres = start(folder.path()).await;
    postgres.ensure_database("lead_pipeline").await.unwrap();
    PgConnection::connect(&postgres.url("lead_pipeline")).await.unwrap().close().await.unwrap();
    assert_eq!(read(&postgres).await, ["kept"]);
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn a_second_server_on_a_live_folder_is_refused() {
    let folder = Folder::new().unwrap();
    let first = start(folder.path()).await;
    // Another name of the same folder doesn't help.
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(folder.path().join("data"), &link).unwrap();
    for data_dir in [folder.path().join("data"), link] {
        let refusal = EmbeddedPostgres::start(Settings { data_dir, ..settings(folder.path()) }).await.unwrap_err();
        assert!(matches!(refusal, EmbeddedError::InUse { .. }), "{refusal}");
        assert!(refusal.to_string().contains(folder.path().to_str().unwrap()), "{refusal}");
    }
    write(&first, "unharmed").await;
    first.stop().await.unwrap();
}

#[tokio::test]
async fn a_path_too_long_for_a_socket_works() {
    let folder = Folder::new().unwrap();
    let long = folder.path().join("long".repeat(30)).join("folder".repeat(20));
    let long_settings = || Settings { data_dir: long.clone(), ..settings(folder.path()) };
    let postgres = EmbeddedPostgres::start(long_settings()).await.unwrap();
    write(&postgres, "kept").await;
    let socket_dir = show(&postgres, "unix_socket_directories").await;
    let socket_dir = Path::new(socket_dir.trim_matches('"'));
    assert!(!socket_dir.starts_with(&long));
    assert_eq!(fs::metadata(socket_dir).unwrap().mode() & 0o777, 0o700);
    postgres.stop().await.unwrap();
    assert!(!socket_dir.exists(), "nothing stays in the temporary folder");

    let postgres = EmbeddedPostgres::start(long_settings()).await.unwrap();
    assert_eq!(read(&postgres).await, ["kept"]);
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn any_character_may_be_in_the_path() {
    let folder = Folder::new().unwrap();
    let data_dir = folder.path().join("a b,c'd\"e%2Fü#?@:\\$x");
    let postgres = EmbeddedPostgres::start(Settings { data_dir, ..settings(folder.path()) }).await.unwrap();
    write(&postgres, "kept").await;
    assert_eq!(read(&postgres).await, ["kept"]);
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn a_cluster_of_another_major_version_is_refused_by_name() {
    let folder = Folder::new().unwrap();
    start(folder.path()).await.stop().await.unwrap();
    fs::write(folder.path().join("data/postgres/data/PG_VERSION"), "9.6\n").unwrap();
    let refusal = EmbeddedPostgres::start(settings(folder.path())).await.unwrap_err();
    assert!(refusal.to_string().contains("made by Postgres 9.6"), "{refusal}");
}

#[tokio::test]
async fn a_start_that_postgres_refuses_shows_its_words() {
    let folder = Folder::new().unwrap();
    start(folder.path()).await.stop().await.unwrap();
    fs::write(folder.path().join("data/postgres/data/pg_hba.conf"), "nonsense\n").unwrap();
    let refusal = EmbeddedPostgres::start(settings(folder.path())).await.unwrap_err();
    assert!(matches!(refusal, EmbeddedError::Start { .. }), "{refusal}");
    assert!(refusal.to_string().contains("pg_hba.conf"), "{refusal}");
}

#[tokio::test]
async fn root_moves_the_cluster_out_of_a_closed_folder_and_finds_it_again() {
    if !rustix::process::geteuid().is_root() {
        return; // Only root gives its cluster to another user.
    }
    let folder = Folder::new().unwrap();
    let closed = folder.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    let inside = || Settings { data_dir: closed.join("data"), ..settings(folder.path()) };
    let postgres = EmbeddedPostgres::start(inside()).await.unwrap();
    write(&postgres, "kept").await;
    assert!(Path::new(&show(&postgres, "data_directory").await).starts_with(folder.path().join("fallback")));
    postgres.stop().await.unwrap();

    let postgres = EmbeddedPostgres::start(inside()).await.unwrap();
    assert_eq!(read(&postgres).await, ["kept"]);
    postgres.stop().await.unwrap();

    // A pointer that leads nowhere is not a reason to begin with an empty database.
    fs::rename(folder.path().join("fallback"), folder.path().join("elsewhere")).unwrap();
    let refusal = EmbeddedPostgres::start(inside()).await.unwrap_err();
    assert!(matches!(refusal, EmbeddedError::Lost { .. }), "{refusal}");
}

#[tokio::test]
async fn a_cluster_that_became_roots_is_refused_with_the_remedy() {
    if !rustix::process::geteuid().is_root() {
        return; // Only root can give it to root.
    }
    let folder = Folder::new().unwrap();
    start(folder.path()).await.stop().await.unwrap();
    std::os::unix::fs::chown(folder.path().join("data/postgres"), Some(0), Some(0)).unwrap();
    let refusal = EmbeddedPostgres::start(settings(folder.path())).await.unwrap_err();
    assert!(matches!(refusal, EmbeddedError::Foreign { owner: 0, .. }), "{refusal}");
    assert!(refusal.to_string().contains("chown -R"), "{refusal}");
}

#[tokio::test]
async fn every_test_has_a_database_of_its_own() {
    let (one, two) = (fresh_database().await, fresh_database().await);
    for url in [one, two] {
        let mut connection = PgConnection::connect(&url).await.unwrap();
        sqlx::query("create table only_here ()").execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
    assert_eq!(show(shared_cluster(), "max_connections").await, "400");
}
