//! A server that can be killed: this test program once more, running one test that starts Postgres and waits.

use std::{path::Path, process::Stdio};

use lead_pipeline::store::embedded::EmbeddedPostgres;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

use super::{pid, settings, write};

const FOLDER: &str = "LEAD_PIPELINE_TEST_FOLDER";
const SERVES: &str = "serves with Postgres ";

/// A server process on a folder.
pub struct Server {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Server {
    pub fn spawn(folder: &Path) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "embedded::server::body", "--ignored", "--nocapture"])
            .env(FOLDER, folder)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    /// Waits until it serves; gives the id of its Postgres.
    pub async fn serves(&mut self) -> u32 {
        loop {
            let line = self.lines.next_line().await.unwrap().expect("it serves before it ends");
            if let Some((_, pid)) = line.split_once(SERVES) {
                return pid.parse().unwrap();
            }
        }
    }

    /// As `kill -9` does, and waits until it is gone.
    pub async fn kill(mut self) {
        self.process.kill().await.unwrap();
    }
}

#[tokio::test]
#[ignore = "run as a process of its own by the tests that kill it"]
async fn body() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let postgres = EmbeddedPostgres::start(settings(Path::new(&folder))).await.unwrap();
    write(&postgres, "written by the server").await;
    println!("{SERVES}{}", pid(&postgres));
    std::future::pending::<()>().await;
}
