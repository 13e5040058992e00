//! ListWatchers: who watches what on this replica, and how far behind.

use crate::support::errors::failed;
use crate::support::requests::{created, overridden};
use crate::support::server::{Server, endpoint, replica_of, server, server_with};
use crate::support::wait::eventually;
use crate::support::watcher::{Watching, from_beginning, from_now};
use lead_pipeline::proto::lead_pipeline_client::LeadPipelineClient;
use lead_pipeline::proto::{
    ChangeOrigin, ListWatchersRequest, Notice, OverrideStageRequest, Stage, WatchFilter, WatchStageChangesRequest,
    Watcher,
};
use tonic::Request;

async fn watchers(server: &Server) -> Vec<Watcher> {
    let mut watchers = Vec::new();
    let mut request = ListWatchersRequest { page_size: 2, ..Default::default() };
    loop {
        let page = server.client().list_watchers(request.clone()).await.expect("a page").into_inner();
        assert!(page.watchers.len() <= 2);
        watchers.extend(page.watchers);
        if page.next_page_token.is_empty() {
            return watchers;
        }
        request.page_token = page.next_page_token;
    }
}

#[tokio::test]
async fn watchers_are_listed_with_what_they_watch_until_they_go() {
    let server = server().await;
    let replica = replica_of(&server).await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    assert_eq!(watchers(&server).await, []);
    let filter = WatchFilter {
        lead_ids: vec!["lead-1".into()],
        agent_ids: vec!["anna".into(), "ben".into()],
        from_stages: vec![Stage::New.into()],
        to_stages: vec![Stage::Won.into(), Stage::Lost.into()],
        origin: ChangeOrigin::Manual.into(),
    };
    let mut named = Request::new(WatchStageChangesRequest {
        filter: Some(filter.clone()),
        include_unchanged: true,
        ..from_beginning()
    });
    named.metadata_mut().insert("client-name", "dashboard".parse().expect("ascii"));
    let mut stream = client.watch_stage_changes(named).await.expect("watches").into_inner();
    let mut others = Vec::new();
    for _ in 0..4 {
        others.push(Watching::start(&mut client, from_now()).await);
    }
    // The whole history is one entry, which no filter lets through: the notice comes with its coverage.
    while stream.message().await.expect("a response").expect("goes on").notice() != Notice::CaughtUp {}
    let listed = watchers(&server).await;
    assert!(listed.iter().map(|watcher| watcher.id).eq(1..=5), "each once, in order, over all pages");
    let first = &listed[0];
    assert_eq!((first.client_name.as_str(), &first.filter), ("dashboard", &Some(filter)));
    assert!(first.include_unchanged && !first.slow && first.behind == 0, "{first:?}");
    assert_eq!(first.positions.iter().map(|at| at.position).sum::<i64>(), 1, "it was sent everything: {first:?}");
    assert!(first.peer.starts_with("127.0.0.1:"), "{first:?}");
    let now = server.database().await.number("select extract(epoch from clock_timestamp())").await;
    assert!((now - first.since.expect("a time").seconds).abs() < 60, "{first:?}");
    assert!(listed[1].client_name.starts_with("tonic/"), "a client without a name has its user-agent");
    assert_eq!(watchers(&replica).await, [], "each replica has its own");
    drop((stream, others));
    eventually("the list to be empty", async || watchers(&server).await.is_empty().then_some(())).await;
    let request = ListWatchersRequest { page_size: -1, ..Default::default() };
    failed(client.list_watchers(request).await).names(&["page_size"]);
    let request = ListWatchersRequest { page_token: "x".into(), ..Default::default() };
    failed(client.list_watchers(request).await).names(&["page_token"]);
}

#[tokio::test]
async fn a_watcher_that_fell_behind_is_shown_as_slow_until_it_caught_up() {
    let server = server_with(&["--ring-entries=4", "--response-entries=1", "--snapshot-page=1"]).await;
    let mut client = server.client();
    // A window of one response: the reader takes nothing that it hasn't asked for.
    let narrow = endpoint(server.address().parse().expect("an address")).initial_stream_window_size(16_384);
    let mut reader = LeadPipelineClient::new(narrow.connect_lazy());
    let mut watching = Watching::start(&mut reader, from_now()).await;
    watching.until(Notice::CaughtUp).await;
    created(&mut client, "lead-1").await;
    for turn in 0..100 {
        let stage = if turn % 2 == 0 { Stage::Won } else { Stage::New };
        let request = crate::support::requests::override_to("lead-1", stage);
        let request = OverrideStageRequest { reason: "🎉".repeat(500), ..request };
        client.override_stage(request).await.expect("moved");
    }
    let stuck = watchers(&server).await;
    assert!(stuck[0].behind > 10 && stuck[0].slow, "it was sent what the window takes: {stuck:?}");
    watching.changes(101).await;
    watching.until_notices(&[Notice::FellBehind, Notice::CaughtUp]).await;
    let well = watchers(&server).await;
    assert!(!well[0].slow && well[0].behind == 0, "{well:?}");
    overridden(&mut client, "lead-1", Stage::Lost).await;
    watching.changes(1).await;
}

#[tokio::test]
async fn a_watcher_whose_filter_drops_everything_is_not_behind() {
    let server = server_with(&["--ring-entries=4"]).await;
    let mut client = server.client();
    let filter = Some(WatchFilter { lead_ids: vec!["nobody".into()], ..Default::default() });
    // It is sent nothing, not even a checkpoint.
    let silent = Some(prost_types::Duration { seconds: 3600, nanos: 0 });
    let request = WatchStageChangesRequest { filter, checkpoint_interval: silent, ..from_now() };
    let _watching = Watching::start(&mut client, request).await;
    for number in 0..30 {
        created(&mut client, &format!("lead-{number}")).await;
    }
    let looked_at = async || {
        let watcher = watchers(&server).await.remove(0);
        let sum: i64 = watcher.positions.iter().map(|at| at.position).sum();
        (sum == 30 && watcher.behind == 0 && !watcher.slow).then_some(())
    };
    eventually("the watcher to have looked at everything", looked_at).await;
}

#[tokio::test]
async fn a_page_of_long_filters_ends_early() {
    let server = server_with(&["--page-bytes=10000"]).await;
    let mut client = server.client();
    let names = |count: usize| (0..count).map(|number| format!("{number:064}")).collect();
    let mut watches = Vec::new();
    for _ in 0..5 {
        let filter = WatchFilter { lead_ids: names(100), agent_ids: names(100), ..Default::default() };
        watches
            .push(Watching::start(&mut client, WatchStageChangesRequest { filter: Some(filter), ..from_now() }).await);
    }
    let page = client.list_watchers(ListWatchersRequest::default()).await.expect("a page").into_inner();
    assert_eq!(page.watchers.len(), 1, "one has more than so many bytes, and comes");
    assert!(watchers(&server).await.iter().map(|watcher| watcher.id).eq(1..=5), "each once, over all pages");
}
