//! Filters: what is set must all hold, and coverage accounts for what they drop.

use crate::support::requests::{
    actor, applied, created, history, message_sent, not_interested, opted_out, overridden, replied, trigger,
};
use crate::support::server::{Client, Server, server, server_on, server_with};
use crate::support::watcher::{Watching, after, filtered, from_beginning, from_now, keys, unfiltered};
use crate::watching::starts::heads;
use lead_pipeline::proto::{
    ActorKind, ApplyTriggerRequest, ChangeOrigin, CreateLeadRequest, Notice, Stage, StageChange, WatchFilter,
    WatchStageChangesRequest,
};
use prost_types::Duration;
use std::collections::BTreeMap;

/// Two agents' leads, moved by triggers and a person, with entries of NO_CHANGE and of the dead mark between.
async fn some_history(server: &Server) -> Vec<StageChange> {
    let mut client = server.client();
    for (lead_id, agent_id) in [("a1", "anna"), ("a2", "anna"), ("b1", "ben")] {
        let request = CreateLeadRequest { agent_id: agent_id.into(), ..crate::support::requests::create(lead_id) };
        client.create_lead(request).await.expect("created");
        applied(&mut client, lead_id, message_sent()).await;
        applied(&mut client, lead_id, message_sent()).await;
        applied(&mut client, lead_id, replied()).await;
    }
    overridden(&mut client, "a1", Stage::Won).await;
    overridden(&mut client, "a1", Stage::Won).await;
    overridden(&mut client, "b1", Stage::New).await;
    applied(&mut client, "a2", not_interested()).await;
    applied(&mut client, "a2", not_interested()).await;
    applied(&mut client, "a2", opted_out()).await;
    let mut all = Vec::new();
    for lead_id in ["a1", "a2", "b1"] {
        all.extend(history(&mut client, lead_id).await);
    }
    all
}

/// Whether an entry is sent without being asked for: a creation, a move, or a dead mark that was set or raised.
fn is_notable(change: &StageChange, all: &[StageChange]) -> bool {
    let before = all.iter().find(|other| other.lead_id == change.lead_id && other.version == change.version - 1);
    change.from_stage != change.to_stage || before.is_some_and(|before| before.dead_reason != change.dead_reason)
}

/// Watches from the beginning to the heads, and compares with what should pass.
async fn assert_passes(server: &Server, request: WatchStageChangesRequest, expected: Vec<&StageChange>) {
    let mut client: Client = server.client();
    let mut watching = Watching::start(&mut client, request.clone()).await;
    let mut changes = watching.through(&heads(server).await).await;
    changes.extend(watching.until(Notice::CaughtUp).await);
    assert_eq!(keys(&changes), keys(expected), "{request:?}");
}

fn is_manual(change: &StageChange) -> bool {
    use lead_pipeline::proto::cause::Kind;
    matches!(change.cause.as_ref().and_then(|cause| cause.kind.as_ref()), Some(Kind::Override(_)))
}

/// A filter, and what it lets through.
type Case = (WatchFilter, fn(&StageChange) -> bool);

fn cases() -> Vec<Case> {
    let none = WatchFilter::default;
    let (new, engaged, won) = (Stage::New.into(), Stage::Engaged.into(), Stage::Won.into());
    vec![
        (none(), |_| true),
        (WatchFilter { lead_ids: vec!["a1".into(), "b1".into()], ..none() }, |c| c.lead_id != "a2"),
        (WatchFilter { agent_ids: vec!["anna".into()], ..none() }, |c| c.agent_id == "anna"),
        (WatchFilter { from_stages: vec![new], ..none() }, |c| c.from_stage() == Stage::New),
        (WatchFilter { to_stages: vec![engaged, won], ..none() }, |c| {
            [Stage::Engaged, Stage::Won].contains(&c.to_stage())
        }),
        (WatchFilter { origin: ChangeOrigin::Manual.into(), ..none() }, is_manual),
        (WatchFilter { origin: ChangeOrigin::Automatic.into(), ..none() }, |c| !is_manual(c)),
        (
            WatchFilter {
                agent_ids: vec!["anna".into()],
                lead_ids: vec!["a1".into(), "b1".into()],
                from_stages: vec![engaged],
                to_stages: vec![won],
                origin: ChangeOrigin::Manual.into(),
            },
            |c| c.lead_id == "a1" && c.from_stage() == Stage::Engaged && c.to_stage() == Stage::Won,
        ),
        (WatchFilter { lead_ids: vec!["nobody".into()], ..none() }, |_| false),
    ]
}

#[tokio::test]
async fn every_filter_sends_what_it_says_and_covers_everything() {
    let server = server().await;
    let all = some_history(&server).await;
    for (filter, passes) in cases() {
        let notable = all.iter().filter(|change| passes(change) && is_notable(change, &all)).collect();
        assert_passes(&server, filtered(filter.clone()), notable).await;
        let unchanged = WatchStageChangesRequest { include_unchanged: true, ..filtered(filter) };
        assert_passes(&server, unchanged, all.iter().filter(|change| passes(change)).collect()).await;
    }
    assert_eq!(all.iter().filter(|change| !is_notable(change, &all)).count(), 5, "the history has such entries");
}

#[tokio::test]
async fn the_dead_mark_is_always_streamed() {
    let server = server().await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    overridden(&mut client, "lead-1", Stage::Lost).await;
    let mut watching = Watching::start(&mut client, from_now()).await;
    for kind in [not_interested(), not_interested(), opted_out(), not_interested()] {
        applied(&mut client, "lead-1", kind).await;
    }
    overridden(&mut client, "lead-1", Stage::Won).await;
    let versions: Vec<i32> = watching.changes(3).await.iter().map(|change| change.version).collect();
    assert_eq!(versions, [3, 5, 7], "set, raised, moved; not what left the mark as it was");
}

#[tokio::test]
async fn the_same_filters_hold_for_live_changes() {
    let server = server().await;
    let mut client = server.client();
    let cases = cases();
    let mut watches = Vec::new();
    for (filter, _) in &cases {
        watches.push(Watching::start(&mut client, filtered(filter.clone())).await);
    }
    let all = some_history(&server).await;
    let heads = heads(&server).await;
    for (mut watching, (filter, passes)) in watches.into_iter().zip(&cases) {
        // A checkpoint covers what is dropped; the last change would otherwise have to be one that passes.
        let expected: Vec<_> = all.iter().filter(|change| passes(change) && is_notable(change, &all)).collect();
        let changes = watching.changes(expected.len()).await;
        assert_eq!(keys(&changes), keys(expected), "{filter:?}");
        let resumed = WatchStageChangesRequest { filter: Some(filter.clone()), ..after(&watching.cursor) };
        let mut resumed = Watching::start(&mut client, resumed).await;
        assert_eq!(resumed.through(&heads).await, [], "nothing is left for the filter: {filter:?}");
    }
}

#[tokio::test]
async fn a_checkpoint_comes_though_the_filter_drops_everything() {
    let server = server().await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    let filter = WatchFilter { lead_ids: vec!["nobody".into()], ..Default::default() };
    let request = WatchStageChangesRequest {
        checkpoint_interval: Some(Duration { seconds: 1, nanos: 0 }),
        filter: Some(filter),
        ..from_now()
    };
    let mut watching = Watching::start(&mut client, request).await;
    let first = watching.cursor.clone();
    applied(&mut client, "lead-1", message_sent()).await;
    let heads = heads(&server).await;
    assert_eq!(watching.through(&heads).await, []);
    assert_eq!((watching.behind, &watching.through), (0, &heads));
    assert_ne!(watching.cursor, first, "its cursor is behind what was dropped");
    let silent = watching.next().await.expect("another checkpoint");
    assert_eq!((silent.changes.len(), silent.coverage.len()), (0, 0), "nothing to tell but that all is well");
    assert_eq!(watching.notices, [Notice::CaughtUp], "nothing but the silence made it come");
}

#[tokio::test]
async fn another_filter_may_continue_a_cursor() {
    let server = server().await;
    let all = some_history(&server).await;
    let mut client = server.client();
    let nothing = WatchFilter { lead_ids: vec!["nobody".into()], ..Default::default() };
    let start = Watching::start(&mut client, filtered(nothing)).await.cursor;
    let mut watching = Watching::start(&mut client, after(&start)).await;
    let expected: Vec<_> = all.iter().filter(|change| is_notable(change, &all)).collect();
    assert_eq!(keys(&watching.changes(expected.len()).await), keys(expected));
}

#[tokio::test]
async fn a_watcher_sees_what_a_call_answered() {
    let server = server().await;
    let mut client = server.client();
    created(&mut client, "lead-1").await;
    let mut watching = Watching::start(&mut client, from_beginning()).await;
    let request = ApplyTriggerRequest {
        actor: Some(actor(ActorKind::AiAgent, "anna")),
        reason: "größer".into(),
        occurred_at: Some(crate::support::requests::time(1)),
        ..trigger("lead-1", message_sent())
    };
    let answered = client.apply_trigger(request).await.expect("accepted").into_inner().changes;
    let mut streamed = watching.changes(2).await;
    assert_eq!(streamed.split_off(1), answered, "field by field");
    assert_eq!(streamed, history(&mut client, "lead-1").await[..1], "from the log too");
}

/// A cursor as a client may have kept it, with what it was sent until then.
struct Kept {
    cursor: String,
    through: BTreeMap<i32, i64>,
    changes: Vec<StageChange>,
}

/// Reads the whole history under a filter, and keeps every cursor on the way.
async fn keep_cursors(server: &Server, filter: &WatchFilter) -> Vec<Kept> {
    let mut watching = Watching::start(&mut server.client(), unfiltered(filtered(filter.clone()))).await;
    let mut changes = Vec::new();
    let mut kept = Vec::new();
    loop {
        let (cursor, through) = (watching.cursor.clone(), watching.through.clone());
        kept.push(Kept { cursor, through, changes: changes.clone() });
        if watching.notices.contains(&Notice::CaughtUp) {
            return kept;
        }
        changes.extend(watching.next().await.expect("the stream goes on").changes);
    }
}

#[tokio::test]
async fn any_replica_continues_any_cursor_under_any_other_filter() {
    let one = server_with(&["--response-entries=2"]).await;
    let other = server_on(one.database_url(), &["--ring-entries=2", "--log-page=3"]).await;
    let all = some_history(&one).await;
    let heads = heads(&one).await;
    let cases = cases();
    let mut cursors = 0;
    for (number, (filter, passes)) in cases.iter().enumerate() {
        for (kept, step) in keep_cursors(&one, filter).await.into_iter().zip(1..) {
            // Each cursor meets another of the other filters.
            let (other_filter, other_passes) = &cases[(number + step) % cases.len()];
            let request =
                WatchStageChangesRequest { filter: Some(other_filter.clone()), ..unfiltered(after(&kept.cursor)) };
            let mut resumed = Watching::start(&mut other.client(), request).await;
            assert_eq!(resumed.through, kept.through, "it begins where the other ended");
            let rest = resumed.through(&heads).await;
            let (before, behind): (Vec<_>, Vec<_>) =
                all.iter().partition(|change| change.position <= kept.through[&change.partition]);
            let before = before.into_iter().filter(|change| passes(change));
            let expected = before.chain(behind.into_iter().filter(|change| other_passes(change)));
            assert_eq!(keys(kept.changes.iter().chain(&rest)), keys(expected), "{filter:?}, then {other_filter:?}");
            cursors += 1;
        }
    }
    assert!(cursors > 2 * cases.len(), "{cursors}");
}
