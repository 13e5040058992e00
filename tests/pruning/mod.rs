//! `lead-pipeline prune`: old history goes, and nothing that is promised of it.

mod beside;
mod command;
mod cursors;
mod dry_run;
mod history;
mod interrupted;
mod program;
mod races;
mod retries;
