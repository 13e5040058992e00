//! How changes and leads are printed: a line each, for people or for programs.

use crate::cli::say::time;
use crate::contract::{Names, dynamic, json, message};
use crate::proto::cause::Kind;
use crate::proto::{Actor, Cause, ContactPoint, DeadReason, Lead, Stage, StageChange, Trigger};
use clap::ValueEnum;
use prost_reflect::{DynamicMessage, EnumDescriptor, FieldDescriptor, Kind as FieldKind, MessageDescriptor, Value};
use serde::Serialize;
use serde_json::value::RawValue;
use std::fmt::Write as _;

/// The form of what is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A line a change, for people.
    Text,
    /// A JSON object a line: {"change": {...}} or {"lead": {...}}.
    Jsonl,
}

/// Prints in one form.
pub struct Printer {
    format: Format,
    change: MessageDescriptor,
    lead: MessageDescriptor,
    trigger: MessageDescriptor,
}

impl Printer {
    pub fn new(format: Format) -> Self {
        Self { format, change: message("StageChange"), lead: message("Lead"), trigger: message("Trigger") }
    }

    /// Adds a change to what is to be printed.
    pub fn change(&self, change: &StageChange, text: &mut String) {
        #[derive(Serialize)]
        struct Line {
            change: Box<RawValue>,
        }
        match self.format {
            Format::Text => self.change_in_words(change, text),
            Format::Jsonl => push(&Line { change: json(&self.change, change, Names::Json) }, text),
        }
    }

    /// Adds a lead of a snapshot.
    pub fn lead(&self, lead: &Lead, text: &mut String) {
        #[derive(Serialize)]
        struct Line {
            lead: Box<RawValue>,
        }
        match self.format {
            Format::Text => lead_in_words(lead, text),
            Format::Jsonl => push(&Line { lead: json(&self.lead, lead, Names::Json) }, text),
        }
    }

    fn change_in_words(&self, change: &StageChange, text: &mut String) {
        let from = match change.from_stage() {
            Stage::Unspecified => "(none)",
            stage => stage_name(stage),
        };
        let time = time(change.recorded_at.as_ref());
        let cause = self.cause(change.cause.as_ref());
        let dead = dead(change.dead_reason());
        // Writing to a String can't fail.
        let _ = write!(text, "{time}  {}  {from} -> {}{dead}  {cause}", change.lead_id, stage_name(change.to_stage()));
        if let Some(Actor { id, .. }) = &change.actor {
            let kind = change.actor.as_ref().map_or("", |actor| actor.kind().as_str_name());
            let kind = kind.trim_start_matches("ACTOR_KIND_").to_ascii_lowercase();
            let _ = write!(text, "  by {kind} {id}");
        }
        if !change.reason.is_empty() {
            // As a literal: a line break in it must not look like another change.
            let _ = write!(text, "  {:?}", change.reason);
        }
        text.push('\n');
    }

    fn cause(&self, cause: Option<&Cause>) -> String {
        match cause.and_then(|cause| cause.kind.as_ref()) {
            None => "unknown".into(),
            Some(Kind::Trigger(trigger)) => self.trigger(trigger),
            Some(Kind::Override(given)) => {
                let meeting = given.meeting.as_ref().map(|meeting| format!("meeting={}", meeting.meeting_id));
                let reopened = given.reopen_channels.then(|| "channels reopened".to_owned());
                with_details("override", &[meeting, reopened].into_iter().flatten().collect::<Vec<_>>())
            }
            Some(Kind::Revival(revived)) => {
                let mode = revived.outreach_mode().as_str_name().trim_start_matches("OUTREACH_MODE_");
                with_details("revived", &[format!("mode={mode}")])
            }
            Some(Kind::Creation(creation)) => {
                let points = creation.contact_points().map(|point: ContactPoint| {
                    point.as_str_name().trim_start_matches("CONTACT_POINT_").to_ascii_lowercase()
                });
                with_details("created", &points.collect::<Vec<_>>())
            }
        }
    }

    /// The trigger's name, and all that is set in it: also in one that this program doesn't know by itself.
    fn trigger(&self, trigger: &Trigger) -> String {
        let trigger = dynamic(&self.trigger, trigger);
        let kind = trigger.fields().next();
        let Some((field, Value::Message(details))) = kind else { return "unknown".into() };
        with_details(field.name(), &details_of(details))
    }
}

fn push(line: &impl Serialize, text: &mut String) {
    text.push_str(&serde_json::to_string(line).expect("texts have a JSON form"));
    text.push('\n');
}

fn lead_in_words(lead: &Lead, text: &mut String) {
    let (time, dead) = (time(lead.stage_entered_at.as_ref()), dead(lead.dead_reason()));
    let (stage, version) = (stage_name(lead.stage()), lead.version);
    let _ = writeln!(text, "{time}  {}  in {stage}{dead}  version {version}, agent {}", lead.lead_id, lead.agent_id);
}

fn stage_name(stage: Stage) -> &'static str {
    stage.as_str_name().trim_start_matches("STAGE_")
}

fn dead(reason: DeadReason) -> String {
    match reason {
        DeadReason::Unspecified => String::new(),
        reason => format!(" (dead: {})", reason.as_str_name().trim_start_matches("DEAD_REASON_")),
    }
}

fn with_details(name: &str, details: &[String]) -> String {
    if details.is_empty() { name.to_owned() } else { format!("{name} ({})", details.join(", ")) }
}

fn details_of(message: &DynamicMessage) -> Vec<String> {
    message.fields().map(|(field, value)| detail(&field, value)).collect()
}

fn detail(field: &FieldDescriptor, value: &Value) -> String {
    match (value, field.kind()) {
        (Value::EnumNumber(number), FieldKind::Enum(names)) => format!("{}={}", field.name(), short(&names, *number)),
        (Value::Message(inner), FieldKind::Message(kind)) if kind.full_name() == "google.protobuf.Timestamp" => {
            format!("{}={}", field.name(), time(inner.transcode_to().ok().as_ref()))
        }
        (Value::Message(inner), _) => details_of(inner).join(", "),
        (Value::String(text), _) => format!("{}={text}", field.name()),
        (other, _) => format!("{}={other:?}", field.name()),
    }
}

/// An enum's value without the prefix that all its names have.
fn short(names: &EnumDescriptor, number: i32) -> String {
    let Some(value) = names.get_value(number) else { return number.to_string() };
    let zero = names.default_value().name().to_owned();
    let prefix = zero.strip_suffix("UNSPECIFIED").unwrap_or("");
    value.name().trim_start_matches(prefix).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::trigger::Kind as TriggerKind;
    use crate::proto::{
        AttemptFailure, Channel, ContactAttemptFailed, Creation, Meeting, MeetingBooked, MessageSent, Override,
    };
    use prost_types::Timestamp;

    const NINE: Timestamp = Timestamp { seconds: 1_795_770_000, nanos: 123_456_000 };

    fn change(from: Stage, to: Stage, kind: Kind) -> StageChange {
        StageChange {
            lead_id: "lead-1".into(),
            position: 7,
            from_stage: from.into(),
            to_stage: to.into(),
            cause: Some(Cause { kind: Some(kind) }),
            actor: Some(Actor { kind: crate::proto::ActorKind::AiAgent.into(), id: "anna".into() }),
            recorded_at: Some(NINE),
            ..Default::default()
        }
    }

    fn by(kind: TriggerKind) -> Kind {
        Kind::Trigger(Trigger { kind: Some(kind) })
    }

    fn text(change: &StageChange) -> String {
        let mut text = String::new();
        Printer::new(Format::Text).change(change, &mut text);
        text
    }

    #[test]
    fn a_change_is_a_line() {
        let sent = change(Stage::New, Stage::Contacted, by(TriggerKind::MessageSent(MessageSent {})));
        let expected = "2026-11-27T09:00:00.123Z  lead-1  NEW -> CONTACTED  message_sent  by ai_agent anna\n";
        assert_eq!(text(&sent), expected);
        let created = Creation { contact_points: vec![ContactPoint::Email.into(), ContactPoint::Phone.into()] };
        let created = change(Stage::Unspecified, Stage::New, Kind::Creation(created));
        assert!(text(&created).contains("  (none) -> NEW  created (email, phone)  by"), "{}", text(&created));
    }

    #[test]
    fn details_have_their_names() {
        let failed =
            ContactAttemptFailed { channel: Channel::Voice.into(), failure: AttemptFailure::RejectedByCarrier.into() };
        let failed = change(Stage::New, Stage::New, by(TriggerKind::ContactAttemptFailed(failed)));
        let words = "  contact_attempt_failed (channel=VOICE, failure=REJECTED_BY_CARRIER)  ";
        assert!(text(&failed).contains(words), "{}", text(&failed));
        let meeting = Meeting { meeting_id: "m-1".into(), starts_at: Some(NINE), ends_at: None };
        let booked = TriggerKind::MeetingBooked(MeetingBooked { meeting: Some(meeting.clone()) });
        let booked = text(&change(Stage::Qualified, Stage::Scheduled, by(booked)));
        assert!(booked.contains("meeting_booked (meeting_id=m-1, starts_at=2026-11-27T09:00:00.123Z)"), "{booked}");
        let given = Override { meeting: Some(meeting), reopen_channels: true };
        let given = text(&change(Stage::Won, Stage::Scheduled, Kind::Override(given)));
        assert!(given.contains("  override (meeting=m-1, channels reopened)  "), "{given}");
    }

    #[test]
    fn a_reason_stays_on_its_line() {
        let sent = by(TriggerKind::MessageSent(MessageSent {}));
        let change = StageChange {
            reason: "a\n\u{1b}[2Jb".into(),
            dead_reason: DeadReason::OptedOut.into(),
            ..change(Stage::Won, Stage::Lost, sent)
        };
        let text = text(&change);
        assert!(text.contains("WON -> LOST (dead: OPTED_OUT)  "), "{text}");
        assert!(text.ends_with("  \"a\\n\\u{1b}[2Jb\"\n"), "{text}");
    }

    #[test]
    fn programs_can_tell_changes_from_leads() {
        let printer = Printer::new(Format::Jsonl);
        let mut text = String::new();
        let sent = change(Stage::New, Stage::Contacted, by(TriggerKind::MessageSent(MessageSent {})));
        printer.change(&sent, &mut text);
        printer.lead(&Lead { lead_id: "a".into(), version: 2, ..Default::default() }, &mut text);
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(lines[0]["change"]["position"], "7");
        assert_eq!(lines[0]["change"]["cause"]["trigger"]["messageSent"], serde_json::json!({}));
        assert_eq!(lines[1], serde_json::json!({"lead": {"leadId": "a", "version": 2}}));
    }

    #[test]
    fn a_lead_is_a_line() {
        let mut text = String::new();
        let lead = Lead {
            lead_id: "a".into(),
            agent_id: "anna".into(),
            stage: Stage::Won.into(),
            version: 2,
            stage_entered_at: Some(NINE),
            ..Default::default()
        };
        Printer::new(Format::Text).lead(&lead, &mut text);
        assert_eq!(text, "2026-11-27T09:00:00.123Z  a  in WON  version 2, agent anna\n");
    }
}
