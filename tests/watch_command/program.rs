//! The program `lead-pipeline watch` as a user runs it, and what it printed.

use crate::support::wait::within;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::path::Path;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

/// How a watch ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: Vec<String>,
    pub stderr: String,
}

impl Ended {
    /// Checks the exit code.
    pub fn with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }

    /// Checks that it said this.
    pub fn saying(self, words: &str) -> Self {
        assert!(self.stderr.contains(words), "{words:?}: {self:?}");
        self
    }
}

/// A watch under way.
pub struct Run {
    child: Child,
    stdout: Option<Lines<BufReader<ChildStdout>>>,
    stderr: Lines<BufReader<ChildStderr>>,
    printed: Vec<String>,
    said: String,
}

impl Run {
    /// Starts `watch` in a folder.
    pub fn start(folder: &Path, address: &str, arguments: &[&str]) -> Self {
        Self::of(folder, &[&["watch", "--address", address], arguments].concat())
    }

    /// Starts the program in a folder.
    pub fn of(folder: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_lead-pipeline"))
            .args(arguments)
            .current_dir(folder)
            .env_remove("LEAD_PIPELINE_ADDRESS")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let stdout = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let stderr = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        Self { child, stdout: Some(stdout), stderr, printed: Vec::new(), said: String::new() }
    }

    /// The next line that it prints.
    pub async fn line(&mut self) -> String {
        let stdout = self.stdout.as_mut().expect("it is read");
        let line = within("a line of the watch", stdout.next_line()).await.expect("standard output");
        let line = line.expect("it goes on");
        self.printed.push(line.clone());
        line
    }

    /// Waits until it says this on standard error.
    pub async fn says(&mut self, text: &str) {
        let saying = async {
            while let Some(line) = self.stderr.next_line().await.expect("standard error") {
                self.said.push_str(&line);
                self.said.push('\n');
                if line.contains(text) {
                    return true;
                }
            }
            false
        };
        let found = within("something that the watch says", saying).await;
        assert!(found, "it ended without saying {text:?}: {}", self.said);
    }

    /// Reads its output no more, as `head` does.
    pub fn close(&mut self) {
        self.stdout = None;
    }

    pub fn send(&self, signal: Signal) {
        let pid = self.child.id().and_then(|pid| Pid::from_raw(pid.cast_signed())).expect("it runs");
        kill_process(pid, signal).expect("it runs");
    }

    /// Waits for its end.
    pub async fn ended(mut self) -> Ended {
        let ending = async {
            let printing = async {
                while let Some(stdout) = self.stdout.as_mut()
                    && let Some(line) = stdout.next_line().await.expect("standard output")
                {
                    self.printed.push(line);
                }
            };
            let saying = async {
                while let Some(line) = self.stderr.next_line().await.expect("standard error") {
                    self.said.push_str(&line);
                    self.said.push('\n');
                }
            };
            tokio::join!(printing, saying);
            self.child.wait().await.expect("it ends")
        };
        let status = within("the end of the watch", ending).await;
        Ended { code: status.code(), stdout: self.printed, stderr: self.said }
    }
}

/// Runs `watch` to its end.
pub async fn watch(folder: &Path, address: &str, arguments: &[&str]) -> Ended {
    Run::start(folder, address, arguments).ended().await
}

/// The changes of lines, as partition and position, in their order.
pub fn positions<'a>(lines: impl IntoIterator<Item = &'a str>) -> Vec<(i64, i64)> {
    let number = |value: &Value| value.as_i64().or_else(|| value.as_str()?.parse().ok()).unwrap_or_default();
    let position = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        (number(&line["change"]["partition"]), number(&line["change"]["position"]))
    };
    lines.into_iter().map(position).collect()
}
