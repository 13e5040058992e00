//! ListStageChanges of a lead whose history was pruned.

use super::program::{now, prune, prune_all};
use crate::support::checker::{Sound, check};
use crate::support::errors::failed;
use crate::support::requests::{applied, created, message_sent, opted_out};
use crate::support::server::{Client, server};
use lead_pipeline::proto::{ListStageChangesRequest, ListStageChangesResponse};
use tonic::Code;

fn of(lead_id: &str) -> ListStageChangesRequest {
    ListStageChangesRequest { lead_id: lead_id.into(), ..Default::default() }
}

async fn list(client: &mut Client, request: ListStageChangesRequest) -> ListStageChangesResponse {
    client.list_stage_changes(request).await.expect("listed").into_inner()
}

/// Where the history starts, and which versions the page has.
fn versions(response: &ListStageChangesResponse) -> (i32, Vec<i32>) {
    (response.first_version, response.changes.iter().map(|change| change.version).collect())
}

#[tokio::test]
async fn it_says_at_which_version_it_starts_on_every_page() {
    let server = server().await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    for _ in 0..3 {
        applied(&mut client, "lead-1", message_sent()).await;
    }
    let page =
        |page_token: &str| ListStageChangesRequest { page_size: 2, page_token: page_token.into(), ..of("lead-1") };
    let first = list(&mut client, page("")).await;
    assert_eq!(versions(&first), (1, vec![1, 2]));
    assert_eq!(versions(&list(&mut client, page(&first.next_page_token)).await), (1, vec![3, 4]));

    let before = now(server.database_url()).await;
    for _ in 0..3 {
        applied(&mut client, "lead-1", message_sent()).await;
    }
    prune(server.database_url(), &["--before", &before, "--yes"]).await.with(0);
    let fresh = list(&mut client, page("")).await;
    assert_eq!(versions(&fresh), (5, vec![5, 6]));
    assert_eq!(versions(&list(&mut client, page(&fresh.next_page_token)).await), (5, vec![7]));
    let across = list(&mut client, page(&first.next_page_token)).await;
    assert_eq!(versions(&across), (5, vec![5, 6]), "a token from before the prune");
}

#[tokio::test]
async fn a_lead_without_any_history_left_is_still_found() {
    let server = server().await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    applied(&mut client, "lead-1", message_sent()).await;
    prune_all(server.database_url()).await;
    let empty = list(&mut client, of("lead-1")).await;
    assert_eq!((versions(&empty), empty.next_page_token.as_str()), ((3, vec![]), ""));
    applied(&mut client, "lead-1", message_sent()).await;
    assert_eq!(versions(&list(&mut client, of("lead-1")).await), (3, vec![3]));
    created(&mut client, "lead-2").await;
    assert_eq!(versions(&list(&mut client, of("lead-2")).await), (1, vec![1]), "younger than the prune");
    failed(client.list_stage_changes(of("nobody")).await).is(Code::NotFound, "LEAD_NOT_FOUND");
}

#[tokio::test]
async fn a_dead_lead_without_any_history_left_is_sound() {
    let server = server().await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    applied(&mut client, "lead-1", opted_out()).await;
    assert_eq!(prune_all(server.database_url()).await, 2);
    assert_eq!(check(server.database_url()).await, Sound { leads: 1, entries: 0 });
}
