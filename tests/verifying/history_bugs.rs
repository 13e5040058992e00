//! Bugs planted in what the clients were told, each in a copy of a sound history.

use super::scene::{ALL, NURTURED, SNAPSHOT, Scene, scene};
use super::{assert_finds, checked};
use lead_pipeline::admin::verify::Kind;
use lead_pipeline::proto::watch_stage_changes_request::Start;
use lead_pipeline::proto::{Outcome, Stage, WatchStageChangesRequest, WatchStageChangesResponse};
use lead_pipeline::record::{Exchange, Failure, Line};

/// A bug: what it is, how it is planted, and what is to be found.
type Bug = (&'static str, fn(&mut [Line]), Kind);

const BUGS: [Bug; 22] = [
    ("a change is dropped", |lines| drop(with_changes(lines, ALL, 2).changes.remove(1)), Kind::ChangeMissing),
    ("a change that the filter lets through is dropped", drop_nurtured, Kind::ChangeMissing),
    ("a change is sent twice", repeat_change, Kind::StreamDoubled),
    ("a change is sent again later", repeat_later, Kind::StreamDoubled),
    ("two changes are swapped", swap_changes, Kind::StreamReordered),
    ("a change is altered", |lines| with_changes(lines, ALL, 1).changes[0].to_stage = 13, Kind::EntryDiffers),
    ("a change never was", invent_change, Kind::OutsideCoverage),
    ("a change is sent that the filter drops", narrow_filter, Kind::ChangeUnasked),
    ("a response is lost", lose_response, Kind::CoverageBroken),
    ("two responses are swapped", swap_responses, Kind::CoverageBroken),
    ("coverage goes back", |lines| with_changes(lines, ALL, 1).coverage[0].after -= 1, Kind::CoverageBroken),
    ("coverage goes beyond the log", cover_too_much, Kind::StreamedLost),
    ("the stream is taken up elsewhere", resume_elsewhere, Kind::CursorBroken),
    ("a lead is missing in the snapshot", |lines| drop(shown(lines).leads.pop()), Kind::LeadMissing),
    ("a lead is twice in the snapshot", repeat_lead, Kind::StreamDoubled),
    ("a lead of the snapshot is altered", |lines| shown(lines).leads[0].furthest_stage = 9, Kind::SnapshotDiffers),
    ("a lead of the snapshot is old", |lines| shown(lines).leads[0].version -= 1, Kind::SnapshotDiffers),
    ("an answer is altered", alter_answer, Kind::EntryDiffers),
    (
        "an answer's lead is another",
        |lines| answer(lines).lead.as_mut().expect("a lead").version += 1,
        Kind::AnswerDiffers,
    ),
    ("an answer's outcome is another", alter_outcome, Kind::AnswerDiffers),
    ("a replay is answered with another effect", alter_replay, Kind::TwoEffects),
    ("a call is refused, and recorded", refuse_recorded, Kind::RefusedRecorded),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_bug_in_a_history_is_found() {
    let Scene { url, lines, .. } = scene().await;
    for (bug, plant, kind) in BUGS {
        let mut spoilt = lines.clone();
        plant(&mut spoilt);
        assert_finds(&checked(url, &spoilt).await, kind, bug);
    }
}

/// A response of a stream with so many changes of one partition at least.
fn with_changes<'a>(lines: &'a mut [Line], of: &str, least: usize) -> &'a mut WatchStageChangesResponse {
    responses(lines, of)
        .find(|response| {
            let first = response.changes.first().map(|change| change.partition);
            response.changes.iter().take_while(|change| Some(change.partition) == first).count() >= least
        })
        .expect("a response with changes")
}

fn responses<'a>(lines: &'a mut [Line], of: &str) -> impl Iterator<Item = &'a mut WatchStageChangesResponse> {
    lines.iter_mut().filter_map(move |line| match line {
        Line::Response { stream, response } if stream == of => Some(response),
        _ => None,
    })
}

/// The first response of the snapshot that has leads.
fn shown(lines: &mut [Line]) -> &mut WatchStageChangesResponse {
    responses(lines, SNAPSHOT).find(|response| !response.leads.is_empty()).expect("leads")
}

fn request<'a>(lines: &'a mut [Line], of: &str, number: usize) -> &'a mut WatchStageChangesRequest {
    let request = |line: &'a mut Line| match line {
        Line::Request { stream, request } if stream == of => Some(request),
        _ => None,
    };
    lines.iter_mut().filter_map(request).nth(number).expect("a request")
}

/// The first answer to a trigger.
fn answer(lines: &mut [Line]) -> &mut lead_pipeline::proto::ApplyTriggerResponse {
    let answer = |line| match line {
        &mut Line::Call(Exchange::ApplyTrigger(_, Ok(ref mut answer))) => Some(answer),
        _ => None,
    };
    lines.iter_mut().find_map(answer).expect("an answer")
}

/// The place of the third response of the longest stream.
fn place_of_third(lines: &[Line]) -> usize {
    let places = lines.iter().enumerate().filter(|(_, line)| match line {
        Line::Response { stream, response } => stream == ALL && !response.changes.is_empty(),
        _ => false,
    });
    places.map(|(place, _)| place).nth(2).expect("three responses")
}

fn drop_nurtured(lines: &mut [Line]) {
    with_changes(lines, NURTURED, 1).changes.remove(0);
}

fn repeat_change(lines: &mut [Line]) {
    let changes = &mut with_changes(lines, ALL, 2).changes;
    changes.insert(1, changes[0].clone());
}

fn repeat_later(lines: &mut [Line]) {
    let change = with_changes(lines, ALL, 1).changes[0].clone();
    let later = responses(lines, ALL)
        .filter(|response| response.coverage.iter().any(|range| range.partition == change.partition))
        .find(|response| {
            response.coverage.iter().any(|range| range.after >= change.position && range.partition == change.partition)
        });
    later.expect("a later response").changes.push(change);
}

fn swap_changes(lines: &mut [Line]) {
    with_changes(lines, ALL, 2).changes.swap(0, 1);
}

fn invent_change(lines: &mut [Line]) {
    let response = with_changes(lines, ALL, 1);
    let change = response.changes[0].clone();
    response.changes.push(lead_pipeline::proto::StageChange { position: 100_000, ..change });
}

fn narrow_filter(lines: &mut [Line]) {
    let filter = request(lines, NURTURED, 0).filter.as_mut().expect("a filter");
    filter.to_stages = vec![Stage::Won.into()];
}

/// All that a response said is lost but its cursor.
fn lose_response(lines: &mut [Line]) {
    let place = place_of_third(lines);
    if let Line::Response { response, .. } = &mut lines[place] {
        let cursor = std::mem::take(&mut response.cursor);
        *response = WatchStageChangesResponse { cursor, ..Default::default() };
    }
}

fn swap_responses(lines: &mut [Line]) {
    let place = place_of_third(lines);
    let next =
        (place + 1..lines.len()).find(|next| matches!(&lines[*next], Line::Response { stream, .. } if stream == ALL));
    lines.swap(place, next.expect("another response"));
}

fn cover_too_much(lines: &mut [Line]) {
    let last = responses(lines, ALL).filter(|response| !response.coverage.is_empty()).last().expect("a response");
    last.coverage[0].through += 10;
}

fn resume_elsewhere(lines: &mut [Line]) {
    let first = responses(lines, ALL).next().expect("a response").cursor.clone();
    request(lines, ALL, 1).start = Some(Start::AfterCursor(first));
}

fn repeat_lead(lines: &mut [Line]) {
    let leads = &mut shown(lines).leads;
    leads.push(leads[0].clone());
}

fn alter_answer(lines: &mut [Line]) {
    answer(lines).changes[0].reason = "another".into();
}

fn alter_outcome(lines: &mut [Line]) {
    let answer = answer(lines);
    let other = if answer.outcome() == Outcome::Moved { Outcome::NoChange } else { Outcome::Moved };
    answer.set_outcome(other);
}

fn alter_replay(lines: &mut [Line]) {
    let replay = lines.iter_mut().find_map(|line| match line {
        Line::Call(Exchange::ApplyTrigger(_, Ok(answer))) if answer.replayed => Some(answer),
        _ => None,
    });
    let change = &mut replay.expect("a replay").changes[0];
    (change.position, change.version) = (change.position + 1, change.version + 1);
}

/// Makes an acknowledged override a refused one.
fn refuse_recorded(lines: &mut [Line]) {
    let refused = lines.iter_mut().find_map(|line| match line {
        Line::Call(Exchange::OverrideStage(_, answer @ Ok(_))) => Some(answer),
        _ => None,
    });
    let failure = Failure { code: "NOT_FOUND".into(), reason: "LEAD_NOT_FOUND".into(), message: String::new() };
    *refused.expect("an override") = Err(failure);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_call_that_was_sent_again_and_accepted_is_sound() {
    let Scene { url, lines, .. } = scene().await;
    let accepted = lines.iter().find(|line| matches!(line, Line::Call(Exchange::OverrideStage(_, Ok(_)))));
    let mut sent_again = lines.clone();
    refuse_recorded(&mut sent_again);
    sent_again.extend(accepted.cloned());
    assert_eq!(checked(url, &sent_again).await.findings, []);
}
