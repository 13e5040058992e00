//! Bugs planted in the database, each on a copy of a sound one.

use super::scene::{Scene, scene, spoilt};
use super::{assert_finds, checked};
use lead_pipeline::admin::verify::Kind;

/// A bug: what it is, the statements that plant it, and what is to be found.
type Bug = (&'static str, &'static str, &'static [Kind]);

const BUGS: [Bug; 17] = [
    (
        "an entry is dropped",
        "delete from entries where partition = 0 and position = 9",
        &[Kind::PositionHole, Kind::VersionHole, Kind::WriteLost, Kind::StreamedLost],
    ),
    (
        "the last entry is dropped",
        "delete from entries using heads where entries.partition = 0 and heads.partition = 0
         and entries.position = heads.position",
        &[Kind::HeadDiffers, Kind::LeadDiffers, Kind::WriteLost, Kind::StreamedLost],
    ),
    (
        "two entries of a lead are swapped",
        // Not of one write: those have the same time.
        "create temp table swapped as
             select one, other from (
                 select position as one, version, recorded_at, lead(position) over by_version as other,
                     lead(recorded_at) over by_version as later
                 from entries
                 where partition = 0 and lead_id = (select min(lead_id) from leads where partition = 0)
                 window by_version as (order by version)
             ) as pair
             where version > 1 and later > recorded_at order by version limit 1;
         update entries set position = -one from swapped where partition = 0 and position = one;
         update entries set position = one from swapped where partition = 0 and position = other;
         update entries set position = other from swapped where partition = 0 and position = -one",
        &[Kind::OrderReversed, Kind::TimeReversed, Kind::EntryDiffers],
    ),
    (
        "a position is skipped",
        "update entries set position = -position where partition = 1 and position > 9;
         update entries set position = 1 - position where partition = 1 and position < 0;
         update heads set position = position + 1 where partition = 1",
        &[Kind::PositionHole, Kind::TwoEffects, Kind::StreamedLost],
    ),
    (
        "a version is skipped",
        "update entries set version = -version where lead_id = 'lead-3' and version > 4;
         update entries set version = 1 - version where lead_id = 'lead-3' and version < 0;
         update leads set version = version + 1 where lead_id = 'lead-3'",
        &[Kind::VersionHole, Kind::EntryDiffers, Kind::SnapshotDiffers],
    ),
    (
        "a request has two effects",
        "drop index entries_by_request;
         update entries set request_id = first.request_id, digest = first.digest
         from entries as first where first.lead_id = 'lead-4' and first.version = 3
             and entries.lead_id = 'lead-4' and entries.version = 5",
        &[Kind::TwoEffects, Kind::WriteLost],
    ),
    (
        "a lead's row has another stage",
        "update leads set stage = 9, furthest_stage = 9 where lead_id = 'lead-5'",
        &[Kind::LeadDiffers],
    ),
    ("a lead's row has another channel", "update leads set email = 4 where lead_id = 'lead-5'", &[Kind::LeadDiffers]),
    ("a lead's row is gone", "delete from leads where lead_id = 'lead-5'", &[Kind::LeadDiffers]),
    (
        "a lead's history is gone",
        "delete from entries where lead_id = 'lead-5'",
        &[Kind::LeadDiffers, Kind::PositionHole, Kind::WriteLost],
    ),
    (
        "a tag is doubled",
        "update entries set tag = (select tag from entries where partition = 0 and position = 3)
         where partition = 0 and position = 4",
        &[Kind::TagDoubled],
    ),
    (
        "time goes backwards",
        "update entries set recorded_at = recorded_at - interval '1 hour' where partition = 0 and position = 8",
        &[Kind::TimeReversed, Kind::EntryDiffers],
    ),
    (
        "an entry leads to another stage",
        "update entries set to_stage = 13 where partition = 1 and position = (
             select min(position) from entries where partition = 1 and cause >= 100)",
        &[Kind::StageBroken, Kind::RuleBroken, Kind::EntryDiffers],
    ),
    (
        "an entry has a dead mark that nothing set",
        "update entries set dead_raised = true, dead_reason = 1 where lead_id = 'lead-6' and version = 4",
        &[Kind::RuleBroken, Kind::EntryDiffers],
    ),
    (
        "a lead is in another partition",
        "update leads set partition = 1 - partition where lead_id = 'lead-7';
         update entries set partition = 1 - partition, position = position + 1000 where lead_id = 'lead-7'",
        &[Kind::Misplaced, Kind::PositionHole, Kind::WriteLost],
    ),
    (
        "a value can't be read",
        "update entries set to_stage = 99 where lead_id = 'lead-8' and version = 2",
        &[Kind::Unreadable],
    ),
    (
        "another actor is in an entry",
        "update entries set actor_id = 'eve' where lead_id = 'lead-8' and version = 2",
        &[Kind::EntryDiffers],
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_bug_in_the_database_is_found() {
    let Scene { lines, .. } = scene().await;
    for (bug, statements, kinds) in BUGS {
        let report = checked(&spoilt(statements).await, lines).await;
        for kind in kinds {
            assert_finds(&report, *kind, bug);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_lost_an_acknowledged_write_is_sound_but_for_its_clients() {
    let Scene { lines, before_last, .. } = scene().await;
    let report = checked(before_last, &[]).await;
    assert_eq!(report.findings, [], "by itself it is sound");
    let report = checked(before_last, lines).await;
    assert_finds(&report, Kind::WriteLost, "a write was lost");
    assert_finds(&report, Kind::StreamedLost, "a change that was streamed was lost");
}
