//! Lead Pipeline: a gRPC service that knows where every sales lead stands.
//!
//! The modules, in the order data flows (upwards: each uses only those below it):

pub mod admin;
pub mod app;
pub mod cli;
pub mod config;
pub mod telemetry;

mod http;

pub mod grpc;
pub mod record;

pub mod contract;
pub mod proto;

pub mod reader;
pub mod timers;
pub mod watch;
pub mod writer;

pub mod store;

pub mod domain;
