//! A temporary folder that takes its Postgres with it.

use std::{
    fs::Permissions,
    io,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// Waits for the end of its input, which comes when the test drops the folder and also when the test program dies; then
/// ends what Postgres runs in the folder, without asking, and removes it.
const GUARDIAN: &str = r#"
cat > /dev/null
find "$1" -name postmaster.pid 2> /dev/null | while read -r file; do
    pid=$(head -n 1 "$file")
    running() { ps -o stat= -o args= -p "$pid" | grep -v '^Z' | grep -q postgres; }
    memory=$(sed -n '7s/.* //p' "$file")
    running && kill -QUIT "$pid"
    for _ in $(seq 200); do running || break; sleep 0.05; done
    ipcrm -m "$memory" # Of one that a test killed: nothing else frees it once the folder is gone.
done
rm -rf "$1"
"#;

/// Removed with all that runs in it when dropped, when a test panics and when the test program is killed.
pub struct Folder {
    path: PathBuf,
    guardian: Child,
}

impl Folder {
    /// A new folder that any user may pass through: run by root, Postgres has another user.
    pub fn new() -> io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        let path = builder.prefix("lead-pipeline-test-").permissions(Permissions::from_mode(0o755)).tempdir()?.keep();
        let guardian = Command::new("sh")
            .args(["-c", GUARDIAN, "guardian"])
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C ends the test program, whose end the guardian then sees.
            .process_group(0)
            .spawn()?;
        Ok(Self { path, guardian })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(self.guardian.stdin.take());
        self.guardian.wait().expect("the guardian can be waited for");
    }
}
