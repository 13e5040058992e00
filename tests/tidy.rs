//! The house rules, as tests: who may import whom, where SQL may stand, and how long a file may be.

use std::fs;
use std::path::{Path, PathBuf};

fn files(folder: &str, ending: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join(folder)];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path: PathBuf = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == ending) {
                let name = path.strip_prefix(root).expect("a file below").to_string_lossy().into_owned();
                found.push((name, fs::read_to_string(&path).expect("a text")));
            }
        }
    }
    assert!(!found.is_empty(), "{folder} has files");
    found
}

/// The module below `src` that a file belongs to.
fn module(name: &str) -> &str {
    let inside = name.strip_prefix("src/").unwrap_or(name);
    inside.split('/').next().unwrap_or(inside).trim_end_matches(".rs")
}

/// What each module may use of this crate.
const MAY_USE: [(&str, &[&str]); 18] = [
    ("domain", &["domain"]),
    ("store", &["domain", "store"]),
    ("reader", &["domain", "store"]),
    ("writer", &["domain", "store", "writer"]),
    ("watch", &["domain", "store", "writer", "watch"]),
    ("timers", &["domain", "store", "writer", "timers"]),
    ("proto", &[]),
    ("grpc", &["domain", "store", "reader", "writer", "watch", "timers", "proto", "grpc"]),
    ("contract", &["proto"]),
    ("record", &["proto", "contract"]),
    ("cli", &["proto", "contract", "record", "cli"]),
    ("admin", &["domain", "store", "proto", "record", "admin"]),
    ("http", &["telemetry"]),
    ("telemetry", &["config", "store"]),
    ("config", &[]),
    ("app", &["config", "grpc", "http", "reader", "store", "telemetry", "timers", "watch", "writer"]),
    (
        "lib",
        &["admin", "app", "cli", "config", "domain", "grpc", "http", "proto", "store", "telemetry", "watch", "writer"],
    ),
    ("main", &[]),
];

#[test]
fn each_module_uses_only_those_it_may() {
    for (name, text) in files("src", "rs") {
        let module = module(&name);
        let (_, allowed) = MAY_USE.iter().find(|rule| rule.0 == module).unwrap_or_else(|| panic!("no rule for {name}"));
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            for used in line.split("crate::").skip(1) {
                let used: String = used.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                // `use crate::{http, telemetry}` names several; `$crate` in a macro means this crate too.
                let names = if used.is_empty() { "" } else { used.as_str() };
                let fine = names.is_empty() || allowed.contains(&names);
                assert!(fine, "{name}:{}: {module} may not use {names}", number + 1);
            }
        }
    }
}

#[test]
fn only_the_store_talks_to_the_database() {
    for (name, text) in files("src", "rs") {
        if module(&name) != "store" {
            assert!(!text.contains("sqlx"), "{name} uses the driver");
        }
    }
}

#[test]
fn files_stay_short_and_finished() {
    for (name, text) in files("src", "rs").into_iter().chain(files("tests", "rs")) {
        let lines = text.lines().count();
        assert!(lines <= 500, "{name} has {lines} lines");
        for unfinished in [concat!("to", "do!("), concat!("unimplemen", "ted!("), concat!("db", "g!(")] {
            assert!(!text.contains(unfinished), "{name} has {unfinished}");
        }
    }
}
