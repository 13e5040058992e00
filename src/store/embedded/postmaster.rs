//! The main process of Postgres: one that we started, or one that an earlier server left behind.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tokio::{
    process::Child,
    time::{MissedTickBehavior, interval},
};

use super::place::PORT;

/// How often a process that isn't our child is looked at: the kernel tells only a parent.
const LOOK: Duration = Duration::from_millis(100);

/// The lines of `postmaster.pid` that say where the socket is, and how far the start is (since Postgres 10), counted
/// from 1.
const PID_FILE_SOCKET_LINE: usize = 5;
const PID_FILE_STATUS_LINE: usize = 8;

/// A process that runs the cluster in `data`.
#[derive(Debug)]
pub(super) struct Postmaster {
    pid: u32,
    data: PathBuf,
    /// None for an adopted one.
    child: Option<Child>,
}

impl Postmaster {
    /// One that we just started.
    pub(super) fn started(child: Child, data: PathBuf) -> Self {
        // A child that was never waited for has an id.
        Self { pid: child.id().unwrap_or_default(), data, child: Some(child) }
    }

    /// The one that runs the cluster already, if there is one.
    pub(super) fn find(data: &Path) -> Option<Self> {
        let pid = read_pid(&data.join("postmaster.pid"))?;
        is_postmaster(pid, data).then(|| Self { pid, data: data.to_owned(), child: None })
    }

    /// The process id.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits until the process is gone.
    pub(super) async fn gone(&mut self) {
        if let Some(child) = &mut self.child {
            match child.wait().await {
                Ok(status) => return tracing::debug!(pid = self.pid, %status, "Postgres ended"),
                Err(error) => tracing::warn!(pid = self.pid, %error, "Postgres can't be waited for"),
            }
        }
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while is_postmaster(self.pid, &self.data) {
            look.tick().await;
        }
    }

    /// Asks Postgres to end all sessions and stop in order.
    pub(super) fn stop_fast(&self) {
        self.signal(Signal::INT);
    }

    /// Ends Postgres at once; the next start recovers from its log.
    pub(super) fn stop_at_once(&self) {
        self.signal(Signal::QUIT);
    }

    fn signal(&self, signal: Signal) {
        // The id of a process that was waited for, or isn't ours, may be somebody else's by now.
        let alive = match &self.child {
            Some(child) => child.id().is_some(),
            None => is_postmaster(self.pid, &self.data),
        };
        if let (true, Some(pid)) = (alive, kernel_id(self.pid))
            && let Err(error) = kill_process(pid, signal)
        {
            tracing::warn!(pid = self.pid, %error, "Postgres can't be signalled");
        }
    }
}

/// Whether the pid file says that this process accepts connections. Asking it instead would fill its log with refusals.
pub(super) fn says_ready(pid: u32, data: &Path) -> bool {
    let file = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
    let mut lines = file.lines().map(str::trim);
    lines.next() == Some(&pid.to_string()) && lines.nth(PID_FILE_STATUS_LINE - 2) == Some("ready")
}

/// The folder of the socket on which a live Postgres accepts connections.
pub(super) fn running_socket_dir(data: &Path) -> Option<PathBuf> {
    let pid = Postmaster::find(data)?.pid;
    if !says_ready(pid, data) {
        return None;
    }
    let file = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    file.lines().nth(PID_FILE_SOCKET_LINE - 1).map(PathBuf::from)
}

/// Removes the `postmaster.pid` and the socket's lock file if the id in them now belongs to another program.
///
/// After a restart of the machine or the container that is likely, and Postgres can't tell: it refuses to start as long
/// as any process of the same user has that id. The file of a dead process is left to Postgres, which also looks
/// whether sessions of the old one still hold its shared memory.
pub(super) fn remove_foreign_locks(data: &Path, socket_dir: &Path) -> io::Result<()> {
    for file in [data.join("postmaster.pid"), socket_dir.join(format!(".s.PGSQL.{PORT}.lock"))] {
        let alive = |pid| kernel_id(pid).is_some_and(|id| test_kill_process(id).is_ok());
        if let Some(pid) = read_pid(&file).filter(|&pid| alive(pid) && !is_postmaster(pid, data)) {
            tracing::info!(pid, file = %file.display(), "this lock names a process that isn't Postgres: removing it");
            fs::remove_file(file)?;
        }
    }
    Ok(())
}

/// The process id in the first line of a lock file of Postgres.
fn read_pid(file: &Path) -> Option<u32> {
    fs::read_to_string(file).ok()?.lines().next()?.trim().parse().ok()
}

fn kernel_id(pid: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(pid).ok()?)
}

/// Whether the process was started as `postgres ... -D data`. Its sessions rename themselves, and a process that ended but wasn't
/// waited for has no arguments: neither counts.
fn is_postmaster(pid: u32, data: &Path) -> bool {
    let Some(data) = data.to_str() else {
        return false;
    };
    if Path::new("/proc/self/cmdline").exists() {
        let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut arguments = arguments.split(|&byte| byte == 0);
        let program = arguments.next().unwrap_or_default();
        return program.ends_with(b"postgres") && arguments.any(|argument| argument == data.as_bytes());
    }
    let listed = Command::new("ps").args(["-ww", "-o", "command=", "-p", &pid.to_string()]).output();
    listed.is_ok_and(|output| {
        let line = String::from_utf8_lossy(&output.stdout);
        line.contains("postgres") && line.contains(&format!(" -D {data} "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_file_that_names_another_program_goes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("postmaster.pid");
        fs::write(&file, format!("{}\n{}\n", std::process::id(), folder.path().display())).unwrap();
        assert!(Postmaster::find(folder.path()).is_none());
        remove_foreign_locks(folder.path(), folder.path()).unwrap();
        assert!(!file.exists());
    }

    #[test]
    fn a_pid_file_of_a_dead_process_is_left_to_postgres() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("postmaster.pid");
        let mut dead = Command::new("true").spawn().unwrap();
        dead.wait().unwrap();
        fs::write(&file, format!("{}\n", dead.id())).unwrap();
        assert!(Postmaster::find(folder.path()).is_none());
        remove_foreign_locks(folder.path(), folder.path()).unwrap();
        assert!(file.exists());
    }
}
