//! grpc.health.v1 for "" and the service, Check and Watch: it follows the database.

use crate::support::cluster::fresh_database;
use crate::support::errors::failed;
use crate::support::proxy::Proxy;
use crate::support::requests::{create, created, lead};
use crate::support::server::{Server, http_get, server, server_on};
use crate::support::wait::within;
use lead_pipeline::proto::GetLeadRequest;
use tonic::transport::Channel;
use tonic::{Code, Streaming};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

const SERVICES: [&str; 2] = ["", "leadpipeline.v1.LeadPipeline"];

fn of(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.into() }
}

/// Watches of both names.
struct Watches(Vec<Streaming<HealthCheckResponse>>);

impl Watches {
    async fn start(client: &mut HealthClient<Channel>) -> Self {
        let mut watches = Vec::new();
        for service in SERVICES {
            watches.push(client.watch(of(service)).await.expect("a watch").into_inner());
        }
        Self(watches)
    }

    /// Waits until each says so, and not another thing twice.
    async fn say(&mut self, status: ServingStatus) {
        for watch in &mut self.0 {
            let said = within("health", watch.message()).await.expect("it goes on").expect("it goes on");
            assert_eq!(said.status(), status);
        }
    }
}

async fn checked(client: &mut HealthClient<Channel>) -> Vec<ServingStatus> {
    let mut statuses = Vec::new();
    for service in SERVICES {
        statuses.push(client.check(of(service)).await.expect("an answer").into_inner().status());
    }
    statuses
}

async fn page(server: &Server) -> String {
    http_get(&format!("http://{}/healthz", server.http_address())).await
}

#[tokio::test]
async fn a_server_that_serves_says_so_by_both_names() {
    let server = server().await;
    let mut client = HealthClient::new(server.channel());
    assert_eq!(checked(&mut client).await, [ServingStatus::Serving; 2]);
    Watches::start(&mut client).await.say(ServingStatus::Serving).await;
    assert_eq!(client.check(of("nothing.Else")).await.expect_err("unknown").code(), Code::NotFound);
    assert_eq!(page(&server).await, "SERVING\n");
}

#[tokio::test]
async fn it_is_not_serving_while_the_database_is_away_and_serving_again_after() {
    let proxy = Proxy::before(&fresh_database().await).await;
    let server = server_on(proxy.url(), &["--connect-timeout=500ms", "--write-patience=200ms"]).await;
    let (mut client, mut health) = (server.client(), HealthClient::new(server.channel()));
    created(&mut client, "lead-1").await;
    let mut watches = Watches::start(&mut health).await;
    watches.say(ServingStatus::Serving).await;
    for silently in [false, true] {
        if silently {
            proxy.stall();
        } else {
            proxy.cut();
        }
        watches.say(ServingStatus::NotServing).await;
        assert_eq!(checked(&mut health).await, [ServingStatus::NotServing; 2]);
        assert_eq!(page(&server).await, "NOT_SERVING\n");
        let read = client.get_lead(GetLeadRequest { lead_id: "lead-1".into() }).await;
        failed(read).is(Code::Unavailable, "UNAVAILABLE").asks_to_retry(true);
        let refused = create("lead-2");
        let failure = failed(client.create_lead(refused.clone()).await).asks_to_retry(true);
        assert_eq!(failure.status.code(), Code::Unavailable);
        let failure = failure.says("request_id", &refused.request_id);
        assert!(["UNAVAILABLE", "OUTCOME_UNKNOWN"].contains(&reason(&failure.status).as_str()));
        proxy.restore();
        watches.say(ServingStatus::Serving).await;
        lead(&mut client, "lead-1").await;
        client.create_lead(create(if silently { "lead-4" } else { "lead-3" })).await.expect("created");
    }
    crate::support::checker::check(server.database_url()).await;
}

fn reason(status: &tonic::Status) -> String {
    use tonic_types::StatusExt;
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

#[tokio::test]
async fn a_server_that_stops_says_so_first() {
    let server = server().await;
    let mut watches = Watches::start(&mut HealthClient::new(server.channel())).await;
    watches.say(ServingStatus::Serving).await;
    tokio::join!(watches.say(ServingStatus::NotServing), server.stop());
}
