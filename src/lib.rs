//! Lead Pipeline: a gRPC service that knows where every sales lead stands.
//!
//! The modules, in the order data flows:

pub mod domain;
pub mod store;
