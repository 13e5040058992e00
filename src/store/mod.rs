//! All that knows Postgres.

pub mod embedded;
