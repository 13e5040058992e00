//! `lead-pipeline watch` and `lead-pipeline watchers`: the program itself, against servers that live and die.

mod arguments;
mod ends;
mod forms;
mod program;
mod resume;
mod servers;
mod snapshot;
mod stall;
mod watchers;
