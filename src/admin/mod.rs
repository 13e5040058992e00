//! The operator's commands, which work on the database itself. Comes in: arguments, the database, recorded histories.
//! Goes out: what an operator or a script wants to know. Never serves anyone.

pub mod verify;
