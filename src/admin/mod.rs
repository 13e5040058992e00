//! The commands of an operator that work on the database itself. Comes in: arguments, the database, recorded histories.
//! Goes out: what an operator wants to know, and maintenance that is safe beside running servers. Never serves anyone, and
//! never decides about a lead.

pub mod prune;
pub mod verify;

mod database;

use clap::ValueEnum;

/// How a command prints what it found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// JSON objects, for programs.
    Json,
}
