//! The program's commands as a user runs them, and what they printed.

use super::wait::within;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::path::Path;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// Checks the exit code.
    #[track_caller]
    pub fn with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }

    /// Checks that it said this on standard error.
    #[track_caller]
    pub fn saying(self, words: &str) -> Self {
        assert!(self.stderr.contains(words), "{words:?}: {self:?}");
        self
    }

    /// The one JSON document that it printed.
    #[track_caller]
    pub fn document(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// The lines that it printed.
    pub fn lines(&self) -> Vec<&str> {
        self.stdout.lines().collect()
    }
}

/// A run under way; killed when dropped.
pub struct Run {
    child: Child,
    stdout: Option<BufReader<ChildStdout>>,
    stderr: BufReader<ChildStderr>,
    printed: String,
    said: String,
}

impl Run {
    /// Starts the program in a folder.
    pub fn start(folder: impl AsRef<Path>, arguments: &[&str]) -> Self {
        Self::start_with(&[], folder, arguments)
    }

    /// Starts it with these variables, and none of the caller's that it would heed.
    pub fn start_with(variables: &[(&str, &str)], folder: impl AsRef<Path>, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lead-pipeline"));
        for name in ["LEAD_PIPELINE_ADDRESS", "DATABASE_URL", "LEAD_PIPELINE_DATA_DIR"] {
            command.env_remove(name);
        }
        command.args(arguments).envs(variables.iter().copied()).current_dir(folder).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let stdout = child.stdout.take().map(BufReader::new);
        let stderr = BufReader::new(child.stderr.take().expect("it is piped"));
        Self { child, stdout, stderr, printed: String::new(), said: String::new() }
    }

    /// The next line that it prints.
    pub async fn line(&mut self) -> String {
        let (stdout, mut line) = (self.stdout.as_mut().expect("it is read"), String::new());
        within("a line that it prints", stdout.read_line(&mut line)).await.expect("UTF-8");
        self.printed.push_str(&line);
        assert_eq!(line.pop(), Some('\n'), "it goes on");
        line
    }

    /// Waits until it says this on standard error.
    pub async fn says(&mut self, text: &str) {
        let saying = async {
            let mut from = self.said.len();
            while !self.said[from..].contains(text) {
                from = self.said.len();
                let read = self.stderr.read_line(&mut self.said).await.expect("UTF-8");
                assert_ne!(read, 0, "it ended without saying {text:?}: {}", self.said);
            }
        };
        within(text, saying).await;
    }

    /// Gives it this on standard input, which stays open until its end is waited for.
    pub async fn feed(&mut self, input: &[u8]) {
        let stdin = self.child.stdin.as_mut().expect("it is piped");
        within("it to read", stdin.write_all(input)).await.expect("it reads");
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
        let printing = async {
            match &mut self.stdout {
                Some(stdout) => stdout.read_to_string(&mut self.printed).await,
                None => Ok(0),
            }
        };
        let saying = self.stderr.read_to_string(&mut self.said);
        // Waiting closes standard input.
        let ending = async { tokio::try_join!(printing, saying, self.child.wait()) };
        let (_, _, status) = within("its end", ending).await.expect("UTF-8, and an exit code");
        Ended { code: status.code(), stdout: self.printed, stderr: self.said }
    }
}
