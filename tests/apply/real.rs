//! The journeys of real leads, where they are at hand.

use super::program::apply;
use super::{client, count_by_stage};
use lead_pipeline::proto::{
    GetFunnelRequest, Notice, StageChange, StartBeginning, WatchStageChangesRequest, watch_stage_changes_request::Start,
};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

const AGENTS: [&str; 5] = ["api", "landing-page", "add-form", "import", "quick-add"];

/// As the description of the file lists them.
const STAGES: [(&str, usize); 8] = [
    ("STAGE_BAD_CONTACT", 24),
    ("STAGE_CONTACTED", 3082),
    ("STAGE_ENGAGED", 959),
    ("STAGE_EXHAUSTED", 60),
    ("STAGE_LOST", 1340),
    ("STAGE_NEW", 1),
    ("STAGE_NURTURE", 213),
    ("STAGE_WON", 3561),
];

#[tokio::test]
async fn every_call_is_accepted_watched_once_and_changes_nothing_again() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/journeys.ndjson.gz");
    if !file.exists() {
        println!("skipped: {} isn't there", file.display());
        return;
    }
    let file = file.to_str().expect("a UTF-8 path");
    let folder = tempfile::tempdir().expect("a folder");
    // With every timer on.
    let server = crate::support::server::server_with(&["--quiet-after=30d", "--timer-interval=20ms"]).await;
    let address = format!("http://{}", server.address());
    let arguments = [file, "--rejects", "rejects"];
    let run = || apply(folder.path(), &address, &arguments);

    let first = run().await;
    first.applied(&[("created", 9240), ("replayed", 0)]);
    let counts = first.counts();
    assert_eq!(counts["created"] + counts["moved"] + counts["no change"], 45_601, "{first:?}");
    let after_first = watched(&address).await;
    assert_eq!(count_by_stage(&mut client(&address).await, &AGENTS).await, BTreeMap::from(STAGES.map(own)));

    run().await.applied(&[("created", 0), ("moved", 0), ("no change", 0), ("replayed", 45_601)]);
    assert_eq!(watched(&address).await, after_first);
    assert_eq!(count_by_stage(&mut client(&address).await, &AGENTS).await, BTreeMap::from(STAGES.map(own)));
    assert!(!folder.path().join("rejects").exists());

    // The watched changes lead where the leads are.
    let mut stages: BTreeMap<String, usize> = BTreeMap::new();
    for last in after_first.values().filter_map(|changes| changes.last()) {
        *stages.entry(last.to_stage().as_str_name().into()).or_default() += 1;
    }
    assert_eq!(stages, BTreeMap::from(STAGES.map(own)));

    let funnel = client(&address).await.get_funnel(GetFunnelRequest::default()).await.expect("a funnel").into_inner();
    let leads = funnel.stages.iter().filter(|stage| stage.leads > 0);
    let leads: BTreeMap<String, usize> =
        leads.map(|stage| (stage.stage().as_str_name().to_owned(), stage.leads as usize)).collect();
    assert_eq!(leads, BTreeMap::from(STAGES.map(own)), "the funnel counts them too");
}

fn own((stage, leads): (&str, usize)) -> (String, usize) {
    (stage.into(), leads)
}

/// Each lead's changes, seen by a watcher from the beginning until it has caught up. Checks on the way that coverage
/// has no gap, and that each entry comes once and in order.
async fn watched(address: &str) -> HashMap<String, Vec<StageChange>> {
    let request = WatchStageChangesRequest {
        start: Some(Start::Beginning(StartBeginning {})),
        include_unchanged: true,
        ..WatchStageChangesRequest::default()
    };
    let mut stream = client(address).await.watch_stage_changes(request).await.expect("a watch").into_inner();
    let mut through: HashMap<i32, i64> = HashMap::new();
    let mut positions = HashSet::new();
    let mut leads: HashMap<String, Vec<StageChange>> = HashMap::new();
    while let Some(response) = stream.message().await.expect("a response") {
        let caught_up = response.notice() == Notice::CaughtUp;
        for coverage in &response.coverage {
            let covered = through.entry(coverage.partition).or_default();
            assert_eq!(*covered, coverage.after, "a gap in partition {}", coverage.partition);
            *covered = coverage.through;
        }
        for change in response.changes {
            assert!(positions.insert((change.partition, change.position)), "twice: {change:?}");
            assert!(change.position <= through[&change.partition], "not covered: {change:?}");
            let changes = leads.entry(change.lead_id.clone()).or_default();
            assert_eq!(change.version, changes.len() as i32 + 1, "out of order: {change:?}");
            changes.push(change);
        }
        if caught_up {
            break;
        }
    }
    let covered: i64 = through.values().sum();
    assert_eq!(positions.len() as i64, covered, "what is covered was sent, as nothing is filtered");
    if covered > 0 {
        leads.retain(|_, changes| AGENTS.contains(&changes[0].agent_id.as_str()));
    }
    leads
}
