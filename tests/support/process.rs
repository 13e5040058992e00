//! Servers as the program that is shipped, in processes of their own: to be killed.

use super::server::{Client, client_at};
use super::wait::within;
use rustix::process::{Pid, Signal, kill_process};
use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::TcpSocket;
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::watch;

/// A running server; killed when dropped.
pub struct Process {
    child: Child,
    stdout: Lines<BufReader<ChildStdout>>,
    stderr: watch::Receiver<String>,
    address: Option<SocketAddr>,
}

/// What a server that ended had to say.
pub struct Ended {
    pub status: ExitStatus,
    pub stderr: String,
}

impl Process {
    /// Starts the program; it may not serve yet.
    pub fn spawn(url: &str, flags: &[&str]) -> Self {
        Self::spawn_with(url, flags, &[])
    }

    /// The same with variables in its environment.
    pub fn spawn_with(url: &str, flags: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_lead-pipeline"))
            .args(["serve", "--http-listen=127.0.0.1:0", "--database-url", url])
            .args(flags)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let stdout = BufReader::new(child.stdout.take().expect("its output")).lines();
        let mut lines = BufReader::new(child.stderr.take().expect("its log")).lines();
        let (log, stderr) = watch::channel(String::new());
        // Reads along, so that a log nobody waits for doesn't hold the server up.
        tokio::spawn(async move {
            while let Some(line) = lines.next_line().await.expect("its log") {
                log.send_modify(|log| {
                    log.push_str(&line);
                    log.push('\n');
                });
            }
        });
        Self { child, stdout, stderr, address: None }
    }

    /// Starts the program and waits until it serves.
    pub async fn serving(url: &str, flags: &[&str]) -> Self {
        let mut process = Self::spawn(url, &[&["--listen=127.0.0.1:0", "--testing"], flags].concat());
        process.serves().await;
        process
    }

    /// Waits for the one line that says where it serves.
    pub async fn serves(&mut self) -> SocketAddr {
        let line = within("the server's address", self.stdout.next_line()).await.expect("its output");
        let line = line.expect("a line with the address");
        let address = line.strip_prefix("lead-pipeline serves on ").expect("the line with the address");
        let address = address.parse().expect("an address");
        self.address = Some(address);
        address
    }

    /// Waits until the log says something.
    pub async fn logged(&self, text: &str) {
        let mut stderr = self.stderr.clone();
        within("a line in the log", stderr.wait_for(|log| log.contains(text))).await.map(drop).expect("it runs");
    }

    pub fn address(&self) -> SocketAddr {
        self.address.expect("it serves")
    }

    /// The number of the process.
    pub fn id(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    pub fn client(&self) -> Client {
        client_at(self.address())
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
        // The log ends with the process.
        while within("the end of the log", self.stderr.changed()).await.is_ok() {}
        let stderr = self.stderr.borrow().clone();
        Ended { status, stderr }
    }
}

/// A port that nobody else gets, and on which a server may still listen.
pub fn reserved() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_reuseaddr(true).expect("an option");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let address = socket.local_addr().expect("an address");
    (socket, address)
}
