//! A Postgres that a test operates as an administrator would: backups, standbys, failovers, restores, behind one
//! address that clients know.

use super::folder::Folder;
use super::server::Database;
use super::wait::{eventually, within};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::os::unix::fs::{chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::process::{Child, Command};

/// Every cluster has a socket folder of its own, so that they may all have the same port.
const PORT: u16 = 5432;

/// The database user, and owner of everything.
const USER: &str = "operator";

/// The place of all clusters, and the address behind which one of them is found.
pub struct Operated {
    folder: Folder,
    programs: PathBuf,
    account: Option<(u32, u32)>,
    clusters: AtomicU32,
}

/// One data folder; what runs in it ends with it.
pub struct Cluster {
    data: PathBuf,
    socket: PathBuf,
    running: Option<Child>,
}

/// The user to run Postgres as, which refuses to run as root; none if it can be our own.
async fn account() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    for name in ["postgres", "nobody"] {
        if let (Some(user), Some(group)) = (id(&["-u", name]).await, id(&["-g", name]).await) {
            return Some((user, group));
        }
    }
    panic!("no user to run Postgres as");
}

async fn id(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(arguments).output().await.expect("id runs");
    String::from_utf8(output.stdout).expect("a number").trim().parse().ok()
}

/// Where this machine's Postgres programs are.
async fn programs() -> PathBuf {
    let setup = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/setup");
    let output = Command::new(setup).arg("postgres-folder").output().await.expect("it runs");
    let folder = PathBuf::from(String::from_utf8(output.stdout).expect("a path").trim());
    // A link may lead to one program alone; all of them are where it leads.
    let real = fs::canonicalize(folder.join("postgres")).expect("Postgres is installed");
    real.parent().expect("a folder").to_owned()
}

impl Operated {
    /// A place without clusters.
    pub async fn new() -> Self {
        let (account, programs) = tokio::join!(account(), programs());
        let folder = Folder::new().expect("a temporary folder");
        let operated = Self { folder, programs, account, clusters: AtomicU32::new(1) };
        operated.own(operated.folder.path());
        operated
    }

    /// The URL that clients know, whichever cluster is behind it.
    pub fn url(&self) -> String {
        url(&self.address())
    }

    fn address(&self) -> PathBuf {
        self.folder.path().join("address")
    }

    /// From now on clients that connect find this cluster.
    pub fn put_in_place(&self, cluster: &Cluster) {
        // Renamed over the old one: there is no moment without an address.
        let new = self.folder.path().join("address.new");
        symlink(&cluster.socket, &new).expect("a link");
        fs::rename(&new, self.address()).expect("the link moves");
    }

    /// A new cluster, which runs.
    pub async fn init(&self) -> Cluster {
        let mut cluster = self.cluster();
        let mut initdb = self.command("initdb");
        initdb.args(["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--username", USER, "--pgdata"]);
        succeed(initdb.arg(&cluster.data)).await;
        self.start(&mut cluster).await;
        cluster
    }

    /// A base backup of a running cluster, in a folder of its own.
    pub async fn base_backup(&self, of: &Cluster) -> Cluster {
        self.copy(of, &[]).await
    }

    /// A running standby of a cluster, which gets what the cluster commits when it gets it: nobody waits for it.
    pub async fn standby(&self, of: &Cluster) -> Cluster {
        let mut standby = self.copy(of, &["--write-recovery-conf"]).await;
        self.start(&mut standby).await;
        standby
    }

    async fn copy(&self, of: &Cluster, flags: &[&str]) -> Cluster {
        let copy = self.cluster();
        let mut backup = self.command("pg_basebackup");
        backup.args(["--checkpoint=fast", "--no-sync", "--username", USER, "--port", &PORT.to_string()]).args(flags);
        succeed(backup.arg("--host").arg(&of.socket).arg("--pgdata").arg(&copy.data)).await;
        copy
    }

    /// Starts Postgres and waits until it accepts connections.
    pub async fn start(&self, cluster: &mut Cluster) {
        let log = File::options().create(true).append(true).open(cluster.data.with_extension("log")).expect("a log");
        let mut postgres = self.command("postgres");
        postgres.arg("-D").arg(&cluster.data).args(["-c", "listen_addresses=", "-c", &format!("port={PORT}")]);
        postgres.arg("-c").arg(format!("unix_socket_directories={}", cluster.socket.display()));
        for setting in ["fsync=off", "max_connections=60", "shared_buffers=64MB", "autovacuum_naptime=1s"] {
            postgres.args(["-c", setting]);
        }
        postgres.stdout(Stdio::null()).stderr(log);
        cluster.running = Some(postgres.spawn().expect("Postgres starts"));
        let url = cluster.url();
        eventually("Postgres to accept connections", async || Database::try_connect(&url).await).await;
    }

    /// A cluster that isn't there yet.
    fn cluster(&self) -> Cluster {
        let number = self.clusters.fetch_add(1, Ordering::Relaxed);
        let path = |kind| self.folder.path().join(format!("{kind}{number}"));
        let cluster = Cluster { data: path("data"), socket: path("at"), running: None };
        fs::create_dir(&cluster.socket).expect("a folder");
        self.own(&cluster.socket);
        cluster
    }

    fn own(&self, path: &Path) {
        if let Some((user, group)) = self.account {
            chown(path, Some(user), Some(group)).expect("root gives it away");
        }
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.current_dir(self.folder.path()).stdin(Stdio::null()).process_group(0);
        if let Some((user, group)) = self.account {
            command.uid(user).gid(group);
        }
        command
    }
}

impl Cluster {
    /// The URL of this cluster, wherever clients are led.
    pub fn url(&self) -> String {
        url(&self.socket)
    }

    pub async fn database(&self) -> Database {
        Database::connect(&self.url()).await
    }

    /// Ends without a word to anyone.
    pub async fn crash(&mut self) {
        let mut running = self.running.take().expect("it runs");
        let pid = running.id().and_then(|pid| Pid::from_raw(pid.cast_signed())).expect("a process");
        kill_process(pid, Signal::QUIT).expect("the signal is sent");
        within("the end of Postgres", running.wait()).await.expect("its exit code");
    }

    /// Waits until a standby shows everything that a cluster has committed.
    pub async fn replays_all_of(&self, cluster: &Cluster) {
        self.reaches("pg_last_wal_replay_lsn()", cluster).await;
    }

    /// Waits until a standby has received everything that a cluster has committed, whether it shows it or not.
    pub async fn receives_all_of(&self, cluster: &Cluster) {
        self.reaches("pg_last_wal_receive_lsn()", cluster).await;
    }

    async fn reaches(&self, place: &str, cluster: &Cluster) {
        let committed = cluster.database().await.number("pg_current_wal_lsn() - '0/0'").await;
        let (mut standby, place) = (self.database().await, format!("{place} - '0/0'"));
        eventually("the standby", async || (standby.number(&place).await >= committed).then_some(())).await;
    }

    /// Stops a standby from getting anything more.
    pub async fn cut_off(&self) {
        let mut standby = self.database().await;
        standby.run("alter system set primary_conninfo = ''").await;
        standby.run("select pg_reload_conf()").await;
        let receivers = "select count(*) from pg_stat_wal_receiver";
        eventually("the end of the replication", async || (standby.number(receivers).await == 0).then_some(())).await;
    }

    /// Makes a standby a primary.
    pub async fn promote(&self) {
        let promoted = self.database().await.number("pg_promote()::int").await;
        assert_eq!(promoted, 1, "the standby is a primary now");
    }
}

fn url(socket: &Path) -> String {
    let host = socket.display().to_string().replace('/', "%2F");
    format!("postgres://{USER}@{host}:{PORT}/postgres?sslmode=disable")
}

async fn succeed(command: &mut Command) {
    let output = within("a program of Postgres", command.output()).await.expect("it starts");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
