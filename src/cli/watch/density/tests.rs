use super::*;

fn range(partition: i32, after: i64, through: i64) -> Coverage {
    Coverage { partition, after, through }
}

fn change(partition: i32, position: i64) -> StageChange {
    StageChange { partition, position, lead_id: format!("{partition}-{position}"), version: 1, ..Default::default() }
}

fn of_lead(lead_id: &str, version: i32, position: i64) -> StageChange {
    StageChange { lead_id: lead_id.into(), version, ..change(0, position) }
}

fn lead(lead_id: &str, version: i32) -> Lead {
    Lead { lead_id: lead_id.into(), version, ..Default::default() }
}

fn response(coverage: &[Coverage], changes: &[StageChange]) -> WatchStageChangesResponse {
    WatchStageChangesResponse { coverage: coverage.to_vec(), changes: changes.to_vec(), ..Default::default() }
}

fn page(coverage: &[Coverage], changes: &[StageChange], leads: &[Lead]) -> WatchStageChangesResponse {
    WatchStageChangesResponse { leads: leads.to_vec(), ..response(coverage, changes) }
}

/// A live watch of two partitions, from 5 and from 7.
fn live(everything: bool) -> Density {
    let mut density = Density::new(Phase::Live, everything, &BTreeMap::new());
    density.begin();
    assert_eq!(density.check(&response(&[range(0, 5, 5), range(1, 7, 7)], &[])), Ok(()));
    density
}

fn snapshot() -> Density {
    let mut density = Density::new(Phase::Snapshot, false, &BTreeMap::new());
    density.begin();
    assert_eq!(density.check(&response(&[], &[])), Ok(()));
    density
}

#[test]
fn ranges_that_meet_are_dense_also_over_a_reconnect() {
    let mut density = live(false);
    assert_eq!(density.check(&response(&[range(0, 5, 9)], &[change(0, 7), change(0, 9)])), Ok(()));
    density.begin();
    assert_eq!(density.check(&response(&[range(0, 9, 9), range(1, 7, 7)], &[])), Ok(()));
    assert_eq!(density.check(&response(&[range(1, 7, 8)], &[])), Ok(()));
    let ranges = BTreeMap::from([(0, Range { after: 5, through: 9 }), (1, Range { after: 7, through: 8 })]);
    assert_eq!(density.ranges(), &ranges);
}

#[test]
fn ranges_that_do_not_meet_are_named() {
    let gap = Violation::Gap { partition: 0, through: 5, after: 6 };
    assert_eq!(live(false).check(&response(&[range(0, 6, 7)], &[])), Err(gap));
    let again = Violation::Again { partition: 0, through: 5, after: 4 };
    assert_eq!(live(false).check(&response(&[range(0, 4, 7)], &[])), Err(again));
    let backwards = Violation::Backwards { partition: 0, after: 5, through: 4 };
    assert_eq!(live(false).check(&response(&[range(0, 5, 4)], &[])), Err(backwards));
    let new = Violation::NewPartition { partition: 2 };
    assert_eq!(live(false).check(&response(&[range(2, 0, 1)], &[])), Err(new));
}

#[test]
fn a_stream_resumes_where_the_last_one_ended() {
    let mut density = live(false);
    density.begin();
    let missing = Violation::NotResumed { partition: 1, through: 7 };
    assert_eq!(density.check(&response(&[range(0, 5, 5)], &[])), Err(missing));
    let mut density = Density::new(Phase::Live, false, &BTreeMap::from([(0, 5)]));
    density.begin();
    let gap = Violation::Gap { partition: 0, through: 5, after: 6 };
    assert_eq!(density.check(&response(&[range(0, 6, 6)], &[])), Err(gap));
}

#[test]
fn changes_lie_inside_in_order_and_once() {
    let covered = [range(0, 5, 8)];
    for position in [5, 9] {
        let outside = Violation::Outside { partition: 0, position };
        assert_eq!(live(false).check(&response(&covered, &[change(0, position)])), Err(outside));
    }
    let uncovered = Violation::Outside { partition: 1, position: 8 };
    assert_eq!(live(false).check(&response(&covered, &[change(1, 8)])), Err(uncovered));
    for positions in [[7, 7], [8, 7]] {
        let order = Violation::Order { partition: 0, position: positions[1], last: positions[0] };
        let changes = positions.map(|position| change(0, position));
        assert_eq!(live(false).check(&response(&covered, &changes)), Err(order));
    }
}

#[test]
fn where_nothing_is_filtered_every_position_has_its_change() {
    let covered = [range(0, 5, 7)];
    assert_eq!(live(true).check(&response(&covered, &[change(0, 6), change(0, 7)])), Ok(()));
    for (changes, position) in [(vec![change(0, 7)], 6), (vec![change(0, 6)], 7), (vec![], 6)] {
        let missing = Violation::Missing { partition: 0, position };
        assert_eq!(live(true).check(&response(&covered, &changes)), Err(missing));
    }
}

#[test]
fn a_snapshot_begins_each_partition_at_the_head_of_its_first_page() {
    let mut density = snapshot();
    assert_eq!(density.check(&page(&[range(0, 9, 9)], &[], &[lead("a", 3), lead("b", 1)])), Ok(()));
    let second = page(&[range(0, 9, 11)], &[of_lead("a", 4, 10)], &[lead("c", 1)]);
    assert_eq!(density.check(&second), Ok(()));
    assert_eq!(density.check(&page(&[range(1, 4, 4)], &[], &[lead("d", 1)])), Ok(()));
    let complete = WatchStageChangesResponse { notice: Notice::SnapshotComplete.into(), ..response(&[], &[]) };
    assert_eq!(density.check(&complete), Ok(()));
    assert_eq!(density.phase(), Phase::Live);
    let more = Violation::NoSnapshot { lead_id: "e".into() };
    assert_eq!(density.check(&page(&[], &[], &[lead("e", 1)])), Err(more));
}

#[test]
fn a_snapshot_sends_each_lead_once_and_then_only_newer_changes() {
    let first = page(&[range(0, 9, 9)], &[], &[lead("a", 3)]);
    let mut density = snapshot();
    density.check(&first).expect("dense");
    let twice = Violation::LeadTwice { lead_id: "a".into() };
    assert_eq!(density.check(&page(&[], &[], &[lead("a", 3)])), Err(twice));
    let mut density = snapshot();
    density.check(&first).expect("dense");
    let old = Violation::OldVersion { lead_id: "a".into(), version: 3, last: 3 };
    assert_eq!(density.check(&response(&[range(0, 9, 10)], &[of_lead("a", 3, 10)])), Err(old));
}
