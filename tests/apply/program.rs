//! The program `lead-pipeline apply` as a user runs it, and what it printed.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// The counts of the summary by their names.
    pub fn counts(&self) -> BTreeMap<&str, u64> {
        let count = |line: &'_ str| line[10..].split_whitespace().next()?.replace(',', "").parse().ok();
        let rows = self.stdout.lines().filter(|line| line.len() > 10);
        rows.filter_map(|line| Some((line[..10].trim_end(), count(line)?))).collect()
    }

    /// Checks that each line was applied, and these counts.
    pub fn applied(&self, expected: &[(&str, u64)]) {
        assert_eq!(self.code, Some(0), "{self:?}");
        let counts = self.counts();
        for (name, count) in [("refused", 0)].iter().chain(expected) {
            assert_eq!(counts.get(name), Some(count), "{name}: {self:?}");
        }
    }
}

/// A run under way.
pub struct Run {
    child: Child,
    stderr: Lines<BufReader<ChildStderr>>,
    read: String,
}

impl Run {
    /// Starts `apply` in a folder.
    pub fn start(folder: &Path, address: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_lead-pipeline"))
            .args(["apply", "--address", address])
            .args(arguments)
            .current_dir(folder)
            .env_remove("LEAD_PIPELINE_ADDRESS")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let stderr = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        Self { child, stderr, read: String::new() }
    }

    /// Waits until it says this on standard error.
    pub async fn says(&mut self, text: &str) {
        while let Some(line) = self.stderr.next_line().await.expect("standard error") {
            self.read.push_str(&line);
            self.read.push('\n');
            if line.contains(text) {
                return;
            }
        }
        panic!("it ended without saying {text:?}: {}", self.read);
    }

    /// Gives it this on standard input, which stays open.
    pub async fn feed(&mut self, input: &[u8]) {
        let stdin = self.child.stdin.as_mut().expect("it is piped");
        stdin.write_all(input).await.expect("it reads");
        stdin.flush().await.expect("it reads");
    }

    /// Sends Ctrl-C.
    pub fn interrupt(&self) {
        let id = self.child.id().and_then(|id| rustix::process::Pid::from_raw(id.try_into().ok()?));
        let id = id.expect("it runs");
        rustix::process::kill_process(id, rustix::process::Signal::INT).expect("it runs");
    }

    /// Waits for its end.
    pub async fn ended(mut self) -> Ended {
        drop(self.child.stdin.take());
        let mut stdout = String::new();
        let read = async {
            while let Some(line) = self.stderr.next_line().await.expect("standard error") {
                self.read.push_str(&line);
                self.read.push('\n');
            }
        };
        let mut pipe = self.child.stdout.take().expect("it is piped");
        let ((), written) = tokio::join!(read, pipe.read_to_string(&mut stdout));
        written.expect("the summary is UTF-8");
        let status = self.child.wait().await.expect("it ends");
        Ended { code: status.code(), stdout, stderr: self.read }
    }
}

/// Runs `apply` to its end.
pub async fn apply(folder: &Path, address: &str, arguments: &[&str]) -> Ended {
    Run::start(folder, address, arguments).ended().await
}

pub fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).and_then(|()| encoder.finish()).expect("memory takes it")
}
