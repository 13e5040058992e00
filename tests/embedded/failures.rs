//! What is killed, and what is left behind by it.

use std::{fs, path::Path, time::Duration};

use lead_pipeline::store::embedded::{EmbeddedPostgres, Settings};
use tokio::time::{sleep, timeout};

use super::{kill, pid, read, server::Server, settings, show, start, write};
use crate::support::folder::Folder;

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_mins(1);

/// Waits for what nothing tells of.
async fn until(mut holds: impl FnMut() -> bool) {
    let look = async {
        while !holds() {
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, look).await.expect("it never came true");
}

#[tokio::test]
async fn after_kill_9_of_the_server_the_next_one_adopts_its_postgres() {
    let folder = Folder::new().unwrap();
    let mut server = Server::spawn(folder.path());
    let left = server.serves().await;
    server.kill().await;

    let postgres = start(folder.path()).await;
    assert_eq!(pid(&postgres), left, "the same process");
    assert_eq!(read(&postgres).await, ["written by the server"]);
    // An adopted one is looked after and stopped like any other.
    kill(left);
    let mut running = postgres.running();
    running.wait_for(|pid| pid.is_some_and(|pid| pid != left)).await.unwrap();
    assert_eq!(read(&postgres).await, ["written by the server"]);
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn an_adopted_postgres_is_stopped_with_the_server() {
    let folder = Folder::new().unwrap();
    let mut server = Server::spawn(folder.path());
    let left = server.serves().await;
    server.kill().await;
    start(folder.path()).await.stop().await.unwrap();
    assert!(!Path::new(&format!("/proc/{left}/cwd")).exists());
    assert!(!folder.path().join("data/postgres/data/postmaster.pid").exists());
}

#[tokio::test]
async fn a_postgres_left_with_other_settings_is_started_again_with_the_new_ones() {
    let folder = Folder::new().unwrap();
    let mut server = Server::spawn(folder.path());
    let left = server.serves().await;
    server.kill().await;

    let more = Settings { max_connections: 33, durable: true, ..settings(folder.path()) };
    let postgres = EmbeddedPostgres::start(more).await.unwrap();
    assert_ne!(pid(&postgres), left);
    assert_eq!(show(&postgres, "max_connections").await, "33");
    assert_eq!(show(&postgres, "fsync").await, "on", "a durable server never adopts one that isn't");
    assert_eq!(read(&postgres).await, ["written by the server"]);
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn after_kill_9_of_both_a_start_finds_everything_again() {
    let folder = Folder::new().unwrap();
    let mut server = Server::spawn(folder.path());
    let left = server.serves().await;
    server.kill().await;
    kill(left);

    let postgres = start(folder.path()).await;
    assert_eq!(read(&postgres).await, ["written by the server"]);
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn after_kill_9_of_postgres_it_is_started_again() {
    let folder = Folder::new().unwrap();
    let postgres = start(folder.path()).await;
    let mut running = postgres.running();
    for round in ["1", "2", "3"] {
        write(&postgres, round).await;
        let old = pid(&postgres);
        kill(old);
        timeout(PATIENCE, running.wait_for(|pid| pid.is_some_and(|pid| pid != old))).await.unwrap().unwrap();
        postgres.ensure_running().await.unwrap();
    }
    assert_eq!(read(&postgres).await, ["1", "2", "3"]);
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn a_stop_right_after_a_kill_leaves_nothing_behind() {
    let folder = Folder::new().unwrap();
    let pid_file = folder.path().join("data/postgres/data/postmaster.pid");
    for look_away in [0, 50, 100, 200] {
        let postgres = start(folder.path()).await;
        kill(pid(&postgres));
        sleep(Duration::from_millis(look_away)).await; // Not a wait: the stop comes at another point of the restart.
        postgres.stop().await.unwrap();
        let left = fs::read_to_string(&pid_file).unwrap_or_default();
        let left = left.lines().next().unwrap_or("none");
        assert!(!Path::new("/proc").join(left).exists(), "Postgres {left} runs on");
    }
    // Has Postgres tidy up after the one that was killed.
    start(folder.path()).await.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_killed_while_it_makes_the_cluster_is_no_obstacle() {
    let folder = Folder::new().unwrap();
    let home = folder.path().join("data/postgres");
    let server = Server::spawn(folder.path());
    let half_made = || {
        let mut entries = fs::read_dir(&home).into_iter().flatten().flatten();
        entries.any(|entry| entry.file_name() != "data" && entry.path().join("base").exists())
    };
    until(half_made).await;
    server.kill().await;
    assert!(!home.join("data").exists());

    let postgres = start(folder.path()).await;
    write(&postgres, "kept").await;
    postgres.stop().await.unwrap();
    start(folder.path()).await.stop().await.unwrap();
    assert!(!half_made(), "nothing of the first attempt stays");
}

#[tokio::test]
async fn what_is_left_half_made_is_cleaned_up() {
    let folder = Folder::new().unwrap();
    let half = folder.path().join("data/postgres/data.half-7");
    fs::create_dir_all(&half).unwrap();
    fs::write(half.join("PG_VERSION"), "15\n").unwrap();
    let home = half.parent().unwrap();
    fs::set_permissions(home, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let postgres = start(folder.path()).await;
    assert!(!half.exists());
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn locks_that_name_another_program_are_no_obstacle() {
    let folder = Folder::new().unwrap();
    start(folder.path()).await.stop().await.unwrap();
    // As after a restart of the machine: the id that Postgres had is ours.
    let home = folder.path().join("data/postgres");
    let text = format!("{}\n{}\n1700000000\n5432\n", std::process::id(), home.join("data").display());
    for file in ["data/postmaster.pid", "socket/.s.PGSQL.5432.lock"] {
        fs::write(home.join(file), &text).unwrap();
    }
    start(folder.path()).await.stop().await.unwrap();
}

#[test]
fn a_runtime_that_ends_without_a_stop_takes_postgres_with_it() {
    let folder = Folder::new().unwrap();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let short = runtime();
    let left = short.block_on(async {
        let postgres = start(folder.path()).await;
        write(&postgres, "kept").await;
        pid(&postgres)
    });
    drop(short);
    // The next start comes while the old one is still on its way out.
    runtime().block_on(async {
        let postgres = start(folder.path()).await;
        assert_ne!(pid(&postgres), left);
        assert_eq!(read(&postgres).await, ["kept"]);
        postgres.stop().await.unwrap();
    });
}

#[tokio::test]
async fn a_start_that_is_given_up_leaves_no_postgres() {
    let folder = Folder::new().unwrap();
    start(folder.path()).await.stop().await.unwrap();
    let pid_file = folder.path().join("data/postgres/data/postmaster.pid");
    tokio::select! {
        _ = EmbeddedPostgres::start(settings(folder.path())) => {}
        () = until(|| pid_file.exists()) => {}
    }
    until(|| !pid_file.exists()).await;
    start(folder.path()).await.stop().await.unwrap();
}

#[tokio::test]
async fn the_log_is_cut_and_written_on() {
    let folder = Folder::new().unwrap();
    start(folder.path()).await.stop().await.unwrap();
    let log = folder.path().join("data/postgres.log");
    fs::OpenOptions::new().write(true).open(&log).unwrap().set_len(1 << 20).unwrap();
    // The first look at the size comes with the start.
    let small = Settings { log_limit_bytes: 1 << 19, ..settings(folder.path()) };
    let postgres = EmbeddedPostgres::start(small).await.unwrap();
    until(|| fs::metadata(&log).unwrap().len() < 1 << 19).await;
    assert!(fs::metadata(log.with_extension("log.1")).unwrap().len() >= 1 << 20);
    postgres.stop().await.unwrap();
    assert!(fs::read_to_string(&log).unwrap().contains("database system is shut down"));
}
