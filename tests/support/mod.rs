//! What several tests need: servers, requests, a watcher that checks its own proof, and a checker of whole databases.

pub mod checker;
pub mod cluster;
pub mod errors;
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
