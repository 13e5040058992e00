//! Cursors that can't be continued are told, never ignored: CURSOR_INVALID, CURSOR_DIVERGED.

use crate::support::errors::failed;
use crate::support::requests::{applied, batch, create, created, message_sent, overridden};
use crate::support::server::{Server, server_on, server_with};
use crate::support::watcher::{Watching, after, from_beginning, from_now};
use lead_pipeline::proto::{Notice, Stage};
use tonic::Code;

/// A server with one partition, a lead, and a cursor behind its three entries.
async fn with_cursor() -> (Server, String) {
    with_cursor_on(&[]).await
}

/// The same, on a server with some settings.
async fn with_cursor_on(flags: &[&str]) -> (Server, String) {
    let server = server_with(&[&["--partitions=1"], flags].concat()).await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    applied(&mut client, "lead-1", message_sent()).await;
    overridden(&mut client, "lead-1", Stage::Won).await;
    let mut watching = Watching::start(&mut client, from_beginning()).await;
    watching.changes(3).await;
    let cursor = watching.cursor;
    (server, cursor)
}

#[tokio::test]
async fn a_damaged_or_foreign_cursor_is_invalid() {
    let (server, cursor) = with_cursor().await;
    let mut client = server.client();
    let other = server_with(&["--partitions=3"]).await;
    let foreign = Watching::start(&mut other.client(), from_now()).await.cursor;
    let mut damaged = cursor.clone().into_bytes();
    damaged[7] ^= 1;
    let damaged = String::from_utf8(damaged).expect("still ASCII");
    let texts = ["", "x", "\0", "ÄÖÜ", &cursor[1..], &format!("{cursor}A"), &damaged, &foreign, &"A".repeat(1_000_000)];
    for text in texts {
        let failure = failed(client.watch_stage_changes(after(text)).await);
        let failure = failure.is(Code::InvalidArgument, "CURSOR_INVALID").asks_to_retry(false);
        assert!(failure.status.message().len() < 500, "a long cursor isn't repeated");
    }
    Watching::start(&mut client, after(&cursor)).await;
}

#[tokio::test]
async fn a_cursor_whose_entry_has_another_tag_has_diverged() {
    let (server, cursor) = with_cursor().await;
    server.database().await.run("update entries set tag = tag + 1 where position = 3").await;
    failed(server.client().watch_stage_changes(after(&cursor)).await)
        .is(Code::DataLoss, "CURSOR_DIVERGED")
        .asks_to_retry(false);
}

#[tokio::test]
async fn a_cursor_beyond_the_head_has_diverged() {
    let (server, cursor) = with_cursor().await;
    let lose = "delete from entries where position = 3;
        update heads set position = 2, tag = (select tag from entries where position = 2)";
    server.database().await.run(lose).await;
    failed(server.client().watch_stage_changes(after(&cursor)).await).is(Code::DataLoss, "CURSOR_DIVERGED");
}

#[tokio::test]
async fn a_running_stream_ends_when_the_history_it_has_sent_is_lost() {
    let (server, cursor) = with_cursor().await;
    let mut client = server.client();
    let mut watching = Watching::start(&mut client, after(&cursor)).await;
    created(&mut client, "lead-2").await;
    watching.changes(1).await;
    let lose = "delete from entries where position = 4; delete from leads where lead_id = 'lead-2';
        update heads set position = 3, tag = (select tag from entries where position = 3)";
    server.database().await.run(lose).await;
    failed(Err::<(), _>(watching.end().await)).is(Code::DataLoss, "CURSOR_DIVERGED");
    let mut anew = Watching::start(&mut client, from_beginning()).await;
    assert_eq!(anew.changes(3).await.len(), 3, "from the beginning it goes on");
}

#[tokio::test]
async fn a_running_stream_ends_when_other_history_stands_in_place_of_what_it_sent() {
    let (server, cursor) = with_cursor().await;
    let mut client = server.client();
    let mut watching = Watching::start(&mut client, after(&cursor)).await;
    created(&mut client, "lead-2").await;
    watching.changes(1).await;
    let other = "update entries set tag = tag + 1 where position = 4; update heads set tag = tag + 1";
    server.database().await.run(other).await;
    failed(Err::<(), _>(watching.end().await)).is(Code::DataLoss, "CURSOR_DIVERGED");
}

#[tokio::test]
async fn a_running_stream_ends_when_longer_history_stands_in_place_of_what_it_sent() {
    let (server, cursor) = with_cursor().await;
    let mut client = server.client();
    let mut watching = Watching::start(&mut client, after(&cursor)).await;
    created(&mut client, "lead-2").await;
    watching.changes(1).await;
    // All at once, as a failover would: the head has another entry behind it, and is further on.
    let other = "begin; update entries set tag = tag + 1 where position = 4;
        create table longer as select * from entries where position = 4;
        update longer set position = 5, version = 2, tag = 77, request_id = gen_random_uuid(), from_stage = to_stage;
        insert into entries select * from longer;
        update leads set version = 2, tag = 77 where lead_id = 'lead-2';
        update heads set position = 5, tag = 77; commit";
    server.database().await.run(other).await;
    failed(Err::<(), _>(watching.end().await)).is(Code::DataLoss, "CURSOR_DIVERGED");
    let mut anew = Watching::start(&mut client, from_beginning()).await;
    assert_eq!(anew.changes(4).await.len(), 4, "what there is now");
}

#[tokio::test]
async fn a_running_stream_ends_when_one_batch_spans_what_was_lost() {
    // No poll comes to help: the batch itself shows it, though the stream has been sent nothing yet.
    let (server, cursor) = with_cursor_on(&["--poll-interval=24h"]).await;
    let mut client = server.client();
    let mut watching = Watching::start(&mut client, after(&cursor)).await;
    watching.until(Notice::CaughtUp).await;
    let lose = "delete from entries; delete from leads; update heads set position = 0, tag = 0";
    server.database().await.run(lose).await;
    client.batch_create_leads(batch((0..5).map(|n| create(&format!("other-{n}"))))).await.expect("created");
    failed(Err::<(), _>(watching.end().await)).is(Code::DataLoss, "CURSOR_DIVERGED");
}

#[tokio::test]
async fn a_new_stream_makes_its_server_look_and_shares_the_end_of_the_others() {
    let (one, _) = with_cursor_on(&["--hint-interval=24h"]).await;
    // It learns of the other's writes only because a new stream begins.
    let other = server_on(one.database_url(), &["--poll-interval=24h"]).await;
    let mut client = other.client();
    let mut behind = Watching::start(&mut client, from_now()).await;
    created(&mut client, "lead-2").await;
    behind.changes(1).await;
    created(&mut one.client(), "lead-3").await;
    overridden(&mut one.client(), "lead-3", Stage::Won).await;
    let mut ahead = Watching::start(&mut client, from_now()).await;
    assert_eq!(ahead.through[&0], behind.through[&0] + 2);
    behind.changes(2).await;
    let lose = "delete from entries where position > 4; delete from leads where lead_id = 'lead-3';
        update heads set position = 4, tag = (select tag from entries where position = 4)";
    other.database().await.run(lose).await;
    client.batch_create_leads(batch((0..5).map(|n| create(&format!("other-{n}"))))).await.expect("created");
    for watching in [&mut behind, &mut ahead] {
        failed(Err::<(), _>(watching.end().await)).is(Code::DataLoss, "CURSOR_DIVERGED");
    }
}

#[tokio::test]
async fn a_hole_in_the_log_is_never_passed_over() {
    for hole in [1, 3, 5] {
        let server = server_with(&["--partitions=1", "--log-page=4"]).await;
        let mut client = server.client();
        client.batch_create_leads(batch((0..6).map(|n| create(&format!("lead-{n}"))))).await.expect("created");
        server.database().await.run(&format!("delete from entries where position = {hole}")).await;
        let mut watching = Watching::start(&mut client, from_beginning()).await;
        failed(Err::<(), _>(watching.end().await)).is(Code::DataLoss, "CURSOR_DIVERGED");
        assert_eq!(watching.through[&0], hole - 1, "what is before it was sent");
    }
}
