//! Who gets a follow-up next: agents and partitions take turns, and a call may wait.

use super::{complete, due, lease, leased, nurtured, of};
use crate::support::errors::failed;
use crate::support::requests::{applied, message_sent};
use crate::support::server::{Client, replica_of, server, server_with};
use crate::support::wait::within;
use futures::future::select_all;
use lead_pipeline::proto::{FollowUp, LeaseFollowUpsRequest, LeaseFollowUpsResponse};
use prost_types::Duration;
use tokio::task::JoinHandle;
use tonic::{Code, Status};

fn one() -> LeaseFollowUpsRequest {
    LeaseFollowUpsRequest { max_follow_ups: 1, ..Default::default() }
}

fn waiting() -> LeaseFollowUpsRequest {
    LeaseFollowUpsRequest { wait: Some(Duration { seconds: 3600, nanos: 0 }), ..Default::default() }
}

fn agents(follow_ups: &[FollowUp]) -> Vec<&str> {
    follow_ups.iter().filter_map(|one| one.lead.as_ref()).map(|lead| lead.agent_id.as_str()).collect()
}

/// A call that waits.
fn begin(mut client: Client) -> JoinHandle<Result<tonic::Response<LeaseFollowUpsResponse>, Status>> {
    tokio::spawn(async move { client.lease_follow_ups(waiting()).await })
}

#[tokio::test]
async fn agents_take_turns() {
    let server = server_with(&["--partitions=1"]).await;
    let mut client = server.client();
    for number in 0..9 {
        due(&mut client, "anna", &format!("a-{number}")).await;
    }
    for number in 0..3 {
        due(&mut client, "ben", &format!("b-{number}")).await;
    }
    due(&mut client, "zoe", "z").await;
    let mut turns = Vec::new();
    for _ in 0..7 {
        turns.extend(leased(&mut client, one()).await);
    }
    assert_eq!(agents(&turns), ["anna", "ben", "zoe", "anna", "ben", "anna", "ben"]);
    // Nobody waits but anna, and those of hers that are held stand in nobody's way.
    let rest = leased(&mut client, LeaseFollowUpsRequest { max_follow_ups: 100, ..Default::default() }).await;
    assert_eq!(agents(&rest), ["anna"; 6]);
    assert_eq!(leased(&mut client, one()).await, []);
}

#[tokio::test]
async fn a_call_for_several_gives_each_agent_its_share() {
    let server = server_with(&["--partitions=1"]).await;
    let mut client = server.client();
    for agent in ["anna", "ben", "zoe"] {
        for number in 0..6 {
            due(&mut client, agent, &format!("{agent}-{number}")).await;
        }
    }
    // Four among three: every agent gets one, and the fourth goes round.
    for extra in ["anna", "ben", "zoe"] {
        let four = leased(&mut client, LeaseFollowUpsRequest { max_follow_ups: 4, ..Default::default() }).await;
        let mut got = agents(&four);
        got.sort_unstable();
        let mut expected = vec!["anna", "ben", "zoe", extra];
        expected.sort_unstable();
        assert_eq!(got, expected);
    }
}

#[tokio::test]
async fn an_agent_with_many_does_not_starve_one_with_one() {
    let server = server().await;
    let mut client = server.client();
    for number in 0..60 {
        due(&mut client, "anna", &format!("a-{number}")).await;
    }
    due(&mut client, "zoe", "z").await;
    // Within two rounds of the partitions, whichever it is in.
    let mut got = Vec::new();
    for _ in 0..8 {
        got.extend(leased(&mut client, one()).await);
    }
    assert_eq!(got.len(), 8);
    assert!(agents(&got).contains(&"zoe"), "{:?}", agents(&got));
    let partitions = got.iter().filter_map(|one| one.lead.as_ref());
    let mut partitions: Vec<i32> =
        partitions.map(|lead| lead_pipeline::store::partition_of(&lead.lead_id, 4)).collect();
    partitions.sort_unstable();
    assert_eq!(partitions, [0, 0, 1, 1, 2, 2, 3, 3], "partitions take turns");
}

#[tokio::test]
async fn a_call_gets_what_there_is_wherever_it_is() {
    let server = server().await;
    let mut client = server.client();
    // All in one partition: the others have no share to give.
    let names = (0..).map(|number| format!("lead-{number}"));
    for lead_id in names.filter(|name| lead_pipeline::store::partition_of(name, 4) == 2).take(10) {
        due(&mut client, "anna", &lead_id).await;
    }
    let nine = leased(&mut client, LeaseFollowUpsRequest { max_follow_ups: 9, ..Default::default() }).await;
    assert_eq!(nine.len(), 9);
    assert_eq!(leased(&mut client, one()).await.len(), 1);
}

#[tokio::test]
async fn a_call_that_waits_is_answered_when_something_becomes_due() {
    let server = server_with(&["--lease-interval=5ms"]).await;
    let replica = replica_of(&server).await;
    let (mut client, mut database) = (server.client(), server.database().await);
    let waits = begin(server.client());
    let elsewhere = due(&mut replica.client(), "anna", "lead-1").await;
    let answer = within("the follow-up", waits).await.expect("answers").expect("in time").into_inner();
    assert_eq!(answer.follow_ups[0].lead, Some(elsewhere));
    complete(&mut client, &answer.follow_ups[0]).await.expect("completed");
    // By the passing of time: a check-in, that was put off once.
    nurtured(&mut client, "anna", "lead-2").await;
    database.move_time(86_400).await;
    applied(&mut client, "lead-2", message_sent()).await;
    let waits = begin(server.client());
    database.move_time(13 * 86_400 + 60).await;
    let looks = "select count(*) from leads where follow_up_look_at < follow_up_at";
    crate::support::wait::eventually("a look", async || (database.number(looks).await == 0).then_some(())).await;
    database.move_time(86_400).await;
    let answer = within("the check-in", waits).await.expect("answers").expect("in time").into_inner();
    let ids: Vec<&str> = answer.follow_ups.iter().map(|one| one.follow_up_id.as_str()).collect();
    assert_eq!(ids, ["lead-2/2"]);
}

#[tokio::test]
async fn a_wait_ends_with_what_comes_next() {
    let server = server_with(&["--lease-wait=50ms"]).await;
    let mut client = server.client();
    let next = nurtured(&mut client, "anna", "lead-1").await.next_follow_up_at;
    let answer = within("the end of the wait", lease(&mut client, waiting())).await;
    assert_eq!(answer, LeaseFollowUpsResponse { follow_ups: vec![], next_due_at: next });
    // The caller's own deadline ends it too, in time for an answer.
    let server = crate::support::server::server_on(server.database_url(), &[]).await;
    let mut request = tonic::Request::new(waiting());
    request.set_timeout(std::time::Duration::from_secs(2));
    let answer = server.client().lease_follow_ups(request).await.expect("before the deadline").into_inner();
    assert_eq!(answer.next_due_at, next);
}

#[tokio::test]
async fn a_server_that_stops_lets_its_callers_go() {
    let server = server_with(&["--lease-waiters=1"]).await;
    let calls = [begin(server.client()), begin(server.client())];
    // One has the place, so the other is refused.
    let (refused, _, waits) = within("the refusal", select_all(calls)).await;
    failed(refused.expect("answers")).is(Code::ResourceExhausted, "OVERLOADED").asks_to_retry(true);
    lease(&mut server.client(), of("")).await;
    server.stop().await;
    let stopped = within("the end of the wait", waits.into_iter().next().expect("the other")).await.expect("answers");
    failed(stopped).is(Code::Unavailable, "UNAVAILABLE").asks_to_retry(true);
}
