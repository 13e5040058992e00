//! Where lines go: standard output, or a file that is cut back to what the cursor stands behind.

use super::place::Written;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Where lines go.
pub enum Output {
    Standard,
    File { file: File, path: PathBuf, bytes: u64 },
}

impl Output {
    /// Opens a file behind what the cursor stands behind; what is after that was written without its cursor, and will
    /// come again.
    ///
    /// # Errors
    /// If the file isn't the one that the cursor knows.
    pub fn file(path: &Path, written: Option<&Written>) -> Result<Self, String> {
        let shown = path.display();
        let failed = |error: io::Error| format!("can't write --output-file {shown}: {error}");
        let mut file =
            OpenOptions::new().create(true).read(true).write(true).truncate(false).open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(format!("--output-file {shown} isn't a file: leave it out to write to standard output"));
        }
        match file.try_lock() {
            Ok(()) => (),
            Err(TryLockError::WouldBlock) => return Err(format!("another watch writes to --output-file {shown}")),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let path = fs::canonicalize(path).map_err(failed)?;
        // A new file is in its folder for good before a cursor stands behind it.
        File::open(path.parent().unwrap_or(&path)).and_then(|folder| folder.sync_all()).map_err(failed)?;
        let bytes = match written.filter(|written| written.file == path) {
            Some(written) if metadata.len() < written.bytes => {
                let (has, wrote) = (metadata.len(), written.bytes);
                return Err(format!(
                    "--output-file {shown} has {has} bytes, and the cursor stands behind {wrote}: bring it back, or give \
                     the name of a new file for what follows"
                ));
            }
            Some(written) => written.bytes,
            None if metadata.len() > 0 => {
                return Err(format!(
                    "--output-file {shown} has content that the cursor file doesn't know: give the name of a new file, or \
                     remove it"
                ));
            }
            None => 0,
        };
        file.set_len(bytes).and_then(|()| file.seek(SeekFrom::Start(bytes))).map_err(failed)?;
        Ok(Self::File { file, path, bytes })
    }

    /// Writes lines; they are in the system's hands afterwards, and on disk if they go to a file.
    pub fn write(&mut self, text: &str) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        match self {
            Self::Standard => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush())
            }
            Self::File { file, bytes, .. } => {
                file.write_all(text.as_bytes())?;
                file.sync_data()?;
                *bytes += text.len() as u64;
                Ok(())
            }
        }
    }

    /// How much the cursor is to stand behind.
    pub fn written(&self) -> Option<Written> {
        match self {
            Self::Standard => None,
            Self::File { path, bytes, .. } => Some(Written { file: path.clone(), bytes: *bytes }),
        }
    }
}

/// Tells when nobody reads standard output any more, also while there is nothing to write.
pub struct Reader(Option<AsyncFd<OwnedFd>>);

impl Reader {
    /// Looks at standard output. A file can't be looked at, and needn't be.
    #[expect(deprecated, reason = "an OwnedFd keeps by itself the promise that the new, unsafe function asks for")]
    pub fn of(output: &Output) -> Self {
        let Output::Standard = output else { return Self(None) };
        let stdout = io::stdout().as_fd().try_clone_to_owned();
        Self(stdout.and_then(|stdout| AsyncFd::with_interest(stdout, Interest::ERROR)).ok())
    }

    /// Waits until nobody reads any more.
    pub async fn gone(&self) {
        match &self.0 {
            Some(stdout) => drop(stdout.ready(Interest::ERROR).await),
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_cut_back_to_what_the_cursor_knows() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("out");
        let mut output = Output::file(&path, None).expect("a new file");
        output.write("one\n").expect("written");
        let written = output.written().expect("a file");
        output.write("two").expect("written");
        drop(output);
        let mut output = Output::file(&path, Some(&written)).expect("the same file");
        output.write("three\n").expect("written");
        assert_eq!(fs::read_to_string(&path).expect("the file"), "one\nthree\n");
    }

    #[test]
    fn a_file_that_the_cursor_does_not_know_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("out");
        fs::write(&path, "mine").expect("a file");
        let refused = |written: Option<&Written>| Output::file(&path, written).err().expect("refused");
        assert!(refused(None).contains("doesn't know"));
        let known = fs::canonicalize(&path).expect("a path");
        assert!(refused(Some(&Written { file: known.clone(), bytes: 5 })).contains("has 4 bytes"));
        assert!(refused(Some(&Written { file: "/other".into(), bytes: 1 })).contains("doesn't know"));
        assert_eq!(fs::read_to_string(&path).expect("the file"), "mine");
        let held = Output::file(&path, Some(&Written { file: known.clone(), bytes: 4 })).expect("known");
        assert!(refused(Some(&Written { file: known, bytes: 4 })).contains("another watch"));
        drop(held);
        assert!(Output::file(Path::new("/dev/null"), None).is_err());
    }
}
