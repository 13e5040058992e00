//! Where the cluster lives: the data folder and its lock, the home Postgres's account owns, the socket's folder.
//!
//! ```text
//! DATA_DIR/lock                 held by the server that runs; the kernel releases it, also after kill -9
//! DATA_DIR/cluster-location     only if the cluster can't live in DATA_DIR: where it lives
//! DATA_DIR/postgres.log         what Postgres says; DATA_DIR/postgres.log.1 the part before
//! DATA_DIR/postgres/            the home
//! DATA_DIR/postgres/data/       the cluster
//! DATA_DIR/postgres/socket/     its socket, if the path is short enough for one
//! ```

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{account::Account, error::EmbeddedError, programs::Programs};

const POINTER: &str = "cluster-location";

/// The socket's file name follows from the port, which on a private socket can be any.
pub(super) const PORT: u16 = 5432;

/// The kernel's limit on a socket's path, without its closing zero.
const SOCKET_PATH_LIMIT: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// The data folder, locked as long as this lives.
#[derive(Debug)]
pub(super) struct DataDir {
    path: PathBuf,
    _lock: File,
}

/// The home of the cluster and what belongs to it.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) account: Account,
    home: PathBuf,
    log: PathBuf,
    hash: String,
    data_dir: DataDir,
    /// A home outside the data folder could be named by two data folders, so it has a lock of its own.
    home_lock: Option<File>,
}

impl DataDir {
    /// Makes the folder if it is missing, and locks it before anything in it is touched.
    pub(super) fn lock(path: &Path) -> Result<Self, EmbeddedError> {
        let absolute = std::path::absolute(path).map_err(EmbeddedError::folder("find", path))?;
        if !absolute.is_dir() {
            fs::create_dir_all(&absolute).map_err(EmbeddedError::folder("make the data folder", &absolute))?;
            // Root's Postgres runs as somebody else, who has to get through to the home inside.
            let mode = if rustix::process::geteuid().is_root() { 0o711 } else { 0o700 };
            fs::set_permissions(&absolute, Permissions::from_mode(mode))
                .map_err(EmbeddedError::folder("set the mode of", &absolute))?;
        }
        // One folder has one name, whichever links lead to it: the socket's place is derived from it.
        let path = fs::canonicalize(&absolute).map_err(EmbeddedError::folder("find", &absolute))?;
        if path.to_str().is_none() {
            return Err(EmbeddedError::NotUtf8 { path });
        }
        let lock = take_lock(&path.join("lock"), &path)?;
        Ok(Self { path, _lock: lock })
    }

    /// Where the cluster is, or should be.
    pub(super) fn home(&self) -> Result<PathBuf, EmbeddedError> {
        home_in(&self.path)
    }

    /// Makes sure of a home that the account owns and can reach; a new one may have to move to `fallback_root`.
    pub(super) async fn settle(
        self,
        account: Account,
        probe: &Programs,
        fallback_root: &Path,
    ) -> Result<Place, EmbeddedError> {
        let mut home = self.home()?;
        let new = is_unmade(&home, &account)?;
        if new {
            make_private_folder(&home, &account)?;
        }
        let hash = hash_of(&self.path);
        if !probe.can_run_in(&account, &home).await {
            if !new || !account.dropped() {
                return Err(EmbeddedError::Unreachable { path: home, user: account.describe() });
            }
            home = self.move_out(&home, &fallback_root.join(&hash), &account, probe).await?;
        }
        let outside = !home.starts_with(&self.path);
        let home_lock = if outside { Some(take_lock(&home.join("lock"), &home)?) } else { None };
        let log = self.path.join("postgres.log");
        Ok(Place { account, home, log, hash, data_dir: self, home_lock })
    }

    /// A clone below `/root`, say, is closed to any other account: the cluster lives elsewhere and a file says where.
    async fn move_out(
        &self,
        closed: &Path,
        home: &Path,
        account: &Account,
        probe: &Programs,
    ) -> Result<PathBuf, EmbeddedError> {
        if let Some(root) = home.parent().filter(|root| !root.is_dir()) {
            DirBuilder::new()
                .recursive(true)
                .mode(0o755)
                .create(root)
                // Once more, because the mask of the shell may have taken bits off.
                .and_then(|()| fs::set_permissions(root, Permissions::from_mode(0o755)))
                .map_err(EmbeddedError::folder("make the folder", root))?;
        }
        make_private_folder(home, account)?;
        if !probe.can_run_in(account, home).await {
            return Err(EmbeddedError::Unreachable { path: home.to_owned(), user: account.describe() });
        }
        if home.join("data").exists() {
            tracing::warn!(home = %home.display(), "the data folder is new, but a database of an earlier one with the same path is still there and is used again");
        }
        // Only an empty home is left behind, so this removes nothing else.
        let _ = fs::remove_dir(closed);
        tracing::warn!(
            user = account.describe(),
            data_dir = %self.path.display(),
            home = %home.display(),
            "the user that runs Postgres can't reach the data folder, so the database lives elsewhere"
        );
        Ok(home.to_owned())
    }
}

impl Place {
    /// The cluster's data folder.
    pub(super) fn data(&self) -> PathBuf {
        data_in(&self.home)
    }

    /// The folder its account owns.
    pub(super) fn home(&self) -> &Path {
        &self.home
    }

    /// Postgres's log.
    pub(super) fn log(&self) -> &Path {
        &self.log
    }

    /// Says in the data folder where the cluster is, once it is there, if it is elsewhere.
    pub(super) fn point_to_home(&self) -> Result<(), EmbeddedError> {
        if self.home_lock.is_none() {
            return Ok(());
        }
        let pointer = self.data_dir.path.join(POINTER);
        let half = pointer.with_extension("half");
        let write = || {
            let mut file = create_anew(&half)?;
            writeln!(file, "{}", self.home.display())?;
            file.sync_all()?;
            fs::rename(&half, &pointer)?;
            File::open(&self.data_dir.path)?.sync_all()
        };
        write().map_err(EmbeddedError::folder("write", &pointer))
    }

    /// The major version that made the cluster; none if there is no cluster yet.
    pub(super) fn cluster_version(&self) -> Result<Option<String>, EmbeddedError> {
        let data = self.data();
        match fs::read_to_string(data.join("PG_VERSION")) {
            Ok(version) => Ok(Some(version.trim().to_owned())),
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(EmbeddedError::folder("read", data)(error)),
            Err(_) if data.exists() => Err(EmbeddedError::NotACluster { path: data }),
            Err(_) => Ok(None),
        }
    }

    /// The private folder of the socket: in the home if the path is short enough, else one in the temporary folder whose
    /// name follows from the data folder's path, so that the next start finds a live Postgres there.
    pub(super) fn socket_dir(&self) -> Result<PathBuf, EmbeddedError> {
        let temporary = match std::env::temp_dir() {
            // Root's own TMPDIR may be closed to the account.
            own if !self.account.dropped() && own.is_absolute() && own.to_str().is_some() => own,
            _ => "/tmp".into(),
        };
        let name = format!("lead-pipeline-{}", self.hash);
        let fits = |folder: &PathBuf| folder.as_os_str().len() + format!("/.s.PGSQL.{PORT}").len() <= SOCKET_PATH_LIMIT;
        let folder = [self.home.join("socket"), temporary.join(&name), Path::new("/tmp").join(&name)]
            .into_iter()
            .find(fits)
            .expect("the last one is short");
        make_private_folder(&folder, &self.account)?;
        Ok(folder)
    }

    /// Opens the log for appending: Postgres writes on at its end also after it was cut (see [`Self::trim_log`]).
    pub(super) fn open_log(&self) -> Result<File, EmbeddedError> {
        let open = || {
            let file = open_no_link(&self.log, OpenOptions::new().append(true).create(true).mode(0o600))?;
            self.account.own(&self.log)?;
            Ok(file)
        };
        open().map_err(EmbeddedError::folder("open", &self.log))
    }

    /// Keeps the log and the part before it each within about `limit` bytes. Postgres holds the file open, so it is
    /// copied and cut, not renamed.
    pub(super) fn trim_log(&self, limit: u64) -> io::Result<()> {
        if fs::metadata(&self.log).map_or(0, |found| found.len()) <= limit {
            return Ok(());
        }
        io::copy(&mut File::open(&self.log)?, &mut create_anew(&self.log.with_extension("log.1"))?)?;
        open_no_link(&self.log, OpenOptions::new().write(true))?.set_len(0)
    }
}

/// The home of the data folder's cluster; `None` if there is no such folder. Locks nothing.
pub(super) fn find_home(data_dir: &Path) -> Result<Option<PathBuf>, EmbeddedError> {
    match fs::canonicalize(data_dir) {
        Ok(path) => home_in(&path).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(EmbeddedError::folder("find", data_dir)(error)),
    }
}

/// Where the cluster of a data folder is, or should be.
fn home_in(data_dir: &Path) -> Result<PathBuf, EmbeddedError> {
    let pointer = data_dir.join(POINTER);
    match fs::read_to_string(&pointer) {
        Ok(text) => {
            let home = PathBuf::from(text.trim_end_matches('\n'));
            if data_in(&home).is_dir() { Ok(home) } else { Err(EmbeddedError::Lost { pointer, home }) }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(data_dir.join("postgres")),
        Err(error) => Err(EmbeddedError::folder("read", pointer)(error)),
    }
}

/// The cluster's data folder in its home.
pub(super) fn data_in(home: &Path) -> PathBuf {
    home.join("data")
}

/// Sixteen hexadecimal digits that follow from the path.
fn hash_of(path: &Path) -> String {
    use std::{fmt::Write as _, os::unix::ffi::OsStrExt as _};
    let digest = Sha256::digest(path.as_os_str().as_bytes());
    digest[..8].iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Opens without following a link at the end of the path: some of these folders are writable by an account with fewer
/// rights than ours.
fn open_no_link(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    options.custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32).open(path)
}

/// Replaces whatever is at the path by an empty file; what a link there leads to stays as it is.
fn create_anew(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => OpenOptions::new().write(true).create_new(true).mode(0o644).open(path),
    }
}

/// Takes the advisory lock or says that `guarded` is in use.
fn take_lock(path: &Path, guarded: &Path) -> Result<File, EmbeddedError> {
    // An existing file is opened for reading only: it may be root's, of an earlier start with sudo.
    let file = open_no_link(path, OpenOptions::new().read(true))
        .or_else(|_| open_no_link(path, OpenOptions::new().read(true).append(true).create(true).mode(0o644)))
        .map_err(EmbeddedError::folder("open the lock", path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(EmbeddedError::InUse { path: guarded.to_owned() }),
        Err(TryLockError::Error(error)) => Err(EmbeddedError::folder("lock", path)(error)),
    }
}

/// Whether no cluster is in `home` yet. One that isn't the account's is refused: it would look empty where it is closed.
fn is_unmade(home: &Path, account: &Account) -> Result<bool, EmbeddedError> {
    let owner = match fs::metadata(home) {
        Ok(found) => found.uid(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(EmbeddedError::folder("look at", home)(error)),
    };
    let made = home.join("data").exists();
    // Ours and still empty: left by a start that died before it gave the folder away.
    let given_up = !made && owner == rustix::process::geteuid().as_raw();
    if owner == account.user() || given_up {
        return Ok(!made);
    }
    Err(EmbeddedError::Foreign { path: home.to_owned(), owner, user: account.describe() })
}

/// Makes a folder that only the account can enter, or checks that an existing one is such: in `/tmp` anybody could have
/// put a folder or a link of that name.
fn make_private_folder(path: &Path, account: &Account) -> Result<(), EmbeddedError> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(EmbeddedError::folder("make the folder", path)(error));
        }
        _ => {}
    }
    let found = fs::symlink_metadata(path).map_err(EmbeddedError::folder("look at", path))?;
    // Ours: just made, or left by a start that died before it gave the folder away.
    let owned = found.uid() == account.user() || found.uid() == rustix::process::geteuid().as_raw();
    if !found.is_dir() || !owned || found.mode() & 0o077 != 0 {
        return Err(EmbeddedError::Squatted { path: path.to_owned(), user: account.user() });
    }
    account.own(path).map_err(EmbeddedError::folder("give away", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_always_has_the_same_hash() {
        assert_eq!(hash_of(Path::new("/var/lib/x")), hash_of(Path::new("/var/lib/x")));
        assert_ne!(hash_of(Path::new("/var/lib/x")), hash_of(Path::new("/var/lib/y")));
        assert_eq!(hash_of(Path::new("/")).len(), 16);
    }

    #[test]
    fn a_link_or_an_open_folder_is_not_taken_for_a_private_one() {
        let folder = tempfile::tempdir().unwrap();
        let account = Account::for_home(folder.path()).unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path(), &link).unwrap();
        assert!(matches!(make_private_folder(&link, &account), Err(EmbeddedError::Squatted { .. })));
        let open = folder.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, Permissions::from_mode(0o755)).unwrap();
        assert!(matches!(make_private_folder(&open, &account), Err(EmbeddedError::Squatted { .. })));
    }

    #[test]
    fn the_lock_is_exclusive_and_ends_with_its_holder() {
        let folder = tempfile::tempdir().unwrap();
        let held = DataDir::lock(folder.path()).unwrap();
        assert!(matches!(DataDir::lock(folder.path()), Err(EmbeddedError::InUse { .. })));
        drop(held);
        DataDir::lock(folder.path()).unwrap();
    }
}
