//! Who runs Postgres. Postgres refuses to run as root, so root gives it to an account with fewer rights.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt, lchown},
    path::Path,
    process::Stdio,
};

use tokio::process::Command;

use super::error::EmbeddedError;

/// Of ours, only what the loader and the locale need: a database has no use for the server's secrets, and a `PGDATA` or
/// `PGPORT` of the operator's shell must not lead it elsewhere.
const KEPT_ENVIRONMENT: [&str; 4] = ["PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LOCALE_ARCHIVE"];

/// The user that owns the cluster and runs its programs.
#[derive(Clone, Debug)]
pub(super) struct Account {
    user: u32,
    group: u32,
    /// Whether we are root and step down to this account; else it is our own.
    dropped: bool,
}

impl Account {
    /// The account for a cluster in `home`, which need not exist yet.
    ///
    /// As root, whoever owns an existing home runs it: a cluster keeps its owner when a `postgres` account is installed
    /// later, or when a developer's cluster is once started with sudo.
    pub(super) fn for_home(home: &Path) -> Result<Self, EmbeddedError> {
        let owner = match fs::metadata(home) {
            Ok(found) => Some(found),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(EmbeddedError::folder("look at", home)(error)),
        };
        let own = rustix::process::geteuid();
        if !own.is_root() {
            let group = rustix::process::getegid().as_raw();
            return Ok(Self { user: own.as_raw(), group, dropped: false });
        }
        if let Some(found) = owner.filter(|found| found.uid() != 0) {
            return Ok(Self { user: found.uid(), group: found.gid(), dropped: true });
        }
        let passwd =
            fs::read_to_string("/etc/passwd").map_err(EmbeddedError::folder("read the accounts in", "/etc/passwd"))?;
        let (user, group) = ["postgres", "nobody"]
            .iter()
            .find_map(|name| find_in_passwd(&passwd, name))
            .ok_or(EmbeddedError::NoAccount)?;
        Ok(Self { user, group, dropped: true })
    }

    /// The user's id.
    pub(super) fn user(&self) -> u32 {
        self.user
    }

    /// Whether it is an account that root stepped down to.
    pub(super) fn dropped(&self) -> bool {
        self.dropped
    }

    /// The user in words.
    pub(super) fn describe(&self) -> String {
        let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let name = passwd.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            (fields.get(2)?.parse() == Ok(self.user)).then(|| fields[0].to_owned())
        });
        name.unwrap_or_else(|| format!("with id {}", self.user))
    }

    /// Makes the account the owner; what it already owns is left alone. Never follows a link.
    pub(super) fn own(&self, path: &Path) -> io::Result<()> {
        if self.dropped { lchown(path, Some(self.user), Some(self.group)) } else { Ok(()) }
    }

    /// A program run by this account in `folder`, without our environment, standard input or terminal.
    pub(super) fn command(&self, program: &Path, folder: &Path) -> Command {
        let mut command = Command::new(program);
        // The working folder has to be one the account may enter: Postgres's programs give up when they can't find out
        // where they are.
        command.current_dir(folder).stdin(Stdio::null()).env_clear();
        for name in KEPT_ENVIRONMENT {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        // English messages, because a start that has to be tried again is recognised by them; and on macOS Postgres
        // refuses to start without a locale.
        command.env("LC_ALL", "C");
        if self.dropped {
            // Dropping the user as root also drops the supplementary groups (the standard library calls setgroups).
            command.uid(self.user).gid(self.group);
        }
        command
    }
}

/// The user and group of an account; never root's.
fn find_in_passwd(passwd: &str, name: &str) -> Option<(u32, u32)> {
    // macOS writes the ids of `nobody` as -2, which is what the kernel makes of it: the same 32 bits.
    let id = |text: &str| text.parse::<i64>().ok().map(|id| id as u32);
    passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let (user, group) = (id(fields.get(2)?)?, id(fields.get(3)?)?);
        (fields[0] == name && user != 0).then_some((user, group))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_whole_name_and_never_is_root() {
        let passwd = "root:x:0:0::/root:/bin/sh\n# a comment\npostgresql:x:7:8::/:/x\npostgres:x:70:71::/:/x\nevil:x:0:5::/:/x\n";
        assert_eq!(find_in_passwd(passwd, "postgres"), Some((70, 71)));
        assert_eq!(find_in_passwd(passwd, "nobody"), None);
        assert_eq!(find_in_passwd(passwd, "evil"), None);
    }

    #[test]
    fn the_negative_ids_of_macos_are_read_as_the_kernel_does() {
        let passwd = "nobody:*:-2:-2:Unprivileged User:/var/empty:/usr/bin/false";
        assert_eq!(find_in_passwd(passwd, "nobody"), Some((u32::MAX - 1, u32::MAX - 1)));
    }
}
