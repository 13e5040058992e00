//! `lead-pipeline revive`, `lead-pipeline funnel` and `lead-pipeline leads`: the program itself, against real servers.

mod funnel;
mod leads;
mod revive;

use crate::support::command::{Ended, Run};
use std::net::{SocketAddr, TcpListener};

/// Runs a command against a server, in no folder in particular.
async fn run(command: &[&str], address: &str, arguments: &[&str]) -> Ended {
    start(command, address, arguments).ended().await
}

fn start(command: &[&str], address: &str, arguments: &[&str]) -> Run {
    Run::start(std::env::temp_dir(), &[command, &["--address", address], arguments].concat())
}

/// Checks that arguments are refused before any server is asked, and what is said then.
async fn refuses(command: &[&str], cases: &[(&[&str], &str)]) {
    for (arguments, words) in cases {
        // The text is wrapped where the terminal ends.
        let ended = run(command, "127.0.0.1:1", arguments).await.with(2);
        let said = ended.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(words), "{arguments:?}: {said}");
        assert!(ended.stdout.is_empty(), "{ended:?}");
    }
}

/// An address where nobody listens.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port")
}
