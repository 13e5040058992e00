//! A failover to a standby that nobody waited for: it lacks the last changes that were acknowledged.

use super::lost_history::{Loss, Scale, Writer, lose_history};
use crate::support::checker::check;
use crate::support::errors::failed;
use crate::support::operated::Operated;
use crate::support::requests::{created, overridden};
use crate::support::server::server_on;
use crate::support::watcher::{Watching, after, from_now, keys};
use lead_pipeline::proto::{GetLeadRequest, Stage};
use tonic::Code;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_with_fewer_changes_on_top_is_told() {
    for writer in [Writer::WroteIt, Writer::CameLater] {
        lose_history(Loss::Failover, Scale { leads: 6, kept: 10, lost: 8, anew: 3 }, writer).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_with_more_changes_on_top_is_told() {
    for writer in [Writer::WroteIt, Writer::CameLater] {
        lose_history(Loss::Failover, Scale { leads: 6, kept: 10, lost: 8, anew: 20 }, writer).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_that_is_not_promoted_yet_is_not_believed() {
    let operated = Operated::new().await;
    let mut primary = operated.init().await;
    operated.put_in_place(&primary);
    let server = server_on(&operated.url(), &["--connect-timeout=500ms"]).await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    let standby = operated.standby(&primary).await;
    standby.replays_all_of(&primary).await;
    standby.database().await.run("select pg_wal_replay_pause()").await;
    let mut watching = Watching::start(&mut client, from_now()).await;
    overridden(&mut client, "lead-1", Stage::Won).await;
    watching.changes(1).await;
    standby.receives_all_of(&primary).await;
    primary.crash().await;
    operated.put_in_place(&standby);
    // It answers, with an older state than what was acknowledged.
    let mut reader = standby.database().await;
    assert_eq!(reader.number("select version from leads").await, 1);
    let request = GetLeadRequest { lead_id: "lead-1".into() };
    failed(client.get_lead(request).await).is(Code::Unavailable, "UNAVAILABLE").asks_to_retry(true);
    failed(Watching::try_start(&mut client, after(&watching.cursor)).await.map(|_| "accepted"))
        .is(Code::Unavailable, "UNAVAILABLE");
    standby.promote().await;
    overridden(&mut client, "lead-1", Stage::New).await;
    assert_eq!(keys(&watching.changes(1).await), [("lead-1".into(), 3)], "nothing was lost, and no stream ends");
    check(&operated.url()).await;
}
