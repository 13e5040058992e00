//! The end of a stream: GOING_AWAY with the cursor, then UNAVAILABLE.

use crate::support::errors::failed;
use crate::support::requests::{created, overridden};
use crate::support::server::{replica_of, server};
use crate::support::watcher::{Watching, after, from_now, keys};
use lead_pipeline::proto::{Notice, Stage};
use tonic::Code;

#[tokio::test]
async fn a_server_that_stops_says_where_to_go_on() {
    let server = server().await;
    let replica = replica_of(&server).await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    let mut watching = Watching::start(&mut client, from_now()).await;
    overridden(&mut client, "lead-1", Stage::Won).await;
    watching.changes(1).await;
    let (ended, ()) = tokio::join!(watching.end(), server.stop());
    failed(Err::<(), _>(ended)).is(Code::Unavailable, "UNAVAILABLE").asks_to_retry(true);
    assert_eq!(watching.notices.last(), Some(&Notice::GoingAway));
    let mut client = replica.client();
    let mut resumed = Watching::start(&mut client, after(&watching.cursor)).await;
    overridden(&mut client, "lead-1", Stage::New).await;
    assert_eq!(keys(&resumed.changes(1).await), [("lead-1".into(), 3)], "nothing twice, nothing missing");
}
