//! Servers as the program that is shipped, in processes of their own: to be killed.

use super::wait::within;
use rustix::process::{Pid, Signal, kill_process};
use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::task::JoinHandle;

/// A running server; killed when dropped.
pub struct Process {
    child: Child,
    stdout: Lines<BufReader<ChildStdout>>,
    /// Reads along, so that a log nobody waits for doesn't hold the server up.
    stderr: JoinHandle<String>,
}

/// What a server that ended had to say.
pub struct Ended {
    pub status: ExitStatus,
    pub stderr: String,
}

impl Process {
    /// Starts the program; it may not serve yet.
    pub fn spawn(url: &str, flags: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_lead-pipeline"))
            .args(["serve", "--http-listen=127.0.0.1:0", "--database-url", url])
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let stdout = BufReader::new(child.stdout.take().expect("its output")).lines();
        let mut pipe = child.stderr.take().expect("its log");
        let stderr = tokio::spawn(async move {
            let mut log = String::new();
            pipe.read_to_string(&mut log).await.expect("its log");
            log
        });
        Self { child, stdout, stderr }
    }

    /// Waits for the one line that says where it serves.
    pub async fn serves(&mut self) -> SocketAddr {
        let line = within("the server's address", self.stdout.next_line()).await.expect("its output");
        let line = line.expect("a line with the address");
        let address = line.strip_prefix("lead-pipeline serves on ").expect("the line with the address");
        address.parse().expect("an address")
    }

    /// kill -9.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("killed");
    }

    /// Asks it to stop.
    pub fn terminate(&self) {
        let pid = self.child.id().and_then(|pid| Pid::from_raw(pid.cast_signed())).expect("it runs");
        kill_process(pid, Signal::TERM).expect("the signal is sent");
    }

    /// Waits for its end.
    pub async fn ended(mut self) -> Ended {
        let status = within("the end of the server", self.child.wait()).await.expect("its exit code");
        let stderr = self.stderr.await.expect("its log");
        Ended { status, stderr }
    }
}
