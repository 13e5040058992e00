//! A command that makes the statement fail doesn't fail its batch. The database itself refuses some leads here: no
//! request that passes the checks can make it do so.

use crate::support::checker::{Sound, check};
use crate::support::errors::failed;
use crate::support::requests::{batch, batch_results, create, created, message_sent, trigger};
use crate::support::server::{Server, server_with};
use crate::support::wait::within;
use lead_pipeline::proto::{BatchCreateLeadsRequest, CreateLeadResponse};
use tonic::{Code, Status};

/// Refuses every lead whose id begins with "bad".
const REFUSE: &str = "
    create function refuse() returns trigger language plpgsql as $$
    begin
        if new.lead_id like 'bad%' then raise exception 'relation of sql and postgres'; end if;
        return new;
    end $$;
    create trigger refuse before insert on entries for each row execute function refuse();";

/// A server with one writer, and a database that refuses bad leads.
async fn refusing() -> Server {
    let server = server_with(&["--partitions=1"]).await;
    server.database().await.run(REFUSE).await;
    server
}

/// The writer takes the creations of one call together.
async fn answers(server: &Server, request: BatchCreateLeadsRequest) -> Vec<Result<CreateLeadResponse, Status>> {
    let mut client = server.client();
    let response = within("the batch", client.batch_create_leads(request)).await.expect("answered as a whole");
    batch_results(response)
}

#[tokio::test]
async fn the_others_of_its_batch_are_done() {
    let server = refusing().await;
    let names = ["bad-0", "a", "bad-1", "b", "c", "bad-2", "d", "e", "f", "bad-3"];
    for (name, result) in names.into_iter().zip(answers(&server, batch(names.map(create))).await) {
        if name.starts_with("bad") {
            failed(result).is(Code::Internal, "INTERNAL");
        } else {
            assert!(!result.expect("created").replayed);
        }
    }
    assert_eq!(check(server.database_url()).await, Sound { leads: 6, entries: 6 });
}

#[tokio::test]
async fn commands_that_need_no_write_share_a_batch_with_a_bad_one() {
    let server = refusing().await;
    let mut client = server.client();
    created(&mut client, "taken").await;
    let again = create("again");
    client.create_lead(again.clone()).await.expect("created");
    // The first two are answered without a write, in the very round whose write fails for the third.
    let requests = [create("taken"), again, create("bad"), create("a"), create("b"), create("c"), create("d")];
    let mut results = answers(&server, batch(requests)).await.into_iter();
    let mut next = || results.next().expect("an answer for each");
    failed(next()).is(Code::AlreadyExists, "LEAD_ALREADY_EXISTS");
    assert!(next().expect("a replay").replayed);
    failed(next()).is(Code::Internal, "INTERNAL");
    for _ in 0..4 {
        assert!(!next().expect("created").replayed);
    }
    client.apply_trigger(trigger("taken", message_sent())).await.expect("the writer goes on");
    assert_eq!(check(server.database_url()).await, Sound { leads: 6, entries: 7 });
}

#[tokio::test]
async fn a_bad_command_alone_is_answered_and_may_be_retried() {
    let server = refusing().await;
    let mut client = server.client();
    let request = create("bad-1");
    failed(client.create_lead(request.clone()).await)
        .is(Code::Internal, "INTERNAL")
        .says("request_id", &request.request_id);
    server.database().await.run("drop trigger refuse on entries").await;
    let answer = client.create_lead(request).await.expect("created").into_inner();
    assert!(!answer.replayed, "the failed call had no effect");
    check(server.database_url()).await;
}
