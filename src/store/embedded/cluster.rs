//! The cluster: made once, started or adopted, stopped. One at a time has it: see the lock in [`super::place`].

use std::{
    fs::{self, File},
    io::{self, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    process::Stdio,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use sqlx::{Connection as _, PgConnection, postgres::PgConnectOptions};
use tokio::time::{Instant, sleep, timeout};

use super::{
    account::Account,
    connection_url,
    error::EmbeddedError,
    place::{DataDir, Place},
    postmaster::{Postmaster, remove_foreign_locks, says_ready},
    programs::{self, Programs},
    settings::Settings,
};

/// Between two looks whether a starting Postgres accepts connections: nothing tells when it does.
const READY_LOOK: Duration = Duration::from_millis(20);
/// Between two attempts to start while leftovers of a killed Postgres hold its shared memory.
const LEFTOVER_LOOK: Duration = Duration::from_millis(200);
/// Between two log lines of a start that takes long.
const PROGRESS: Duration = Duration::from_secs(10);
/// How long one attempt to connect may take: a stopped process accepts and says nothing.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// After the signal that ends Postgres at once.
const LAST_LIMIT: Duration = Duration::from_secs(10);
/// How long a lock that is taken may turn out to be a leftover.
const LOCK_LIMIT: Duration = Duration::from_secs(1);
/// Begins the name of a cluster that isn't whole yet.
const HALF_MADE: &str = "data.half-";
/// As much of the log as an error carries.
const TAIL_BYTES: u64 = 4096;

/// Of this process.
static ATTEMPTS: AtomicU32 = AtomicU32::new(0);

/// A cluster that is ours alone.
#[derive(Debug)]
pub(super) struct Cluster {
    settings: Settings,
    place: Place,
    programs: Programs,
    socket_dir: PathBuf,
    arguments: Vec<String>,
    /// Set from the moment a process exists: whoever cancels a start can still stop it.
    postmaster: Option<Postmaster>,
}

/// Locks the folder. A lock that was let go of may live on for a moment in a process that is just being started and
/// hasn't closed its copies of our files yet, so one refusal isn't believed.
async fn lock(path: &Path) -> Result<DataDir, EmbeddedError> {
    let give_up = Instant::now() + LOCK_LIMIT;
    loop {
        match DataDir::lock(path) {
            Err(EmbeddedError::InUse { .. }) if Instant::now() < give_up => sleep(READY_LOOK).await,
            result => return result,
        }
    }
}

impl Cluster {
    /// Locks the folder, finds the programs, and makes the cluster if there is none yet.
    pub(super) async fn open(settings: Settings) -> Result<Self, EmbeddedError> {
        let data_dir = lock(&settings.data_dir).await?;
        let account = Account::for_home(&data_dir.home()?)?;
        let found = programs::find_all(settings.programs.as_deref(), &account).await;
        let newest = programs::choose(&found, None)?;
        let place = data_dir.settle(account, &newest, &settings.fallback_root).await?;
        let data = place.data();
        let version = place.cluster_version()?;
        let programs = programs::choose(&found, version.as_deref().map(|version| (version, data.as_path())))?;
        let socket_dir = place.socket_dir()?;
        let arguments = settings.arguments(&data, &socket_dir);
        let cluster = Self { settings, place, programs, socket_dir, arguments, postmaster: None };
        cluster.remove_half_made()?;
        if version.is_none() {
            cluster.init().await?;
        }
        cluster.place.point_to_home()?;
        Ok(cluster)
    }

    /// The connection URL of one of its databases.
    pub(super) fn url(&self, database: &str) -> String {
        connection_url(&self.socket_dir, database)
    }

    /// Keeps the log short.
    pub(super) fn trim_log(&self) {
        if let Err(error) = self.place.trim_log(self.settings.log_limit_bytes) {
            tracing::warn!(%error, "Postgres's log can't be cut");
        }
    }

    /// Makes the cluster beside its place and moves it there when it is whole: a start that dies in between leaves
    /// nothing that could be taken for a cluster.
    async fn init(&self) -> Result<(), EmbeddedError> {
        let (home, data) = (self.place.home(), self.place.data());
        // A name no other process has heard of: the initdb of a killed server may still be at work under its own.
        let attempt = ATTEMPTS.fetch_add(1, Ordering::Relaxed);
        let half = home.join(format!("{HALF_MADE}{}-{attempt}", std::process::id()));
        let initdb = self.programs.program("initdb");
        tracing::info!(data = %data.display(), version = self.programs.major(), "making a new Postgres cluster");
        let mut command = self.place.account.command(&initdb, home);
        command.args(self.settings.init_arguments(&half)).kill_on_drop(true);
        let output = timeout(self.settings.init_limit, command.output())
            .await
            .map_err(|_| EmbeddedError::TooSlow { program: initdb.clone(), limit: self.settings.init_limit })?
            .map_err(|source| EmbeddedError::Spawn { program: initdb, source })?;
        if !output.status.success() {
            let output = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            return Err(EmbeddedError::Initdb { path: data, output: output.concat() });
        }
        fs::rename(&half, &data)
            .and_then(|()| File::open(home)?.sync_all())
            .map_err(EmbeddedError::folder("move the new cluster to", data))
    }

    /// Removes what starts that died left behind.
    fn remove_half_made(&self) -> Result<(), EmbeddedError> {
        let home = self.place.home();
        let entries = fs::read_dir(home).map_err(EmbeddedError::folder("list", home))?;
        for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(HALF_MADE)) {
            tracing::info!(folder = %entry.path().display(), "removing a cluster that was left half-made");
            if let Err(error) = fs::remove_dir_all(entry.path()) {
                tracing::warn!(folder = %entry.path().display(), %error, "it can't be removed");
            }
        }
        Ok(())
    }

    /// Adopts the live Postgres or starts one, and waits until it accepts connections. Gives its process id.
    pub(super) async fn launch(&mut self) -> Result<u32, EmbeddedError> {
        let began = Instant::now();
        let data = self.place.data();
        loop {
            let log_start = fs::metadata(self.place.log()).map_or(0, |found| found.len());
            let live = Postmaster::find(&data);
            let adopted = live.is_some();
            if live.is_some() {
                self.postmaster = live;
                if !self.runs_as_asked() {
                    tracing::info!("Postgres runs already, with other settings: starting it again");
                    self.shut_down().await?;
                    continue;
                }
                tracing::info!("Postgres runs already: adopting it");
            } else {
                self.spawn()?;
            }
            if let Some(pid) = self.wait_until_ready(log_start).await? {
                return Ok(pid);
            }
            // It ended. That heals itself if it was on its way out already, or if another one is: nothing else does.
            let tail = self.log_tail(log_start);
            if !adopted {
                if !ended_because_of_leftovers(&tail) || began.elapsed() > self.settings.leftover_limit {
                    return Err(EmbeddedError::Start { path: data, log: self.place.log().into(), tail });
                }
                sleep(LEFTOVER_LOOK).await;
            }
        }
    }

    /// Waits until Postgres is gone; for ever if none was launched.
    pub(super) async fn gone(&mut self) {
        match &mut self.postmaster {
            Some(postmaster) => postmaster.gone().await,
            None => std::future::pending().await,
        }
        self.postmaster = None;
    }

    /// Stops Postgres in order, at once if that takes too long, and waits until it is gone.
    pub(super) async fn shut_down(&mut self) -> Result<(), EmbeddedError> {
        let Some(postmaster) = &mut self.postmaster else {
            return Ok(());
        };
        let pid = postmaster.pid();
        postmaster.stop_fast();
        if timeout(self.settings.stop_limit, postmaster.gone()).await.is_err() {
            tracing::warn!(pid, "Postgres takes too long to stop: ending it at once");
            postmaster.stop_at_once();
            if timeout(LAST_LIMIT, postmaster.gone()).await.is_err() {
                return Err(EmbeddedError::Stop { path: self.place.data(), pid });
            }
        }
        self.postmaster = None;
        // One in the temporary folder would stay for ever; the one in the home is no matter.
        if !self.socket_dir.starts_with(self.place.home()) {
            let _ = fs::remove_dir(&self.socket_dir);
        }
        tracing::info!(pid, "Postgres stopped");
        Ok(())
    }

    fn spawn(&mut self) -> Result<(), EmbeddedError> {
        // Each time, because a cleaner of temporary folders may have been here.
        let socket_dir = self.place.socket_dir()?;
        let data = self.place.data();
        remove_foreign_locks(&data, &socket_dir).map_err(EmbeddedError::folder("remove a stale lock of", &data))?;
        let program = self.programs.program("postgres");
        let log = self.place.open_log()?;
        let also = log.try_clone().map_err(EmbeddedError::folder("open", self.place.log()))?;
        let mut command = self.place.account.command(&program, self.place.home());
        command.args(&self.arguments).stdout(Stdio::from(log)).stderr(Stdio::from(also));
        // A group of its own: Ctrl-C in our terminal is for us, who let requests finish first.
        let child = command.process_group(0).spawn().map_err(|source| EmbeddedError::Spawn { program, source })?;
        self.postmaster = Some(Postmaster::started(child, data));
        Ok(())
    }

    /// Whether the live Postgres was started with the arguments it would get now.
    fn runs_as_asked(&self) -> bool {
        let mut expected = self.programs.program("postgres").display().to_string();
        for argument in &self.arguments {
            expected.push_str(" \"");
            expected.push_str(argument);
            expected.push('"');
        }
        fs::read_to_string(self.place.data().join("postmaster.opts")).is_ok_and(|opts| opts.trim_end() == expected)
    }

    /// The process id once it accepts connections; none if it ended before.
    async fn wait_until_ready(&mut self, log_start: u64) -> Result<Option<u32>, EmbeddedError> {
        let (url, data) = (self.url("postgres"), self.place.data());
        let Some(postmaster) = &mut self.postmaster else {
            return Ok(None);
        };
        let pid = postmaster.pid();
        let mut told = Instant::now();
        let ready = async {
            while !(says_ready(pid, &data) && answers(&url, &data).await?) {
                sleep(READY_LOOK).await;
                if told.elapsed() > PROGRESS {
                    tracing::info!(pid, log = %self.place.log().display(), "Postgres is still starting (a recovery takes its time)");
                    told = Instant::now();
                }
            }
            Ok::<_, EmbeddedError>(Some(pid))
        };
        let outcome = tokio::select! {
            () = postmaster.gone() => Ok(None),
            outcome = timeout(self.settings.start_limit, ready) => outcome.unwrap_or_else(|_| {
                Err(EmbeddedError::NotReady {
                    path: data,
                    limit: self.settings.start_limit,
                    log: self.place.log().into(),
                    tail: self.log_tail(log_start),
                })
            }),
        };
        if let Ok(None) = outcome {
            self.postmaster = None;
        }
        outcome
    }

    /// The end of what Postgres logged since.
    fn log_tail(&self, since: u64) -> String {
        let read = || -> io::Result<String> {
            let mut file = File::open(self.place.log())?;
            let end = file.metadata()?.len();
            let start = since.min(end).max(end.saturating_sub(TAIL_BYTES));
            file.seek(SeekFrom::Start(start))?;
            let mut bytes = Vec::new();
            file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned())
        };
        read().unwrap_or_else(|error| format!("(it can't be read: {error})"))
    }
}

impl Drop for Cluster {
    /// A start that is given up and a runtime that ends without [`Cluster::shut_down`] leave no Postgres behind either.
    fn drop(&mut self) {
        if let Some(postmaster) = &self.postmaster {
            postmaster.stop_fast();
        }
    }
}

/// Whether Postgres answers on the socket, and is the one that runs `data`.
async fn answers(url: &str, data: &Path) -> Result<bool, EmbeddedError> {
    let failed = |source| EmbeddedError::Database { action: "connect", source };
    let options: PgConnectOptions = url.parse().map_err(failed)?;
    let ask = async {
        let mut connection = PgConnection::connect_with(&options).await?;
        let answer: String = sqlx::query_scalar("show data_directory").fetch_one(&mut connection).await?;
        connection.close().await?;
        Ok(answer)
    };
    match timeout(CONNECT_LIMIT, ask).await {
        Ok(Ok(answer)) => Ok(Path::new(&answer) == data),
        Ok(Err(error)) if !may_pass(&error) => Err(failed(error)),
        _ => Ok(false),
    }
}

/// Errors of a Postgres that is starting, stopping or full of sessions; a socket that isn't there.
fn may_pass(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(error) => {
            matches!(error.code().as_deref(), Some("57P01" | "57P02" | "57P03" | "53300"))
        }
        _ => false,
    }
}

/// A killed Postgres leaves sessions that take a moment to notice; and an earlier server may have been killed just
/// after it started one.
fn ended_because_of_leftovers(log: &str) -> bool {
    ["pre-existing shared memory block", "lock file \"postmaster.pid\" already exists"]
        .iter()
        .any(|sign| log.contains(sign))
}
