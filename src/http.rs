//! The HTTP port: metrics and health for those who don't speak gRPC.

use crate::telemetry;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Serves until `stop`. `healthy` says whether the service can be used.
pub async fn serve(listener: TcpListener, healthy: Arc<AtomicBool>, stop: CancellationToken) {
    let health = async move || {
        if healthy.load(Ordering::Acquire) {
            (StatusCode::OK, "SERVING\n")
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "NOT_SERVING\n")
        }
    };
    let routes =
        Router::new().route("/metrics", get(async || telemetry::metrics().render())).route("/healthz", get(health));
    let served = axum::serve(listener, routes).with_graceful_shutdown(stop.cancelled_owned()).await;
    if let Err(error) = served {
        tracing::error!(%error, "the HTTP port failed");
    }
}
