//! The way to a server, the same for every command.

use std::time::Duration;
use tonic::transport::Endpoint;

/// How often an idle connection is asked whether it is still there, and how long it may take to say so: a server that
/// vanished without a word is noticed, and the next attempt takes a new connection.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Where a server is, and how it is connected to, which may take as long as `patience`.
pub fn endpoint(address: &str, patience: Duration) -> Result<Endpoint, String> {
    let endpoint =
        Endpoint::from_shared(address.to_owned()).map_err(|error| format!("--address {address}: {error}"))?;
    Ok(endpoint
        .connect_timeout(patience)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT))
}
