//! Filters of a stream with a snapshot: stages mean membership, and the filter stays until the snapshot is complete.

use crate::support::errors::failed;
use crate::support::requests::{create, overridden};
use crate::support::server::{Client, server, server_with};
use crate::support::watcher::{View, Watching, after, from_snapshot, keys};
use lead_pipeline::proto::{ChangeOrigin, CreateLeadRequest, Notice, Stage, WatchFilter, WatchStageChangesRequest};
use tonic::Code;

fn of(filter: WatchFilter, request: WatchStageChangesRequest) -> WatchStageChangesRequest {
    WatchStageChangesRequest { filter: Some(filter), ..request }
}

fn stages(from: &[Stage], to: &[Stage]) -> WatchFilter {
    let codes = |stages: &[Stage]| stages.iter().map(|stage| (*stage).into()).collect();
    WatchFilter { from_stages: codes(from), to_stages: codes(to), ..Default::default() }
}

async fn lead_of(client: &mut Client, lead_id: &str, agent: &str, stage: Stage) {
    let request = CreateLeadRequest { agent_id: agent.into(), ..create(lead_id) };
    client.create_lead(request).await.expect("created");
    if stage != Stage::New {
        overridden(client, lead_id, stage).await;
    }
}

/// The leads of a snapshot, by name, and the stream behind it.
async fn snapshot(client: &mut Client, filter: WatchFilter) -> (Vec<String>, Watching) {
    let mut watching = Watching::start_snapshot(client, of(filter, from_snapshot())).await;
    let mut view = View::default();
    while !watching.notices.contains(&Notice::SnapshotComplete) {
        view.take(&watching.next().await.expect("a response"), false);
    }
    (view.0.into_keys().collect(), watching)
}

async fn some_leads(client: &mut Client) {
    for (number, agent) in ["anna", "ben", "carl"].into_iter().cycle().take(30).enumerate() {
        let stage = [Stage::New, Stage::Won, Stage::Engaged, Stage::Lost][number % 4];
        lead_of(client, &format!("lead-{number:02}"), agent, stage).await;
    }
}

#[tokio::test]
async fn a_snapshot_sends_the_leads_that_its_filter_names() {
    let server = server_with(&["--snapshot-page=2"]).await;
    let mut client = server.client();
    some_leads(&mut client).await;
    let names = |keep: fn(usize) -> bool| -> Vec<String> {
        (0..30).filter(|number| keep(*number)).map(|number| format!("lead-{number:02}")).collect()
    };
    let agents = |agents: &[&str]| agents.iter().map(ToString::to_string).collect::<Vec<_>>();
    let leads = vec!["lead-07".to_owned(), "lead-29".into(), "lead-00".into(), "none".into()];
    for (filter, expected) in [
        (WatchFilter::default(), names(|_| true)),
        (WatchFilter { agent_ids: agents(&["ben"]), ..Default::default() }, names(|n| n % 3 == 1)),
        (WatchFilter { agent_ids: agents(&["carl", "anna", "nobody"]), ..Default::default() }, names(|n| n % 3 != 1)),
        (stages(&[Stage::Won], &[]), names(|n| n % 4 == 1)),
        (stages(&[Stage::Won], &[Stage::Lost]), names(|n| n % 2 == 1)),
        (
            WatchFilter { agent_ids: agents(&["anna"]), ..stages(&[], &[Stage::New]) },
            names(|n| n % 4 == 0 && n % 3 == 0),
        ),
        (WatchFilter { lead_ids: leads.clone(), ..Default::default() }, names(|n| [0, 7, 29].contains(&n))),
        (WatchFilter { lead_ids: leads.clone(), agent_ids: agents(&["ben"]), ..Default::default() }, names(|n| n == 7)),
        (WatchFilter { lead_ids: leads, ..stages(&[], &[Stage::New]) }, names(|n| n == 0)),
    ] {
        assert_eq!(snapshot(&mut client, filter.clone()).await.0, expected, "{filter:?}");
    }
}

#[tokio::test]
async fn coming_to_a_stage_and_leaving_it_is_seen_also_after_a_resume() {
    let server = server().await;
    let mut client = server.client();
    some_leads(&mut client).await;
    let filter = stages(&[], &[Stage::Won]);
    let (leads, mut watching) = snapshot(&mut client, filter.clone()).await;
    assert!(leads.contains(&"lead-01".into()));
    overridden(&mut client, "lead-01", Stage::Lost).await;
    overridden(&mut client, "lead-01", Stage::New).await;
    overridden(&mut client, "lead-01", Stage::Won).await;
    assert_eq!(keys(&watching.changes(2).await), [("lead-01".into(), 3), ("lead-01".into(), 5)]);
    let mut resumed = Watching::start(&mut client, of(filter, after(&watching.cursor))).await;
    overridden(&mut client, "lead-05", Stage::New).await;
    assert_eq!(keys(&resumed.changes(1).await), [("lead-05".into(), 3)], "it left the stage");
}

#[tokio::test]
async fn the_filter_may_change_behind_a_snapshot_but_not_in_its_middle() {
    let server = server_with(&["--snapshot-page=2"]).await;
    let mut client = server.client();
    some_leads(&mut client).await;
    let filter = stages(&[], &[Stage::Won, Stage::New]);
    let mut watching = Watching::start_snapshot(&mut client, of(filter.clone(), from_snapshot())).await;
    for _ in 0..3 {
        let cursor = watching.cursor.clone();
        for other in [
            WatchFilter::default(),
            stages(&[], &[Stage::Won]),
            stages(&[Stage::Won, Stage::New], &[]),
            WatchFilter { agent_ids: vec!["anna".into()], ..filter.clone() },
            WatchFilter { origin: ChangeOrigin::Manual.into(), ..filter.clone() },
        ] {
            failed(client.watch_stage_changes(of(other, after(&cursor))).await)
                .is(Code::InvalidArgument, "CURSOR_INVALID");
        }
        let same = stages(&[], &[Stage::New, Stage::Won, Stage::New]);
        Watching::start_snapshot(&mut client, of(same, after(&cursor))).await;
        watching.next().await.expect("a page");
    }
    watching.until(Notice::SnapshotComplete).await;
    let other = WatchFilter { agent_ids: vec!["ben".into()], ..Default::default() };
    let mut resumed = Watching::start(&mut client, of(other, after(&watching.cursor))).await;
    overridden(&mut client, "lead-00", Stage::Lost).await;
    overridden(&mut client, "lead-01", Stage::Lost).await;
    assert_eq!(keys(&resumed.changes(1).await), [("lead-01".into(), 3)]);
}

#[tokio::test]
async fn an_origin_can_t_go_with_a_snapshot() {
    let server = server().await;
    let mut client = server.client();
    for origin in [ChangeOrigin::Manual, ChangeOrigin::Automatic] {
        let filter = WatchFilter { origin: origin.into(), ..Default::default() };
        failed(client.watch_stage_changes(of(filter, from_snapshot())).await).names(&["filter.origin"]);
    }
}
