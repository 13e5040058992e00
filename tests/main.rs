//! Every integration test, in one program: one link, and one Postgres for the whole run.

mod apply;
mod bench;
mod calls;
mod campaign;
mod domain;
mod embedded;
mod faults;
mod plans;
mod pruning;
mod rules;
mod settings;
mod support;
mod tidy;
mod time;
mod time_commands;
mod verifying;
mod watch_command;
mod watching;
mod witness;
