//! Every integration test, in one program: one link, and one Postgres for the whole run.

mod embedded;
mod support;
