//! What goes wrong outside: connections, locks, processes, the database. Nothing acknowledged is lost, and each request
//! has one effect.

mod database_comes_later;
mod kill_postgres;
mod kill_server;
mod network;
mod replicas;
mod silent_holder;
mod standby;
mod terminate;
mod unsafe_settings;
