//! The age limit of a stream: the watcher is told its cursor, and goes on with it.

use crate::support::errors::failed;
use crate::support::requests::{created, overridden};
use crate::support::server::server_with;
use crate::support::watcher::{Watching, after, from_now, keys};
use lead_pipeline::proto::{Notice, Stage};
use tonic::Code;

#[tokio::test]
async fn a_stream_that_is_too_old_says_where_to_go_on() {
    let server = server_with(&["--watch-age=300ms"]).await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    let mut watching = Watching::start(&mut client, from_now()).await;
    let ended = watching.end().await;
    failed(Err::<(), _>(ended)).is(Code::Unavailable, "UNAVAILABLE").asks_to_retry(true);
    assert_eq!(watching.notices, [Notice::CaughtUp, Notice::GoingAway]);
    overridden(&mut client, "lead-1", Stage::Won).await;
    let mut resumed = Watching::start(&mut client, after(&watching.cursor)).await;
    assert_eq!(keys(&resumed.changes(1).await), [("lead-1".into(), 2)], "what came meanwhile");
}
