//! A database whose old history an operator has pruned: what is kept is checked as ever, and what was pruned is known.

use super::scene::{Scene, scene, spoilt};
use super::{assert_finds, checked};
use crate::support::server::Database;
use lead_pipeline::admin::verify::Kind;

/// Prunes half of a partition, as the contract has it.
pub const PRUNE: &str = "
    update heads set floor = entries.position, floor_tag = entries.tag from entries
    where heads.partition = 0 and entries.partition = 0 and entries.position = heads.position / 2;
    insert into pruned_requests
    select entries.partition, request_id, lead_id, (array_agg(digest))[1], bool_or(from_stage is distinct from to_stage)
    from entries join heads using (partition) where entries.position <= floor
    group by entries.partition, request_id, lead_id;
    delete from entries using heads where entries.partition = heads.partition and entries.position <= floor";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pruned_database_is_sound() {
    let Scene { lines, .. } = scene().await;
    let url = spoilt(PRUNE).await;
    let report = checked(&url, lines).await;
    assert_eq!(report.findings, []);
    assert!(report.counts.folded < report.counts.leads, "what was pruned can't be folded: {:?}", report.counts);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_may_be_pruned_to_its_head() {
    let Scene { lines, .. } = scene().await;
    let url = spoilt(&PRUNE.replace("heads.position / 2", "heads.position")).await;
    assert_eq!(checked(&url, lines).await.findings, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_bug_in_a_pruned_database_is_found() {
    let Scene { lines, .. } = scene().await;
    let pruned = spoilt(PRUNE).await;
    for (bug, statement, kind) in [
        (
            "a pruned request is forgotten",
            "delete from pruned_requests where request_id = (select min(request_id::text)::uuid from pruned_requests)",
            Kind::WriteLost,
        ),
        ("a pruned request did something else", "update pruned_requests set moved = not moved", Kind::EntryDiffers),
        (
            "more is gone than was pruned",
            "delete from entries using heads where entries.partition = 0 and heads.partition = 0
             and entries.position = floor + 1",
            Kind::PositionHole,
        ),
        (
            "a lead's row has another stage",
            "update leads set stage = 9 where partition = 0 and lead_id = (
                 select lead_id from entries where partition = 0 group by lead_id having min(version) > 1 limit 1)",
            Kind::LeadDiffers,
        ),
        (
            "a pruned request has another effect",
            "insert into pruned_requests
             select partition, request_id, lead_id, digest, true from entries where partition = 0
             order by position desc limit 1",
            Kind::TwoEffects,
        ),
    ] {
        let url = crate::support::cluster::copy_of(&pruned).await;
        Database::connect(&url).await.run(statement).await;
        assert_finds(&checked(&url, lines).await, kind, bug);
    }
}
