//! Where the machine's Postgres programs are, and which of them fit the cluster.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::time::timeout;

use super::{account::Account, error::EmbeddedError};

/// The major versions the statements of this service were tried on.
const SUPPORTED: std::ops::RangeInclusive<u32> = 15..=18;

/// A folder counts only if all are there: packages and links that bring one without the others are common.
const NEEDED: [&str; 3] = ["postgres", "initdb", "pg_ctl"];

/// Folders beside those of PATH, `*` standing for any text: Debian, Fedora's and RHEL's PGDG, Alpine, Homebrew on both kinds of
/// Mac and on Linux, Postgres.app, the ports of macOS and FreeBSD.
const USUAL: [&str; 9] = [
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/libexec/postgresql*",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
    "/opt/local/lib/postgresql*/bin",
    "/usr/local/bin",
];

/// Printing a version is instant; a program that hangs is none of ours.
const PROBE_LIMIT: Duration = Duration::from_secs(10);

/// One installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Programs {
    folder: PathBuf,
    major: u32,
}

impl Programs {
    /// The path of one program.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The major version.
    pub(super) fn major(&self) -> u32 {
        self.major
    }

    /// Runs a program that does nothing, in `folder`: whether the account can get there, as the kernel sees it (mode bits,
    /// access lists and all).
    pub(super) async fn can_run_in(&self, account: &Account, folder: &Path) -> bool {
        version_of(&self.program("postgres"), account, folder).await.is_some()
    }
}

/// All installations that the account can run, in the order they were found.
pub(super) async fn find_all(preferred: Option<&Path>, account: &Account) -> Vec<Programs> {
    let mut folders: Vec<PathBuf> = preferred.map(Path::to_owned).into_iter().collect();
    if let Some(path) = std::env::var_os("PATH") {
        folders.extend(std::env::split_paths(&path).filter(|folder| folder.is_absolute()));
    }
    folders.extend(USUAL.iter().flat_map(|pattern| matching_folders(pattern)));
    folders.extend(told_by_pg_config(account).await);

    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for folder in folders {
        // Links (Homebrew's, an administrator's in /usr/local/bin) lead to the real folder, where the programs look for
        // each other.
        let Some(real) =
            fs::canonicalize(folder.join("postgres")).ok().and_then(|path| Some(path.parent()?.to_owned()))
        else {
            continue;
        };
        if !seen.insert(real.clone()) || !NEEDED.iter().all(|name| real.join(name).is_file()) {
            continue;
        }
        if let Some(major) = version_of(&real.join("postgres"), account, Path::new("/")).await {
            found.push(Programs { folder: real, major });
        }
    }
    found
}

/// The installation to use: of the major version the cluster was made by, else the newest supported; of equals the
/// first found.
pub(super) fn choose(found: &[Programs], demanded: Option<(&str, &Path)>) -> Result<Programs, EmbeddedError> {
    let list = || found.iter().map(|p| format!("{} in {}", p.major, p.folder.display())).collect::<Vec<_>>().join(", ");
    let supported = || found.iter().filter(|programs| SUPPORTED.contains(&programs.major));
    let newest = supported().rev().max_by_key(|programs| programs.major);
    let Some(newest) = newest else {
        let found = if found.is_empty() { String::new() } else { format!(" (only version {})", list()) };
        return Err(EmbeddedError::NoPrograms { found });
    };
    let Some((needed, path)) = demanded else {
        return Ok(newest.clone());
    };
    supported()
        .find(|programs| programs.major.to_string() == needed)
        .cloned()
        .ok_or_else(|| EmbeddedError::WrongVersion { path: path.to_owned(), needed: needed.to_owned(), found: list() })
}

/// The folders a pattern with at most one `*` in one of its parts stands for, newest name last to first.
fn matching_folders(pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once('*') else {
        return vec![pattern.into()];
    };
    let (parent, prefix) = before.rsplit_once('/').unwrap_or(("/", before));
    let Ok(entries) = fs::read_dir(parent) else {
        return Vec::new();
    };
    let mut names: Vec<_> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with(prefix))
        .collect();
    names.sort_unstable_by(|a, b| b.cmp(a));
    names.iter().map(|name| PathBuf::from(format!("{parent}/{name}{after}"))).collect()
}

async fn told_by_pg_config(account: &Account) -> Option<PathBuf> {
    let mut command = account.command(Path::new("pg_config"), Path::new("/"));
    let output = timeout(PROBE_LIMIT, command.arg("--bindir").kill_on_drop(true).output()).await.ok()?.ok()?;
    Some(PathBuf::from(String::from_utf8(output.stdout).ok()?.trim()))
}

/// The major version, if the account can run the program from that folder.
async fn version_of(postgres: &Path, account: &Account, folder: &Path) -> Option<u32> {
    let mut command = account.command(postgres, folder);
    let output = timeout(PROBE_LIMIT, command.arg("--version").kill_on_drop(true).output()).await.ok()?.ok()?;
    parse_version(std::str::from_utf8(&output.stdout).ok()?)
}

/// The major version in `postgres (PostgreSQL) 15.19 (Debian 15.19-0+deb12u1)` or `... 18beta1`.
fn parse_version(text: &str) -> Option<u32> {
    let number = text.split_once("(PostgreSQL) ")?.1;
    let end = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    number[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installed(majors: &[u32]) -> Vec<Programs> {
        majors.iter().map(|&major| Programs { folder: format!("/pg/{major}").into(), major }).collect()
    }

    #[test]
    fn versions_are_read_as_packagers_write_them() {
        assert_eq!(parse_version("postgres (PostgreSQL) 15.19 (Debian 15.19-0+deb12u1)\n"), Some(15));
        assert_eq!(parse_version("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(parse_version("something else 15\n"), None);
    }

    #[test]
    fn the_newest_supported_version_is_chosen() {
        assert_eq!(choose(&installed(&[14, 15, 17, 16, 19]), None).unwrap().major, 17);
    }

    #[test]
    fn an_existing_cluster_demands_its_own_version() {
        let path = Path::new("/data");
        assert_eq!(choose(&installed(&[15, 17]), Some(("15", path))).unwrap().major, 15);
        let refusal = choose(&installed(&[15, 17]), Some(("16", path))).unwrap_err().to_string();
        assert!(refusal.contains("made by Postgres 16") && refusal.contains("15 in /pg/15, 17 in /pg/17"), "{refusal}");
    }

    #[test]
    fn without_a_usable_version_the_refusal_says_what_to_install() {
        for (majors, says) in [(&[][..], "was found on this machine."), (&[14], "only version 14 in /pg/14")] {
            let refusal = choose(&installed(majors), None).unwrap_err().to_string();
            for part in [says, "apt-get install", "dnf install", "apk add", "brew install", "--database-url"] {
                assert!(refusal.contains(part), "{part} in {refusal}");
            }
        }
    }

    #[test]
    fn a_folder_without_all_programs_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["initdb", "postgres"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let account = Account::for_home(Path::new("/no/such/home")).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let found = runtime.block_on(find_all(Some(folder.path()), &account));
        assert!(found.iter().all(|programs| programs.folder != folder.path()));
    }
}
