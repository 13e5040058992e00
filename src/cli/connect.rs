//! The way to a server, the same for every command.

use crate::proto::GetAgentRequest;
use crate::proto::lead_pipeline_client::LeadPipelineClient;
use std::time::Duration;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

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

/// A client that is connected, within `patience`.
pub async fn client(address: &str, patience: Duration) -> Result<LeadPipelineClient<Channel>, Status> {
    let endpoint = endpoint(address, patience).map_err(Status::invalid_argument)?;
    let channel = endpoint.connect().await.map_err(|error| Status::from_error(error.into()))?;
    Ok(LeadPipelineClient::new(channel))
}

/// A request whose answer may take so long.
pub fn timed<T>(message: T, patience: Duration) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(patience);
    request
}

/// Fails if nobody has named the agent: it has no leads either, and more likely its name is wrong.
pub async fn known(client: &mut LeadPipelineClient<Channel>, agent_id: &str, patience: Duration) -> Result<(), Status> {
    let request = GetAgentRequest { agent_id: agent_id.to_owned() };
    client.get_agent(timed(request, patience)).await.map(drop)
}
