//! Outside witnesses: programs that share no code with the server, nor even its language, call it over a real socket.
//! They must be there: a machine without them fails these tests, unless `LEAD_PIPELINE_TEST_SKIP_WITNESS=1` says that
//! it may. `make test` sets up both.

mod grpcurl;
mod python;

use std::path::{Path, PathBuf};
use std::process::Output;
use tokio::process::Command;

/// A file of this checkout.
fn in_checkout(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Whether whoever runs the tests did without the witnesses.
fn skipped() -> bool {
    let skipped = std::env::var("LEAD_PIPELINE_TEST_SKIP_WITNESS").is_ok_and(|value| value == "1");
    if skipped {
        eprintln!("skipped: LEAD_PIPELINE_TEST_SKIP_WITNESS=1");
    }
    skipped
}

/// Runs a witness to its end. One that can't be started fails the test, and says what to do.
async fn run(command: &mut Command) -> Output {
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    command.kill_on_drop(true).output().await.unwrap_or_else(|error| panic!("{}", missing(&program, &error)))
}

fn missing(program: &str, error: &std::io::Error) -> String {
    format!(
        "{program} can't be run ({error}): `make test` sets it up; \
         LEAD_PIPELINE_TEST_SKIP_WITNESS=1 does without it"
    )
}
