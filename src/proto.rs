//! The generated messages and client of the contract. Only `grpc`, `record`, `cli` and `admin` look in here.

#![allow(clippy::all, clippy::pedantic, missing_docs)]

include!(concat!(env!("OUT_DIR"), "/messages/leadpipeline.v1.rs"));

/// Every file of the contract, with its comments and its imports.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.binpb"));
