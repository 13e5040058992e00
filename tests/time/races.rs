//! What people do in the moment in which a meeting ends or a lead goes quiet: they win or they lose, never both.

use super::meetings::{meeting, scheduled};
use crate::support::checker::check;
use crate::support::requests::{
    actor, applied, booked, created, history, opted_out, overridden, override_to, replied, trigger,
};
use crate::support::server::{Client, replica_of, server_with};
use crate::support::wait::eventually;
use lead_pipeline::proto::trigger::Kind;
use lead_pipeline::proto::{ActorKind, MeetingCancelled, Stage, StageChange};
use tokio::task::JoinSet;

const FAST: &str = "--timer-interval=5ms";

/// What somebody does in that moment.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Cancel,
    Reschedule,
    Override,
    Die,
    Reply,
}

/// Whether it was accepted.
async fn act(mut client: Client, lead_id: String, deed: Deed, now: i64) -> bool {
    let kind = match deed {
        Deed::Cancel => Kind::MeetingCancelled(MeetingCancelled { meeting_id: "m".into() }),
        Deed::Reschedule => booked(meeting("n", now, 100_000, 200_000)),
        Deed::Die => opted_out(),
        Deed::Reply => replied(),
        Deed::Override => {
            client.override_stage(override_to(&lead_id, Stage::Won)).await.expect("an override is never refused");
            return true;
        }
    };
    client.apply_trigger(trigger(&lead_id, kind)).await.is_ok()
}

/// The moves of a history behind its first `known` entries: to where, and whether by the service.
fn moves(changes: &[StageChange], known: usize) -> Vec<(Stage, bool)> {
    let by_service = |change: &StageChange| change.actor.as_ref().is_some_and(|one| one.kind() == ActorKind::System);
    changes[known..].iter().map(|change| (change.to_stage(), by_service(change))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_comes_in_the_moment_a_meeting_ends_wins_or_loses() {
    const DEEDS: [Deed; 4] = [Deed::Cancel, Deed::Reschedule, Deed::Override, Deed::Die];
    let server = server_with(&[FAST]).await;
    let replica = replica_of(&server).await;
    let (mut client, mut database) = (server.client(), server.database().await);
    let now = database.time().await;
    for number in 0..48 {
        scheduled(&mut client, &format!("lead-{number}"), meeting("m", now, -60, 3600)).await;
    }
    let mut deeds = JoinSet::new();
    for number in 0..48 {
        let (server, lead_id) = (if number % 3 == 0 { &server } else { &replica }, format!("lead-{number}"));
        let (client, deed) = (server.client(), DEEDS[number % 4]);
        if number < 4 {
            // However busy the machine is: these come before the moment.
            let accepted = act(client, lead_id.clone(), deed, now).await;
            deeds.spawn(async move { (lead_id, deed, accepted) });
            continue;
        }
        deeds.spawn(async move { (lead_id.clone(), deed, act(client, lead_id, deed, now).await) });
        if number == 16 {
            database.move_time(3700).await;
        }
    }
    let (mut won, mut lost) = (0, 0);
    while let Some(done) = deeds.join_next().await {
        let (lead_id, deed, accepted) = done.expect("no panic");
        let completed = eventually("the end of the meeting", async || {
            let moves = moves(&history(&mut client, &lead_id).await, 3);
            let left = !matches!(deed, Deed::Reschedule) || !accepted || moves.len() == 1;
            (left && !moves.is_empty()).then_some(moves)
        })
        .await;
        let passed = (Stage::MeetingCompleted, true);
        let legal: &[&[(Stage, bool)]] = match (deed, accepted) {
            (Deed::Cancel, true) => &[&[(Stage::Engaged, false)], &[passed, (Stage::MeetingCompleted, false)]],
            (Deed::Reschedule, true) => &[&[(Stage::Scheduled, false)]],
            (Deed::Reschedule, false) => &[&[passed]],
            (Deed::Override, true) => &[&[(Stage::Won, false)], &[passed, (Stage::Won, false)]],
            (Deed::Die, true) => &[&[(Stage::Lost, false)], &[passed, (Stage::Lost, false)]],
            _ => &[],
        };
        assert!(legal.contains(&completed.as_slice()), "{lead_id} {deed:?} {accepted}: {completed:?}");
        if completed.contains(&passed) { lost += 1 } else { won += 1 }
    }
    assert_eq!(won + lost, 48);
    assert!(won > 0, "some came before the moment");
    check(server.database_url()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_comes_in_the_moment_a_lead_goes_quiet_wins_or_loses() {
    const DEEDS: [Deed; 3] = [Deed::Reply, Deed::Override, Deed::Die];
    let server = server_with(&[FAST, "--quiet-after=7d"]).await;
    let (mut client, mut database) = (server.client(), server.database().await);
    for number in 0..45 {
        let lead_id = format!("lead-{number}");
        created(&mut client, &lead_id).await;
        overridden(&mut client, &lead_id, Stage::Engaged).await;
    }
    let mut deeds = JoinSet::new();
    for number in 0..45 {
        let (client, deed, lead_id) = (server.client(), DEEDS[number % 3], format!("lead-{number}"));
        deeds.spawn(async move { (lead_id.clone(), deed, act(client, lead_id, deed, 0).await) });
        if number == 15 {
            database.move_time(7 * 86_400 + 60).await;
        }
    }
    while let Some(done) = deeds.join_next().await {
        let (lead_id, deed, accepted) = done.expect("no panic");
        assert!(accepted, "{deed:?}");
        let quiet = (Stage::Nurture, true);
        let engaged = (Stage::Engaged, false);
        let legal: &[&[(Stage, bool)]] = match deed {
            // A reply from before the time moved is as old as the silence.
            Deed::Reply => &[&[engaged], &[quiet, engaged], &[engaged, quiet]],
            Deed::Override => &[&[(Stage::Won, false)], &[quiet, (Stage::Won, false)]],
            _ => &[&[(Stage::Lost, false)], &[quiet, (Stage::Lost, false)]],
        };
        let moves = moves(&history(&mut client, &lead_id).await, 2);
        assert!(legal.contains(&moves.as_slice()), "{lead_id} {deed:?}: {moves:?}");
    }
    check(server.database_url()).await;
}

/// Behind the lock of the partition both wait for the same lead, the person first or the service first.
#[tokio::test]
async fn the_service_drops_what_it_read_before_a_person_was_quicker() {
    let server = server_with(&[FAST]).await;
    let (mut client, mut database, mut looker) = (server.client(), server.database().await, server.database().await);
    let now = database.time().await;
    scheduled(&mut client, "lead-1", meeting("m", now, -60, 3600)).await;
    database.lock_partition_of("lead-1").await;
    let mut other = server.client();
    let cancelled = tokio::spawn(async move {
        let kind = Kind::MeetingCancelled(MeetingCancelled { meeting_id: "m".into() });
        other.apply_trigger(trigger("lead-1", kind)).await
    });
    let waiting = async |looker: &mut crate::support::server::Database| {
        eventually("a write to wait", async || (looker.waiting().await >= 1).then_some(())).await;
    };
    waiting(&mut looker).await;
    looker.move_time(3700).await;
    // The service has found the meeting at its end: its command waits behind the person's.
    let queued = "select count(*) from leads where timer_at <= (select clock_timestamp() + time_offset from pipeline)";
    assert_eq!(looker.number(queued).await, 1);
    database.unlock().await;
    let answer = cancelled.await.expect("answers").expect("accepted").into_inner();
    assert_eq!(answer.lead.expect("a lead").stage(), Stage::Engaged);
    let due = async || (looker.number(queued).await == 0).then_some(());
    eventually("the timer to be done with", due).await;
    let changes = history(&mut client, "lead-1").await;
    assert_eq!(moves(&changes, 3), [(Stage::Engaged, false)]);
    assert_eq!(changes[3].actor, Some(actor(ActorKind::Service, "unknown")));
    applied(&mut client, "lead-1", opted_out()).await;
    check(server.database_url()).await;
}
