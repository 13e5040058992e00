//! The commands of the program that are clients of a running server. Comes in: arguments, files, answers. Goes out:
//! calls over gRPC, and what a person or a script wants to know of them. Never looks inside the server.

pub mod apply;
pub mod funnel;
pub mod leads;
pub mod revive;
pub mod watch;
pub mod watchers;

mod connect;
mod retry;
mod say;
mod signals;
mod table;
mod values;
