//! How the embedded Postgres is set up: what the caller chooses, and the arguments Postgres gets for it.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use super::place::PORT;

/// What the caller chooses; [`Settings::new`] has a default for all but the folder.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder that everything is kept in. Made if missing.
    pub data_dir: PathBuf,
    /// Whether commits are forced to the disk. False loses data when the machine stops: for tests only.
    pub durable: bool,
    /// Postgres's `max_connections`.
    pub max_connections: u32,
    /// Postgres's own cache in MiB. By default a quarter of the memory, at least 128 and at most 1024.
    pub shared_buffers_mib: u64,
    /// A folder of Postgres programs to consider before those the machine is searched for.
    pub programs: Option<PathBuf>,
    /// Where root puts a cluster whose account can't reach the data folder.
    pub fallback_root: PathBuf,
    /// How long making the cluster may take.
    pub init_limit: Duration,
    /// How long a start may take until it accepts connections; a recovery after a crash replays up to some GB.
    pub start_limit: Duration,
    /// How long sessions of a killed Postgres may hold its shared memory before a start gives up.
    pub leftover_limit: Duration,
    /// How long an orderly stop may take before Postgres is ended at once (which loses nothing).
    pub stop_limit: Duration,
    /// How large Postgres's log may grow before it is cut; as much of the part before is kept.
    pub log_limit_bytes: u64,
}

impl Settings {
    /// A durable cluster in the folder.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            durable: true,
            max_connections: 100,
            shared_buffers_mib: (memory_mib() / 4).clamp(128, 1024),
            programs: None,
            fallback_root: "/var/lib/lead-pipeline".into(),
            init_limit: Duration::from_mins(2),
            start_limit: Duration::from_mins(5),
            leftover_limit: Duration::from_mins(1),
            stop_limit: Duration::from_mins(1),
            log_limit_bytes: 16 << 20,
        }
    }

    /// Postgres's arguments. They outrank every configuration file and `alter system`, so nothing in the folder can
    /// turn durability off, and `postmaster.opts` tells what a live one runs with.
    pub(super) fn arguments(&self, data: &Path, socket_dir: &Path) -> Vec<String> {
        let sure = if self.durable { "on" } else { "off" };
        let options = [
            // A unix socket in a private folder is the only way in: hence no password.
            "listen_addresses=".to_owned(),
            format!("port={PORT}"),
            format!("unix_socket_directories={}", quoted(socket_dir)),
            "unix_socket_permissions=0700".to_owned(),
            format!("max_connections={}", self.max_connections),
            format!("shared_buffers={}MB", self.shared_buffers_mib),
            format!("fsync={sure}"),
            format!("full_page_writes={sure}"),
            // Costs little without fsync, and keeps what tests commit through a kill -9 of Postgres.
            "synchronous_commit=on".to_owned(),
            // Fewer, longer rounds between checkpoints: each makes the pages after it be logged whole once more.
            "checkpoint_timeout=15min".to_owned(),
            "max_wal_size=4GB".to_owned(),
            "wal_compression=on".to_owned(),
            "restart_after_crash=on".to_owned(),
            "timezone=UTC".to_owned(),
            "log_timezone=UTC".to_owned(),
            // Into the file that we open, cut and show.
            "log_destination=stderr".to_owned(),
            "logging_collector=off".to_owned(),
            "log_line_prefix=%m [%p] ".to_owned(),
        ];
        let mut arguments = vec!["-D".to_owned(), data.display().to_string()];
        arguments.extend(options.into_iter().flat_map(|option| ["-c".to_owned(), option]));
        arguments
    }

    /// initdb's arguments.
    pub(super) fn init_arguments(&self, data: &Path) -> Vec<String> {
        let mut arguments: Vec<String> = [
            "--auth-local=trust",
            "--auth-host=reject",
            "--encoding=UTF8",
            // Comparison by bytes: fast, and no upgrade of the system's libraries ever reorders an index.
            "--locale=C",
            "--data-checksums",
            // We clean up ourselves, and know what is ours.
            "--no-clean",
            "--username",
            super::USER,
            "--pgdata",
        ]
        .map(str::to_owned)
        .into();
        arguments.push(data.display().to_string());
        if !self.durable {
            arguments.push("--no-sync".to_owned());
        }
        arguments
    }
}

/// A folder as an element of a list: a comma in its name must not make it two.
fn quoted(folder: &Path) -> String {
    format!("\"{}\"", folder.display().to_string().replace('"', "\"\""))
}

/// The memory that we may use: of the machine, or of the container if that is less. Where neither tells, little.
fn memory_mib() -> u64 {
    let total = fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    });
    let limit = fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse::<u64>().ok());
    let machine = total.map_or(0, |kib| kib >> 10);
    limit.map_or(machine, |bytes| machine.min(bytes >> 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_cluster_that_is_not_durable_goes_without_fsync() {
        let mut settings = Settings::new("/d");
        let has = |settings: &Settings, option: &str| {
            settings.arguments(Path::new("/d"), Path::new("/s")).contains(&option.to_owned())
        };
        for option in ["fsync=on", "full_page_writes=on", "synchronous_commit=on"] {
            assert!(has(&settings, option), "{option}");
        }
        settings.durable = false;
        for option in ["fsync=off", "full_page_writes=off", "synchronous_commit=on"] {
            assert!(has(&settings, option), "{option}");
        }
    }

    #[test]
    fn a_comma_in_the_socket_folder_stays_one_folder() {
        assert_eq!(quoted(Path::new("/a,b \"c\"")), r#""/a,b ""c""""#);
    }
}
