//! The calls, as clients see them. Comes in: requests. Goes out: answers, streams, and statuses with their reasons.
//! Never decides anything about a lead, and never shows a client an internal text.

mod check;
mod codec;
mod describe;
mod digest;
mod encoded;
mod follow_ups;
mod funnel;
mod observe;
mod page;
mod parse;
mod reads;
mod render;
mod revivals;
mod service;
mod status;
mod stream;
mod transport;
mod watch;
mod writes;

/// The generated server, with the watch response in its encoded form.
#[allow(clippy::all, clippy::pedantic, missing_docs)]
mod server {
    include!(concat!(env!("OUT_DIR"), "/server/leadpipeline.v1.rs"));
}

pub use encoded::EncodedResponse;
pub use render::encoded_change;
pub use service::{Calls, Service, ServiceSettings};
pub use transport::{Health, TransportSettings, serve};
