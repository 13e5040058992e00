//! A server starts without its database: NOT_SERVING and UNAVAILABLE, until it comes.

use crate::support::cluster::fresh_database;
use crate::support::errors::failed;
use crate::support::folder::Folder;
use crate::support::process::{Process, reserved};
use crate::support::requests::{create, created, lead, message_sent, override_to, trigger};
use crate::support::server::{client_at, endpoint};
use crate::support::watcher::from_now;
use lead_pipeline::proto::{CreateLeadRequest, DescribePipelineRequest, GetLeadRequest, Stage};
use sqlx::postgres::PgConnectOptions;
use std::str::FromStr;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

#[tokio::test]
async fn until_the_database_comes_every_call_is_unavailable() {
    let url = fresh_database().await;
    let real = PgConnectOptions::from_str(&url).expect("a URL");
    let folder = Folder::new().expect("a folder");
    let later = folder.path().join("socket");
    let host = later.display().to_string().replace('/', "%2F");
    let (user, database) = (real.get_username(), real.get_database().expect("a name"));
    let url = format!("postgres://{user}@{host}:{}/{database}?sslmode=disable", real.get_port());
    let (_reserved, address) = reserved();
    let mut server = Process::spawn(&url, &["--testing", &format!("--listen={address}")]);
    server.logged("waiting for the database").await;

    let (mut client, mut health) = (client_at(address), HealthClient::new(endpoint(address).connect_lazy()));
    for service in ["", "leadpipeline.v1.LeadPipeline"] {
        let request = HealthCheckRequest { service: service.into() };
        let status = health.check(request).await.expect("an answer").into_inner().status();
        assert_eq!(status, ServingStatus::NotServing);
    }
    let creation = create("lead-1");
    failed(client.create_lead(creation.clone()).await)
        .is(Code::Unavailable, "UNAVAILABLE")
        .says("request_id", &creation.request_id)
        .asks_to_retry(true);
    failed(client.apply_trigger(trigger("lead-1", message_sent())).await).is(Code::Unavailable, "UNAVAILABLE");
    failed(client.override_stage(override_to("lead-1", Stage::Won)).await).is(Code::Unavailable, "UNAVAILABLE");
    let read = client.get_lead(GetLeadRequest { lead_id: "lead-1".into() }).await;
    failed(read).is(Code::Unavailable, "UNAVAILABLE").asks_to_retry(true);
    failed(client.watch_stage_changes(from_now()).await).is(Code::Unavailable, "UNAVAILABLE");
    client.describe_pipeline(DescribePipelineRequest {}).await.expect("the table needs no database");
    let mean = CreateLeadRequest { request_id: "x".repeat(1 << 20), ..create("lead-1") };
    let mean = client.create_lead(mean).await.expect_err("refused one way or the other");
    assert!([Code::Unavailable, Code::InvalidArgument].contains(&mean.code()), "in a size that arrives: {mean:?}");

    std::os::unix::fs::symlink(real.get_socket().expect("a socket"), &later).expect("the database comes");
    assert_eq!(server.serves().await, address);
    let request = HealthCheckRequest::default();
    let status = health.check(request).await.expect("an answer").into_inner().status();
    assert_eq!(status, ServingStatus::Serving);
    let answer = client.create_lead(creation).await.expect("created").into_inner();
    assert!(!answer.replayed, "nothing was applied before");
}

#[tokio::test]
async fn a_database_that_loses_its_connections_is_found_again() {
    let url = fresh_database().await;
    let server = crate::support::server::server_on(&url, &[]).await;
    let mut client = server.client();
    created(&mut client, "lead-0").await;
    let mut admin = server.database().await;
    for round in 1..4 {
        let end = "select count(pg_terminate_backend(pid)) from pg_stat_activity
                   where datname = current_database() and pid <> pg_backend_pid()";
        assert!(admin.number(end).await > 0);
        created(&mut client, &format!("lead-{round}")).await;
        lead(&mut client, "lead-0").await;
    }
    crate::support::checker::check(&url).await;
}
