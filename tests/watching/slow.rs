//! A slow reader costs latency, never changes.

use crate::support::requests::{create, created, override_to};
use crate::support::server::{Client, endpoint, server_with};
use crate::support::watcher::{Watching, from_now, keys};
use futures::future::join_all;
use lead_pipeline::proto::lead_pipeline_client::LeadPipelineClient;
use lead_pipeline::proto::{Notice, OverrideStageRequest, Stage};

/// So many bytes that they don't fit into any buffer on the way: each has a reason of 2,000 bytes.
const CHANGES: usize = 3_000;

async fn move_to_and_fro(client: &Client, lead_id: &str, times: usize) {
    let mut client = client.clone();
    client.create_lead(create(lead_id)).await.expect("created");
    for turn in 0..times {
        let stage = if turn % 2 == 0 { Stage::Won } else { Stage::New };
        let request = OverrideStageRequest { reason: "🎉".repeat(500), ..override_to(lead_id, stage) };
        client.override_stage(request).await.expect("moved");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_falls_behind_gets_everything_from_the_log() {
    let server = server_with(&["--ring-entries=16"]).await;
    let mut client = server.client();
    // A window of one response: the reader takes nothing that it hasn't asked for.
    let narrow = endpoint(server.address().parse().expect("an address")).initial_stream_window_size(16_384);
    let mut reader = LeadPipelineClient::new(narrow.connect_lazy());
    let mut watching = Watching::start(&mut reader, from_now()).await;
    created(&mut client, "first").await;
    watching.changes(1).await;
    let names: Vec<String> = (0..30).map(|number| format!("lead-{number}")).collect();
    join_all(names.iter().map(|name| move_to_and_fro(&client, name, CHANGES / names.len() - 1))).await;
    let changes = watching.changes(CHANGES).await;
    let mut keys = keys(&changes);
    keys.dedup();
    assert_eq!(keys.len(), CHANGES, "each once");
    watching.until_notices(&[Notice::FellBehind, Notice::CaughtUp]).await;
    created(&mut client, "last").await;
    assert_eq!(watching.changes(1).await[0].lead_id, "last", "live again");
}
