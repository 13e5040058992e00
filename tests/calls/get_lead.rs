//! GetLead: the lead as the last acknowledged write left it.

use crate::support::errors::failed;
use crate::support::requests::{applied, created, lead, message_sent};
use crate::support::server::{server, server_with};
use crate::support::wait::within;
use futures::future::join_all;
use lead_pipeline::proto::GetLeadRequest;
use tonic::Code;

#[tokio::test]
async fn a_lead_is_what_the_last_write_answered() {
    let server = server().await;
    let mut client = server.client();
    assert_eq!(created(&mut client, "lead-1").await, lead(&mut client, "lead-1").await);
    assert_eq!(applied(&mut client, "lead-1", message_sent()).await, lead(&mut client, "lead-1").await);
}

#[tokio::test]
async fn a_lead_that_is_not_there_is_not_found_and_an_id_that_cannot_be_is_invalid() {
    let server = server().await;
    let mut client = server.client();
    let get = |lead_id: &str| GetLeadRequest { lead_id: lead_id.into() };
    let not_found = failed(client.get_lead(get("nobody")).await).is(Code::NotFound, "LEAD_NOT_FOUND");
    let not_found = not_found.says("lead_id", "nobody").asks_to_retry(false);
    assert!(!not_found.metadata().contains_key("request_id"), "a read has none");
    for lead_id in ["", "a b", "ä", "a\0", &"x".repeat(65)] {
        failed(client.get_lead(get(lead_id)).await).names(&["lead_id"]);
    }
}

#[tokio::test]
async fn ids_are_told_apart_by_case() {
    let server = server().await;
    let mut client = server.client();
    created(&mut client, "Lead").await;
    created(&mut client, "lead").await;
    applied(&mut client, "lead", message_sent()).await;
    assert_eq!(lead(&mut client, "Lead").await.version, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_that_share_a_statement_have_each_its_own_answer() {
    let server = server_with(&["--partitions=1", "--read-queue=2", "--read-batch=3"]).await;
    let mut client = server.client();
    for number in 0..10 {
        created(&mut client, &format!("lead-{number}")).await;
    }
    // One that no version of the service can have written: it harms no other.
    server.database().await.run("update leads set stage = 99 where lead_id = 'lead-7'").await;
    let reads = (0..200).map(|number| {
        let (mut client, lead_id) = (client.clone(), format!("lead-{}", number % 12));
        tokio::spawn(async move { (number % 12, client.get_lead(GetLeadRequest { lead_id }).await) })
    });
    for read in within("the reads", join_all(reads)).await {
        let (number, answer) = read.expect("no panic");
        match number {
            7 => {
                failed(answer).is(Code::Internal, "INTERNAL");
            }
            10 | 11 => {
                let lead_id = format!("lead-{number}");
                failed(answer).is(Code::NotFound, "LEAD_NOT_FOUND").says("lead_id", &lead_id);
            }
            _ => {
                let lead = answer.expect("it is there").into_inner().lead.expect("a lead");
                assert_eq!(lead.lead_id, format!("lead-{number}"));
            }
        }
    }
}
