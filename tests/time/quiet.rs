//! Leads that go quiet: `--quiet-after`.

use super::{DAY, time_of};
use crate::support::checker::check;
use crate::support::requests::{
    actor, applied, checklist_completed, created, history, lead, message_sent, overridden, replied,
};
use crate::support::server::{Client, Server, server_on, server_with};
use crate::support::wait::eventually;
use lead_pipeline::proto::cause::Kind as Cause;
use lead_pipeline::proto::{ActorKind, Stage, trigger::Kind};

const QUIET: [&str; 2] = ["--timer-interval=5ms", "--quiet-after=7d"];

async fn engaged(client: &mut Client, lead_id: &str) {
    created(client, lead_id).await;
    applied(client, lead_id, message_sent()).await;
    assert_eq!(applied(client, lead_id, replied()).await.stage(), Stage::Engaged);
}

async fn in_stage(client: &mut Client, lead_id: &str, stage: Stage) {
    eventually(&format!("{lead_id} in {stage:?}"), async || {
        (lead(client, lead_id).await.stage() == stage).then_some(())
    })
    .await;
}

/// Waits until the servers have looked at everything whose timer has come.
async fn looked_at(server: &Server) {
    let due = "select count(*) from leads
               where timer_at <= clock_timestamp() + (select time_offset from pipeline where only_row)";
    let mut database = server.database().await;
    eventually("everything to be looked at", async || (database.number(due).await == 0).then_some(())).await;
}

#[tokio::test]
async fn a_lead_without_a_reply_goes_to_nurture() {
    let server = server_with(&QUIET).await;
    let (mut client, mut database) = (server.client(), server.database().await);
    engaged(&mut client, "engaged").await;
    engaged(&mut client, "qualified").await;
    database.move_time(86_400).await;
    assert_eq!(applied(&mut client, "qualified", checklist_completed()).await.stage(), Stage::Qualified);
    created(&mut client, "new").await;
    database.move_time(5 * 86_400).await;
    // Our own messages don't count.
    applied(&mut client, "engaged", message_sent()).await;
    looked_at(&server).await;
    assert_eq!(lead(&mut client, "engaged").await.stage(), Stage::Engaged, "not yet");
    database.move_time(86_400 + 60).await;
    in_stage(&mut client, "engaged", Stage::Nurture).await;
    in_stage(&mut client, "qualified", Stage::Nurture).await;
    let change = history(&mut client, "engaged").await.pop().expect("an entry");
    assert_eq!(change.actor, Some(actor(ActorKind::System, "lead-pipeline")));
    let Some(Cause::Trigger(trigger)) = change.cause.and_then(|cause| cause.kind) else { panic!("no trigger") };
    assert!(matches!(trigger.kind, Some(Kind::WentQuiet(_))), "{trigger:?}");
    let quiet = lead(&mut client, "engaged").await;
    assert_eq!(time_of(quiet.next_follow_up_at), time_of(quiet.stage_entered_at) + 14 * DAY, "and is looked after");
    assert_eq!(lead(&mut client, "new").await.stage(), Stage::New, "it never talked");
    assert_eq!(database.number("select count(*) from leads where timer_at is not null").await, 0);
    check(server.database_url()).await;
}

#[tokio::test]
async fn a_reply_postpones_it_without_a_write_to_the_index() {
    let server = server_with(&QUIET).await;
    let (mut client, mut database) = (server.client(), server.database().await);
    engaged(&mut client, "lead-1").await;
    let timer = "select extract(epoch from timer_at) * 1000000 from leads";
    let first = database.number(timer).await;
    database.move_time(6 * 86_400).await;
    let replied = applied(&mut client, "lead-1", replied()).await;
    assert_eq!(database.number(timer).await, first, "the index stays as it is");
    database.move_time(2 * 86_400).await;
    looked_at(&server).await;
    let later = time_of(replied.last_reply_at) + 7 * DAY;
    assert_eq!(database.number(timer).await, later, "moved when it was looked at");
    assert_eq!(lead(&mut client, "lead-1").await, replied);
    database.move_time(5 * 86_400 + 60).await;
    in_stage(&mut client, "lead-1", Stage::Nurture).await;
    check(server.database_url()).await;
}

#[tokio::test]
async fn an_override_into_a_conversation_starts_the_time_anew() {
    let server = server_with(&QUIET).await;
    let (mut client, mut database) = (server.client(), server.database().await);
    engaged(&mut client, "lead-1").await;
    database.move_time(8 * 86_400).await;
    in_stage(&mut client, "lead-1", Stage::Nurture).await;
    overridden(&mut client, "lead-1", Stage::Engaged).await;
    database.move_time(6 * 86_400).await;
    looked_at(&server).await;
    assert_eq!(lead(&mut client, "lead-1").await.stage(), Stage::Engaged, "its last reply is two weeks old");
    database.move_time(86_400 + 60).await;
    in_stage(&mut client, "lead-1", Stage::Nurture).await;
    check(server.database_url()).await;
}

#[tokio::test]
async fn it_is_off_until_it_is_switched_on_and_then_holds_for_all() {
    let server = server_with(&QUIET[..1]).await;
    let url = server.database_url().to_owned();
    let (mut client, mut database) = (server.client(), server.database().await);
    for lead_id in ["old", "qualified", "replied", "dead"] {
        engaged(&mut client, lead_id).await;
    }
    applied(&mut client, "qualified", checklist_completed()).await;
    applied(&mut client, "dead", crate::support::requests::opted_out()).await;
    overridden(&mut client, "dead", Stage::Engaged).await;
    database.move_time(30 * 86_400).await;
    applied(&mut client, "replied", replied()).await;
    assert_eq!(database.number("select count(*) from leads where timer_at is not null").await, 0);
    assert_eq!(lead(&mut client, "old").await.stage(), Stage::Engaged, "off by default");
    server.stop().await;

    let server = server_on(&url, &QUIET).await;
    let mut client = server.client();
    in_stage(&mut client, "old", Stage::Nurture).await;
    in_stage(&mut client, "qualified", Stage::Nurture).await;
    let set = "select count(*) from leads where timer_at is not null";
    eventually("the timer of the last one", async || (database.number(set).await == 1).then_some(())).await;
    assert_eq!(lead(&mut client, "replied").await.stage(), Stage::Engaged);
    database.move_time(7 * 86_400).await;
    in_stage(&mut client, "replied", Stage::Nurture).await;
    assert_eq!(lead(&mut client, "dead").await.stage(), Stage::Engaged);
    server.stop().await;

    // Off again: what was left of it means nothing.
    let server = server_on(&url, &QUIET).await;
    engaged(&mut server.client(), "last").await;
    server.stop().await;
    database.move_time(30 * 86_400).await;
    let server = server_on(&url, &QUIET[..1]).await;
    looked_at(&server).await;
    assert_eq!(lead(&mut server.client(), "last").await.stage(), Stage::Engaged);
    check(&url).await;
}

/// A shorter time is one for the leads that were written under a longer one, too.
#[tokio::test]
async fn a_shorter_time_holds_for_leads_from_before() {
    let server = server_with(&["--timer-interval=5ms", "--quiet-after=60d"]).await;
    let url = server.database_url().to_owned();
    engaged(&mut server.client(), "lead-1").await;
    let mut database = server.database().await;
    server.stop().await;
    database.move_time(8 * 86_400).await;
    let server = server_on(&url, &QUIET).await;
    in_stage(&mut server.client(), "lead-1", Stage::Nurture).await;
    check(&url).await;
}

#[tokio::test]
async fn messages_and_replies_that_move_nothing_touch_no_index() {
    let server = server_with(&QUIET).await;
    let (mut client, mut database) = (server.client(), server.database().await);
    engaged(&mut client, "talks").await;
    created(&mut client, "waits").await;
    overridden(&mut client, "waits", Stage::Nurture).await;
    // What the sessions have counted reaches the statistics now and then, at the latest when they end.
    let updates = async |database: &mut crate::support::server::Database, column: &str| {
        database.number(&format!("select {column} from pg_stat_user_tables where relname = 'leads'")).await
    };
    for round in 0..10 {
        applied(&mut client, "talks", if round % 2 == 0 { message_sent() } else { replied() }).await;
        applied(&mut client, "waits", message_sent()).await;
    }
    server.stop().await;
    // Three came before, to CONTACTED, ENGAGED and NURTURE, and moved indexes.
    eventually("the statistics", async || (updates(&mut database, "n_tup_upd").await == 23).then_some(())).await;
    assert_eq!(updates(&mut database, "n_tup_hot_upd").await, 20);
}
