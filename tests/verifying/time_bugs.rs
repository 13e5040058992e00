//! Bugs planted in what the pipeline does while nobody looks: modes and revivals, timers and follow-ups, the funnel.

use super::pruned::PRUNE;
use super::{assert_finds, checked};
use crate::support::cluster::{copy_of, fresh_database};
use crate::support::load::{create_leads, leads};
use crate::support::requests::{
    all_used_up, applied, booked, meeting, message_sent, opted_out, overridden, replied, used_up,
};
use crate::support::server::{Client, Database, server_on};
use crate::support::wait::eventually;
use crate::time::revivals::{revive, summary};
use lead_pipeline::admin::verify::Kind;
use lead_pipeline::proto::{Channel, OutreachMode, Stage};
use tokio::sync::OnceCell;

/// A bug: what it is, the statement that plants it, and what is to be found.
type Bug = (&'static str, &'static str, Kind);

/// The database that each bug is planted in, made once.
async fn lively() -> &'static str {
    static LIVELY: OnceCell<String> = OnceCell::const_new();
    LIVELY.get_or_init(live).await
}

async fn live() -> String {
    let url = fresh_database().await;
    let flags = ["--partitions=2", "--timer-interval=5ms", "--quiet-after=30d", "--funnel-step=5"];
    let server = server_on(&url, &flags).await;
    let mut client = server.client();
    create_leads(&mut client, &leads(20)).await;
    revived(&mut client).await;
    for lead_id in ["lead-8", "lead-9"] {
        overridden(&mut client, lead_id, Stage::Nurture).await;
    }
    applied(&mut client, "lead-9", message_sent()).await;
    for lead_id in ["lead-10", "lead-11", "lead-13"] {
        applied(&mut client, lead_id, message_sent()).await;
    }
    applied(&mut client, "lead-10", replied()).await;
    overridden(&mut client, "lead-12", Stage::Qualified).await;
    applied(&mut client, "lead-12", booked(meeting("m"))).await;
    // EXHAUSTED without an open channel, and with each of them open.
    applied(&mut client, "lead-14", all_used_up()).await;
    overridden(&mut client, "lead-15", Stage::Exhausted).await;
    let mut database = server.database().await;
    let behind = "select count(*) from heads where position - (
        select max(position) from funnel_sums where funnel_sums.partition = heads.partition) >= 5";
    eventually("the funnel's sums", async || (database.number(behind).await == 0).then_some(())).await;
    server.stop().await;
    url
}

/// Leads that were EXHAUSTED under one mode, and revived by another; one is dead.
async fn revived(client: &mut Client) {
    summary(client, revive("default", OutreachMode::SmsOnly)).await;
    for lead_id in leads(8) {
        applied(client, &lead_id, used_up(Channel::Sms)).await;
    }
    applied(client, "lead-0", opted_out()).await;
    overridden(client, "lead-0", Stage::Exhausted).await;
    assert_eq!(summary(client, revive("default", OutreachMode::Blended)).await.revived, 7);
    applied(client, "lead-7", message_sent()).await;
}

const OF_REVIVALS: [Bug; 19] = [
    ("a head's time is early", "update heads set recorded_at = recorded_at - interval '1 hour'", Kind::HeadDiffers),
    ("a head's time is late", "update heads set recorded_at = recorded_at + interval '1 hour'", Kind::HeadDiffers),
    (
        "leads are EXHAUSTED under a mode that nobody had",
        "update revival_parts set outreach_mode = 4 where number = 1",
        Kind::RuleBroken,
    ),
    (
        "a lead is revived by a revival that there isn't",
        "update revival_parts set revival_id = gen_random_uuid() where number = 2",
        Kind::RuleBroken,
    ),
    (
        "a lead is revived before its revival",
        "update revival_parts set began_at = began_at + interval '1 hour' where number = 2",
        Kind::RuleBroken,
    ),
    (
        "a lead is revived after its revival",
        "update revival_parts set finished_at = began_at where number = 2",
        Kind::RuleBroken,
    ),
    (
        "a lead is revived by another request",
        "update entries set request_id = gen_random_uuid() where lead_id = 'lead-3' and cause = 2",
        Kind::RuleBroken,
    ),
    (
        "a lead is revived under another mode",
        r#"update entries set details = details || '{"outreach_mode": 2}' where lead_id = 'lead-3' and cause = 2"#,
        Kind::RuleBroken,
    ),
    (
        "a lead is left behind",
        "insert into revival_parts
         select (r).* from (
             select jsonb_populate_record(revival_parts, jsonb_build_object(
                 'revival_id', gen_random_uuid(), 'number', 3, 'outreach_mode', 2, 'revived', 0,
                 'began_at', now() + interval '1 hour', 'finished_at', now() + interval '2 hours'
             )) as r from revival_parts where number = 2
         ) as made",
        Kind::LeftBehind,
    ),
    ("a revival's count is wrong", "update revival_parts set revived = revived + 1, total = 99", Kind::RevivalDiffers),
    ("a revival looked at too many", "update revival_parts set dead = 99 where number = 2", Kind::RevivalDiffers),
    ("a revival counted nothing", "update revival_parts set total = null where number = 1", Kind::RevivalDiffers),
    (
        "a part was superseded by nothing",
        "update revival_parts set superseded = true where number = 2",
        Kind::RevivalDiffers,
    ),
    (
        "an older part goes on",
        "update revival_parts set finished_at = null where number = 1;
         update revivals set finished_at = null where number = 1",
        Kind::RevivalDiffers,
    ),
    (
        "a revival ended before a part",
        "update revival_parts set finished_at = null where number = 2 and partition = 1",
        Kind::RevivalDiffers,
    ),
    ("a part is gone", "delete from revival_parts where number = 1 and partition = 1", Kind::RevivalDiffers),
    ("a revival is called superseded", "update revivals set superseded = true where number = 2", Kind::RevivalDiffers),
    ("a revival is gone", "delete from revivals where number = 1", Kind::ModeDiffers),
    ("an agent's home is elsewhere", "update agents set partition = 1 - partition", Kind::Misplaced),
];

const OF_MODES: [Bug; 6] = [
    ("an agent has another mode", "update agents set outreach_mode = 2", Kind::ModeDiffers),
    ("an agent counts other revivals", "update agents set number = 3", Kind::ModeDiffers),
    ("an agent is gone", "delete from agents", Kind::ModeDiffers),
    ("a partition has another mode", "update agent_modes set outreach_mode = 1 where partition = 1", Kind::ModeDiffers),
    ("a partition has no mode", "delete from agent_modes where partition = 1", Kind::ModeDiffers),
    ("a partition has a mode that nobody set", "insert into agent_modes values (1, 'ben', 1, 1)", Kind::ModeDiffers),
];

const OF_TIMES: [Bug; 17] = [
    ("a dead lead has a timer", "update leads set timer_at = now() where lead_id = 'lead-0'", Kind::TimerBroken),
    (
        "a dead lead has a follow-up",
        "update leads set follow_up_at = now(), follow_up_look_at = now() where lead_id = 'lead-0'",
        Kind::FollowUpBroken,
    ),
    ("a meeting has no timer", "update leads set timer_at = null where lead_id = 'lead-12'", Kind::TimerBroken),
    (
        "a meeting's timer is late",
        "update leads set timer_at = meeting_ends_at + interval '1 second' where lead_id = 'lead-12'",
        Kind::TimerBroken,
    ),
    ("a timer is for nothing", "update leads set timer_at = now() where lead_id = 'lead-13'", Kind::TimerBroken),
    (
        "a NURTURE lead has no follow-up",
        "update leads set follow_up_at = null, follow_up_look_at = null where lead_id = 'lead-8'",
        Kind::FollowUpBroken,
    ),
    (
        "a check-in is early",
        "update leads set follow_up_at = stage_entered_at, follow_up_look_at = stage_entered_at
         where lead_id = 'lead-9'",
        Kind::FollowUpBroken,
    ),
    (
        "a follow-up is looked for too late",
        "update leads set follow_up_look_at = follow_up_at + interval '1 second' where lead_id = 'lead-8'",
        Kind::FollowUpBroken,
    ),
    (
        "a follow-up is for nothing",
        "update leads set follow_up_at = now(), follow_up_look_at = now() where lead_id = 'lead-10'",
        Kind::FollowUpBroken,
    ),
    (
        "a lead that was never revived has a follow-up",
        "update leads set follow_up_at = now(), follow_up_look_at = now() where lead_id = 'lead-13'",
        Kind::FollowUpBroken,
    ),
    (
        "a message left the follow-up",
        "update leads set follow_up_at = stage_entered_at, follow_up_look_at = stage_entered_at
         where lead_id = 'lead-7'",
        Kind::FollowUpBroken,
    ),
    (
        "a revived lead's follow-up is later",
        "update leads set follow_up_at = follow_up_at + interval '1 second' where lead_id = 'lead-3'",
        Kind::FollowUpBroken,
    ),
    ("a visit began never", "update entries set entered_at = null where lead_id = 'lead-3'", Kind::VisitDiffers),
    (
        "a visit began earlier",
        "update entries set entered_at = entered_at - interval '1 second' where lead_id = 'lead-3' and cause = 2",
        Kind::VisitDiffers,
    ),
    (
        "an entry that ends no visit says that it does",
        "update entries set entered_at = recorded_at where lead_id = 'lead-9' and from_stage = to_stage",
        Kind::VisitDiffers,
    ),
    (
        "a creation ends a visit",
        "update entries set entered_at = recorded_at where lead_id = 'lead-9' and version = 1",
        Kind::VisitDiffers,
    ),
    (
        "a part has a mode that there isn't",
        "update revival_parts set outreach_mode = 9 where number = 1",
        Kind::Unreadable,
    ),
];

const OF_SUMS: [Bug; 5] = [
    (
        "a sum counts one more",
        "update funnel_sums set counts[1] = counts[1] + 1
         where (partition, position) = (select partition, max(position) from funnel_sums group by partition limit 1)",
        Kind::FunnelDiffers,
    ),
    (
        "a sum has a move that nobody made",
        "update funnel_sums set moves = moves || 209::smallint, counts = counts || 1::bigint
         where (partition, position) = (select partition, max(position) from funnel_sums group by partition limit 1)",
        Kind::FunnelDiffers,
    ),
    (
        "an agent's sums are gone",
        "delete from funnel_sums where agent_id = 'default'
         and (partition, position) = (select partition, max(position) from funnel_sums group by partition limit 1)",
        Kind::FunnelDiffers,
    ),
    (
        "a sum has another time",
        "update funnel_sums set recorded_at = recorded_at + interval '1 second'
         where (partition, position) = (select partition, max(position) from funnel_sums group by partition limit 1)",
        Kind::FunnelDiffers,
    ),
    (
        "a sum is of no entry",
        "insert into funnel_sums
         select partition, agent_id, -3, recorded_at, moves, counts from funnel_sums order by position limit 1",
        Kind::FunnelDiffers,
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_time_did_is_sound() {
    let report = checked(lively().await, &[]).await;
    assert_eq!(report.findings, []);
    assert_eq!(report.counts.folded, 20);
}

async fn assert_each_is_found(bugs: &[Bug]) {
    assert_each_is_found_in(lively().await, bugs).await;
}

async fn assert_each_is_found_in(sound: &str, bugs: &[Bug]) {
    for (bug, statement, kind) in bugs {
        let url = copy_of(sound).await;
        Database::connect(&url).await.run(statement).await;
        assert_finds(&checked(&url, &[]).await, *kind, bug);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_bug_in_revivals_is_found() {
    assert_each_is_found(&OF_REVIVALS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_bug_in_modes_is_found() {
    assert_each_is_found(&OF_MODES).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_bug_in_times_is_found() {
    assert_each_is_found(&OF_TIMES).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_bug_in_the_funnel_is_found() {
    assert_each_is_found(&OF_SUMS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_time_did_is_sound_when_it_is_pruned_and_its_bugs_are_found() {
    let pruned = copy_of(lively().await).await;
    Database::connect(&pruned).await.run(PRUNE).await;
    assert_eq!(checked(&pruned, &[]).await.findings, []);
    assert_each_is_found_in(&pruned, &OF_SUMS[..4]).await;
    assert_each_is_found_in(&pruned, &OF_TIMES[..3]).await;
    assert_each_is_found_in(&pruned, &OF_MODES).await;
}
