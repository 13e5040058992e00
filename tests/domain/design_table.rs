//! The table of the design, copied by hand, against the table that decides.

use lead_pipeline::domain::{Outcome, Stage, StageKind, TransitionResult, TriggerKind, transitions};

/// The columns: the eight stages that are no end, then any that is. `-` is refused.
pub const DESIGN: &str = "
message_sent                CONTACTED same same same same same same - -
lead_replied                - ENGAGED same same same same ENGAGED CONTACTED,ENGAGED -
checklist_completed         - - QUALIFIED same same same - - -
meeting_booked              - - - SCHEDULED same - - - -
meeting_cancelled           same same same same (b) same same same -
meeting_time_passed         same same same same (b) same same same -
went_quiet                  NURTURE NURTURE NURTURE NURTURE NURTURE NURTURE same - -
asked_for_later             NURTURE NURTURE NURTURE NURTURE NURTURE NURTURE same - -
channel_used_up             (c) (c) (c) (c) same same same same -
all_channels_used_up        (d) (d) (d) (d) same same same same -
contact_info_added          same same same same same same same (e) -
contact_attempt_failed      (f) (f) (f) (f) (f) (f) (f) (f) -
all_contact_attempts_failed (g) (g) (g) (g) (g) (g) (g) (g) -
contact_left_company        MC MC MC MC MC MC MC MC -
opted_out                   LOST LOST LOST LOST LOST LOST LOST LOST same
blocklisted                 LOST LOST LOST LOST LOST LOST LOST LOST same
not_interested              LOST LOST LOST LOST LOST LOST LOST LOST same
";

/// The design's cell for the stage and trigger.
pub fn cell(stage: Stage, trigger: TriggerKind) -> &'static str {
    let row = DESIGN.lines().find(|line| line.split(' ').next() == Some(trigger.name())).expect("a row");
    let column = if stage.kind() == StageKind::End { 9 } else { stage as usize };
    match row.split_whitespace().nth(column).expect("a column") {
        "MC" => "MOVED_COMPANY",
        cell => cell,
    }
}

/// What the notes of the design say can come of the cell, in the order in which it is looked at.
fn expected(stage: Stage, trigger: TriggerKind) -> &'static str {
    let outreach = [Stage::New, Stage::Contacted, Stage::Engaged, Stage::Qualified].contains(&stage);
    match (cell(stage, trigger), trigger) {
        ("same", TriggerKind::ChannelUsedUp) => "CHANNEL_ABSENT? same",
        ("(b)", TriggerKind::MeetingCancelled) => "same? ENGAGED",
        ("(b)", _) => "same? MEETING_NOT_STARTED? MEETING_COMPLETED",
        ("(c)", _) => "CHANNEL_ABSENT? same? EXHAUSTED? same",
        ("(d)", _) => "EXHAUSTED",
        ("(e)", _) => "CONTACTED? same",
        ("(f)", _) if outreach => "CHANNEL_ABSENT? same? BAD_PHONE? BAD_CONTACT? BAD_PHONE? EXHAUSTED? same",
        ("(f)", _) => "CHANNEL_ABSENT? same? BAD_PHONE? BAD_CONTACT? BAD_PHONE? same",
        ("(g)", _) => "BAD_PHONE? BAD_CONTACT",
        ("-", _) => "TRIGGER_NOT_ALLOWED",
        (cell, _) => cell,
    }
}

/// The result as the design writes it, with a question mark if it has a condition.
fn written(result: &TransitionResult) -> String {
    let outcome = match result.outcome {
        Outcome::Same => "same".to_owned(),
        Outcome::Refused(kind) => kind.name().to_owned(),
        Outcome::Moved(stages) => stages.iter().map(|stage| stage.name()).collect::<Vec<_>>().join(","),
    };
    if result.condition.is_some() { outcome + "?" } else { outcome }
}

#[test]
fn the_table_is_the_designs() {
    let mut rows = 0;
    for transition in transitions() {
        let results: Vec<String> = transition.results.iter().map(written).collect();
        let (from, trigger) = (transition.from, transition.trigger);
        assert_eq!(results.join(" "), expected(from, trigger), "{trigger} in {from}");
        rows += 1;
    }
    assert_eq!(rows, Stage::ALL.len() * TriggerKind::ALL.len());
}
