//! BatchCreateLeads: up to 1,000 creations, each with its own result in order, not all-or-nothing.

use crate::support::checker::{Sound, check};
use crate::support::errors::{assert_fit_for_callers, failed};
use crate::support::requests::{batch, batch_results, create, created, new_id};
use crate::support::server::server;
use lead_pipeline::proto::CreateLeadRequest;
use tonic::Code;
use tonic_types::StatusExt;

#[tokio::test]
async fn a_thousand_leads_are_created_in_order() {
    let server = server().await;
    let request = batch((0..1000).map(|number| create(&format!("lead-{number}"))));
    let response = server.client().batch_create_leads(request).await.expect("accepted");
    let results = batch_results(response);
    assert_eq!(results.len(), 1000);
    for (number, result) in results.into_iter().enumerate() {
        let lead = result.expect("created").lead.expect("a lead");
        assert_eq!((lead.lead_id, lead.version), (format!("lead-{number}"), 1));
    }
    assert_eq!(check(server.database_url()).await, Sound { leads: 1000, entries: 1000 });
}

#[tokio::test]
async fn one_that_fails_leaves_the_others_created() {
    let server = server().await;
    let mut client = server.client();
    created(&mut client, "taken").await;
    let replayed = create("before");
    client.create_lead(replayed.clone()).await.expect("created");
    let requests = [
        create("first"),
        create("taken"),
        create("in valid"),
        replayed,
        CreateLeadRequest { agent_id: "a b".into(), request_id: "x".into(), ..create("last") },
        create("last-1"),
        CreateLeadRequest::default(),
    ];
    let ids: Vec<_> = requests.iter().map(|request| request.request_id.clone()).collect();
    let response = client.batch_create_leads(batch(requests)).await.expect("accepted as a whole");
    let mut results = batch_results(response).into_iter();
    let mut next = || results.next().expect("a result for each request");
    assert!(!next().expect("created").replayed);
    failed(next()).is(Code::AlreadyExists, "LEAD_ALREADY_EXISTS").says("request_id", &ids[1]);
    failed(next()).names(&["lead_id"]).says("request_id", &ids[2]);
    assert!(next().expect("a replay").replayed);
    failed(next()).names(&["agent_id", "request_id"]);
    assert_eq!(next().expect("created").lead.expect("a lead").lead_id, "last-1");
    let made = next().expect("created");
    assert_eq!(made.lead.expect("a lead").lead_id, made.request_id, "ids are made by the server");
    check(server.database_url()).await;
}

#[tokio::test]
async fn a_duplicate_id_fails_the_whole_batch() {
    let server = server().await;
    let mut client = server.client();
    let twice = batch([create("lead-1"), create("lead-2"), create("lead-1")]);
    failed(client.batch_create_leads(twice).await).names(&["requests[2].lead_id"]);
    let request_id = new_id();
    let same = |text: &str| CreateLeadRequest { request_id: text.into(), ..Default::default() };
    let twice = batch([same(&request_id), same(&request_id.to_uppercase())]);
    failed(client.batch_create_leads(twice).await).names(&["requests[1].request_id"]);
    let shared = |lead_id| CreateLeadRequest { request_id: request_id.clone(), ..create(lead_id) };
    let response = client.batch_create_leads(batch([shared("lead-1"), shared("lead-2")])).await.expect("accepted");
    assert!(batch_results(response).iter().all(Result::is_ok), "one request_id on two leads is no duplicate");
    assert_eq!(check(server.database_url()).await, Sound { leads: 2, entries: 2 });
}

#[tokio::test]
async fn an_empty_or_too_large_batch_is_refused() {
    let server = server().await;
    let mut client = server.client();
    failed(client.batch_create_leads(batch([])).await).names(&["requests"]);
    let large = batch((0..1001).map(|number| create(&format!("lead-{number}"))));
    failed(client.batch_create_leads(large).await).names(&["requests"]);
    assert_eq!(check(server.database_url()).await, Sound { leads: 0, entries: 0 });
}

#[tokio::test]
async fn a_batch_of_nothing_but_duplicates_is_told_in_a_size_that_arrives() {
    let server = server().await;
    let request = batch((0..1000).map(|_| create(&"x".repeat(64))));
    let status = server.client().batch_create_leads(request).await.expect_err("duplicates");
    assert_fit_for_callers(&status);
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    let violations = status.get_error_details().bad_request().map_or(0, |request| request.field_violations.len());
    assert!(violations > 0, "names fields: {status:?}");
}

#[tokio::test]
async fn the_largest_legal_batch_is_accepted() {
    let server = server().await;
    let request = |number: usize| CreateLeadRequest {
        agent_id: "a".repeat(64),
        contact_points: vec![1, 2],
        reason: "🎉".repeat(500),
        actor: Some(crate::support::requests::actor(lead_pipeline::proto::ActorKind::Person, &"i".repeat(128))),
        ..create(&format!("{number:064}"))
    };
    let response = server.client().batch_create_leads(batch((0..1000).map(request))).await.expect("accepted");
    assert!(batch_results(response).iter().all(Result::is_ok));
    assert_eq!(check(server.database_url()).await, Sound { leads: 1000, entries: 1000 });
}
