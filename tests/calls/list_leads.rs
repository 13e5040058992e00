//! ListLeads: by agent, stage and dead mark, in pages whose tokens are bound to the filter.

use crate::support::errors::failed;
use crate::support::requests::{all_used_up, applied, batch, create, message_sent, opted_out};
use crate::support::server::{Client, Server, server, server_with};
use lead_pipeline::proto::{CreateLeadRequest, Lead, ListLeadsRequest, Stage};
use std::collections::BTreeSet;
use tonic::Code;

/// Six leads of two agents: anna's NEW, CONTACTED and dead; ben's NEW, CONTACTED and EXHAUSTED.
async fn six_leads(server: &Server) -> Client {
    let mut client = server.client();
    let of = |agent: &str, name: &str| CreateLeadRequest { agent_id: agent.into(), ..create(name) };
    let leads =
        [of("anna", "a1"), of("anna", "a2"), of("anna", "a3"), of("ben", "b1"), of("ben", "b2"), of("ben", "b3")];
    client.batch_create_leads(batch(leads)).await.expect("created");
    applied(&mut client, "a2", message_sent()).await;
    applied(&mut client, "a3", opted_out()).await;
    applied(&mut client, "b2", message_sent()).await;
    applied(&mut client, "b3", all_used_up()).await;
    client
}

async fn listed(client: &mut Client, request: ListLeadsRequest) -> (Vec<Lead>, String) {
    let response = client.list_leads(request).await.expect("listed").into_inner();
    (response.leads, response.next_page_token)
}

fn names(leads: &[Lead]) -> BTreeSet<&str> {
    leads.iter().map(|lead| lead.lead_id.as_str()).collect()
}

#[tokio::test]
async fn filters_must_all_hold() {
    let server = server().await;
    let mut client = six_leads(&server).await;
    let (new, contacted, lost) = (Stage::New.into(), Stage::Contacted.into(), Stage::Lost.into());
    #[allow(clippy::type_complexity)] // a table
    let cases: [(&str, Vec<i32>, Option<bool>, &[&str]); 9] = [
        ("", vec![], None, &["a1", "a2", "a3", "b1", "b2", "b3"]),
        ("anna", vec![], None, &["a1", "a2", "a3"]),
        ("", vec![new], None, &["a1", "b1"]),
        ("", vec![lost, contacted], None, &["a2", "a3", "b2"]),
        ("", vec![], Some(true), &["a3"]),
        ("", vec![], Some(false), &["a1", "a2", "b1", "b2", "b3"]),
        ("anna", vec![contacted, lost], Some(false), &["a2"]),
        ("ben", vec![], Some(true), &[]),
        ("nobody", vec![], None, &[]),
    ];
    for (agent, stages, dead, expected) in cases {
        let request = ListLeadsRequest { agent_id: agent.into(), stages, dead, ..Default::default() };
        let (leads, token) = listed(&mut client, request.clone()).await;
        assert_eq!(names(&leads), expected.iter().copied().collect(), "{request:?}");
        assert_eq!((leads.len(), token.as_str()), (expected.len(), ""), "each once, on one page");
    }
}

#[tokio::test]
async fn pages_bring_every_lead_once_whatever_their_size() {
    let server = server().await;
    let mut client = server.client();
    client.batch_create_leads(batch((0..60).map(|n| create(&format!("lead-{n}"))))).await.expect("created");
    let (whole, _) = listed(&mut client, ListLeadsRequest { page_size: 1000, ..Default::default() }).await;
    assert_eq!(whole.len(), 60);
    for page_size in [1, 7, 59, 60] {
        let mut leads = Vec::new();
        let mut request = ListLeadsRequest { page_size, ..Default::default() };
        for page in 1.. {
            let (part, token) = listed(&mut client, request.clone()).await;
            assert!(part.len() <= page_size as usize && page <= 60);
            leads.extend(part);
            if token.is_empty() {
                break;
            }
            request.page_token = token;
        }
        assert_eq!(leads, whole, "in pages of {page_size}");
    }
    let (default, token) = listed(&mut client, ListLeadsRequest::default()).await;
    assert_eq!((default.len(), token.is_empty()), (50, false), "50 by default");
}

#[tokio::test]
async fn a_page_size_that_is_too_large_is_cut() {
    let server = server_with(&["--page-max=3", "--page-default=2"]).await;
    let mut client = six_leads(&server).await;
    let (leads, _) = listed(&mut client, ListLeadsRequest { page_size: i32::MAX, ..Default::default() }).await;
    assert_eq!(leads.len(), 3);
    let (leads, _) = listed(&mut client, ListLeadsRequest::default()).await;
    assert_eq!(leads.len(), 2);
}

#[tokio::test]
async fn a_token_belongs_to_its_filter() {
    let server = server().await;
    let mut client = six_leads(&server).await;
    let anna = ListLeadsRequest { agent_id: "anna".into(), page_size: 1, ..Default::default() };
    let (_, token) = listed(&mut client, anna.clone()).await;
    for other in [
        ListLeadsRequest { agent_id: "ben".into(), ..Default::default() },
        ListLeadsRequest { agent_id: "anna".into(), stages: vec![1], ..Default::default() },
        ListLeadsRequest { agent_id: "anna".into(), dead: Some(false), ..Default::default() },
        ListLeadsRequest::default(),
    ] {
        let request = ListLeadsRequest { page_token: token.clone(), ..other };
        failed(client.list_leads(request).await).names(&["page_token"]);
    }
    for size in [1, 2, 500] {
        let next = ListLeadsRequest { page_size: size, page_token: token.clone(), ..anna.clone() };
        assert!(!listed(&mut client, next).await.0.is_empty(), "another page size is no other filter");
    }
}

#[tokio::test]
async fn wrong_fields_are_named() {
    let server = server().await;
    let mut client = server.client();
    let wrong =
        ListLeadsRequest { agent_id: "a b".into(), stages: vec![1, 14, 1, -3], page_size: -1, ..Default::default() };
    failed(client.list_leads(wrong.clone()).await)
        .is(Code::InvalidArgument, "INVALID_REQUEST")
        .names(&["agent_id", "page_size"]);
    let fields = ["stages[1]", "stages[2]", "stages[3]", "page_size"];
    failed(client.list_leads(ListLeadsRequest { agent_id: String::new(), ..wrong }).await).names(&fields);
}
