//! What several tests need: servers, commands, requests, a watcher that checks its own proof, a checker of databases.

pub mod checker;
pub mod cluster;
pub mod command;
pub mod errors;
pub mod exhausted;
pub mod folder;
pub mod follower;
pub mod load;
pub mod log;
pub mod operated;
pub mod process;
pub mod proxy;
pub mod raw;
pub mod requests;
pub mod server;
pub mod wait;
pub mod watcher;
