//! What goes wrong outside: connections, locks, processes, the database. Nothing acknowledged is lost, and each request
//! has one effect.

mod database_comes_later;
mod failover;
mod foreign_transaction;
mod kill_postgres;
mod kill_server;
pub mod lost_history;
mod network;
mod replicas;
mod rewind;
pub mod rolling_restart;
mod silent_holder;
mod standby;
mod terminate;
mod unsafe_settings;
