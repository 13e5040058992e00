//! The Python client, generated from the protos, against the real server.

use super::{in_checkout, run, skipped};
use crate::support::server::server;
use std::path::PathBuf;
use tokio::process::Command;

/// The Python that has the packages of `clients/python/requirements.txt`.
fn python() -> PathBuf {
    std::env::var_os("LEAD_PIPELINE_TEST_PYTHON").map_or_else(|| in_checkout(".tools/venv/bin/python"), PathBuf::from)
}

/// Runs a script of the client's tests against a server of its own. What it prints is shown if it fails.
async fn passes(script: &str) {
    if skipped() {
        return;
    }
    let server = server().await;
    let script = in_checkout("clients/python/tests").join(script);
    let mut command = Command::new(python());
    command.arg("-B").arg(script).arg(server.address());
    let output = run(&mut command).await;
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
    let last = out.lines().last().unwrap_or_default();
    assert!(last.ends_with(" passed, 0 failed") && !last.starts_with("0 "), "it proved nothing:\n{out}\n{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_does_what_the_contract_says() {
    passes("witness.py").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rules_in_the_protos_and_the_checks_of_the_server_agree() {
    passes("rules.py").await;
}
