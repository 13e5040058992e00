//! ListStageChanges: a lead's whole history, oldest first, in pages.

use crate::support::errors::failed;
use crate::support::requests::{applied, created, message_sent};
use crate::support::server::server;
use lead_pipeline::proto::{ListStageChangesRequest, Stage};
use tonic::Code;

fn of(lead_id: &str) -> ListStageChangesRequest {
    ListStageChangesRequest { lead_id: lead_id.into(), ..Default::default() }
}

#[tokio::test]
async fn the_whole_history_comes_oldest_first_in_pages() {
    let server = server().await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    for _ in 0..59 {
        applied(&mut client, "lead-1", message_sent()).await;
    }
    let mut request = of("lead-1");
    let mut versions = Vec::new();
    let mut pages = Vec::new();
    loop {
        let response = client.list_stage_changes(request.clone()).await.expect("listed").into_inner();
        pages.push(response.changes.len());
        versions.extend(response.changes.iter().map(|change| change.version));
        assert!(response.changes[1..].iter().all(|change| change.to_stage() == Stage::Contacted));
        if response.next_page_token.is_empty() {
            break;
        }
        request.page_token = response.next_page_token;
    }
    assert!(versions.iter().copied().eq(1..=60), "entries of NO_CHANGE too: {versions:?}");
    assert_eq!(pages, [50, 10], "50 by default");
    let whole = ListStageChangesRequest { page_size: 60, ..of("lead-1") };
    let response = client.list_stage_changes(whole).await.expect("listed").into_inner();
    assert_eq!((response.changes.len(), response.next_page_token.as_str()), (60, ""), "no empty last page");
}

#[tokio::test]
async fn a_token_belongs_to_its_lead() {
    let server = server().await;
    let mut client = server.client();
    for lead_id in ["lead-1", "lead-2"] {
        created(&mut client, lead_id).await;
        applied(&mut client, lead_id, message_sent()).await;
    }
    let page = ListStageChangesRequest { page_size: 1, ..of("lead-1") };
    let token = client.list_stage_changes(page).await.expect("listed").into_inner().next_page_token;
    let foreign = ListStageChangesRequest { page_token: token.clone(), ..of("lead-2") };
    failed(client.list_stage_changes(foreign).await).names(&["page_token"]);
    let own = ListStageChangesRequest { page_token: token, ..of("lead-1") };
    let rest = client.list_stage_changes(own).await.expect("listed").into_inner().changes;
    assert!(rest.iter().map(|change| change.version).eq([2]));
}

#[tokio::test]
async fn a_lead_that_is_not_there_is_not_found_and_wrong_fields_are_named() {
    let server = server().await;
    let mut client = server.client();
    failed(client.list_stage_changes(of("nobody")).await)
        .is(Code::NotFound, "LEAD_NOT_FOUND")
        .says("lead_id", "nobody");
    let wrong = ListStageChangesRequest { page_size: i32::MIN, ..of("") };
    failed(client.list_stage_changes(wrong).await).names(&["lead_id", "page_size"]);
}
