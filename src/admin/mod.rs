//! The commands of an operator that work on the database itself. Comes in: arguments, and what the store tells. Goes out:
//! what an operator wants to know, and maintenance that is safe beside running servers. Never decides about a lead.

pub mod prune;

mod database;
