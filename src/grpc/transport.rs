//! Everything of tonic's transport: sockets, HTTP/2 limits, health, reflection.

use super::observe::Observe;
use super::server::lead_pipeline_server::LeadPipelineServer;
use super::service::Service;
use crate::proto;
use futures::stream::{self, Stream};
use std::io;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tonic::codec::CompressionEncoding;
use tonic::transport::Server;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

/// Limits of connections; all are settings of the server.
#[derive(Clone, Copy, Debug)]
pub struct TransportSettings {
    /// Calls that one connection may have open at the same time.
    pub streams: u32,
    /// The largest request, in bytes.
    pub message_bytes: usize,
    /// Bytes that may wait unread, of a call and of a connection.
    pub stream_window_bytes: u32,
    pub connection_window_bytes: u32,
    /// How often an idle connection is asked whether it is still there, and how long it may take to say so.
    pub keepalive_interval: Duration,
    pub keepalive_timeout: Duration,
}

/// The largest header block of a request, in bytes.
const HEADER_BYTES: u32 = 16 * 1024;

/// Streams that a client may make the server reset before its connection is closed: tonic sets no limit.
const ERROR_RESETS: usize = 1024;

/// The pause after a connection could not be accepted: without it, running out of descriptors is a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What the health service says.
#[derive(Clone)]
pub struct Health(HealthReporter);

impl Health {
    /// Says whether the service can be used, for "" and by its name.
    pub async fn set(&self, serving: bool) {
        let status = if serving { ServingStatus::Serving } else { ServingStatus::NotServing };
        self.0.set_service_status("", status).await;
        self.0.set_service_status(SERVICE_NAME, status).await;
    }
}

const SERVICE_NAME: &str = "leadpipeline.v1.LeadPipeline";

/// Serves until `stop` is done, and then until the calls under way are.
///
/// # Errors
/// If the transport fails as a whole.
pub async fn serve(
    listener: TcpListener,
    service: Service,
    settings: TransportSettings,
    stop: impl Future<Output = ()>,
    ready: impl FnOnce(Health),
) -> Result<(), tonic::transport::Error> {
    let (reporter, health_service) = tonic_health::server::health_reporter();
    let health = Health(reporter);
    health.set(false).await;
    ready(health);
    let pipeline = LeadPipelineServer::new(service)
        .max_decoding_message_size(settings.message_bytes)
        .accept_compressed(CompressionEncoding::Gzip)
        .send_compressed(CompressionEncoding::Gzip);
    let (v1, v1alpha) = reflection();
    Server::builder()
        .tcp_nodelay(true)
        .max_concurrent_streams(settings.streams)
        // The HTTP/2 library ends a connection with too many small frames that wait unread; how many are too many goes by
        // the connection's window. So that must have room for many streams whose triggers wait for a place.
        .initial_stream_window_size(settings.stream_window_bytes)
        .initial_connection_window_size(settings.connection_window_bytes)
        .http2_max_local_error_reset_streams(Some(ERROR_RESETS))
        .http2_max_header_list_size(HEADER_BYTES)
        .http2_keepalive_interval(Some(settings.keepalive_interval))
        .http2_keepalive_timeout(Some(settings.keepalive_timeout))
        .layer(Observe)
        .add_service(pipeline)
        .add_service(health_service)
        .add_service(v1)
        .add_service(v1alpha)
        .serve_with_incoming_shutdown(incoming(listener), stop)
        .await
}

/// The reflection services, which describe the contract with its comments.
fn reflection() -> (
    tonic_reflection::server::v1::ServerReflectionServer<impl tonic_reflection::server::v1::ServerReflection>,
    tonic_reflection::server::v1alpha::ServerReflectionServer<impl tonic_reflection::server::v1alpha::ServerReflection>,
) {
    let builder = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            // The details of errors, so that clients without generated code can read them.
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
    };
    (
        builder().build_v1().expect("the contract was compiled by the build"),
        builder().build_v1alpha().expect("the contract was compiled by the build"),
    )
}

/// Connections, without end.
fn incoming(listener: TcpListener) -> impl Stream<Item = io::Result<TcpStream>> {
    stream::unfold(listener, |listener| async {
        loop {
            match listener.accept().await {
                Ok((connection, _)) => {
                    connection.set_nodelay(true).ok();
                    return Some((Ok(connection), listener));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    })
}
