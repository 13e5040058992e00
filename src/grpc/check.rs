//! Checks the fields of a request, all of them, so that a caller hears of every mistake at once.

use crate::domain::{
    Actor, ActorId, ActorKind, AgentId, ContactPoint, InvalidText, LeadId, Meeting, MeetingId, Reason, RequestId,
    Stage, Timestamp,
};
use crate::proto;
use std::collections::HashSet;
use std::time::Duration;
use tonic_types::FieldViolation;

/// The mistakes of a request; at least one.
#[derive(Debug)]
pub struct Invalid(pub Vec<FieldViolation>);

/// Collects mistakes while a request is taken apart. A check that fails gives `None`, and `done` fails.
#[derive(Debug, Default)]
pub struct Check {
    violations: Vec<FieldViolation>,
    bytes: usize,
    more: usize,
}

/// How much text about mistakes is sent, about. An error travels in headers, which clients limit to 8 KiB, and a batch
/// may have a thousand of them in a message, which clients limit to 4 MiB.
const MISTAKE_BYTES: usize = 1_500;

/// The longest duration of the proto's: ten thousand years.
const MOST_SECONDS: i64 = 315_576_000_000;

/// How far ahead of the database's clock `occurred_at` may be.
const AHEAD: i64 = 5 * 60 * 1_000_000;

impl Check {
    /// What was taken out of the request, if there was no mistake.
    pub fn done<T>(mut self, value: Option<T>) -> Result<T, Invalid> {
        if let (Some(last), true) = (self.violations.last_mut(), self.more > 0) {
            last.description = format!("{} (and {} more mistakes in the request)", last.description, self.more);
        }
        match value {
            Some(value) if self.violations.is_empty() => Ok(value),
            _ => Err(Invalid(self.violations)),
        }
    }

    /// Notes a mistake.
    pub fn wrong(&mut self, field: impl Into<String>, what: impl Into<String>) {
        let violation = FieldViolation::new(field, what);
        self.bytes += violation.field.len() + violation.description.len();
        if self.bytes <= MISTAKE_BYTES || self.violations.is_empty() {
            self.violations.push(violation);
        } else {
            self.more += 1;
        }
    }

    fn text<T>(&mut self, field: &str, text: &str, parse: fn(&str) -> Result<T, InvalidText>) -> Option<T> {
        match parse(text) {
            Ok(value) => Some(value),
            Err(allowed) if text.is_empty() => {
                self.wrong(field, format!("is required: {allowed}"));
                None
            }
            Err(allowed) => {
                self.wrong(field, format!("is {}, but must be {allowed}", shown(text)));
                None
            }
        }
    }

    pub fn lead_id(&mut self, field: &str, text: &str) -> Option<LeadId> {
        self.text(field, text, LeadId::parse)
    }

    pub fn agent_id(&mut self, field: &str, text: &str) -> Option<AgentId> {
        self.text(field, text, AgentId::parse)
    }

    /// An agent to filter by; empty is any.
    pub fn agent_filter(&mut self, field: &str, text: &str) -> Option<Option<AgentId>> {
        if text.is_empty() { Some(None) } else { self.agent_id(field, text).map(Some) }
    }

    /// A UUID that must be given.
    pub fn uuid(&mut self, field: &str, text: &str) -> Option<uuid::Uuid> {
        self.text(field, text, RequestId::parse).map(|id| id.0)
    }

    /// How many: 0 is the default, and more than the most is the most.
    pub fn count(&mut self, field: &str, count: i32, default: usize, most: usize) -> Option<usize> {
        match usize::try_from(count) {
            Err(_) => {
                self.wrong(field, format!("is {count}, but must be 0 (for {default}) or more"));
                None
            }
            Ok(0) => Some(default.min(most)),
            Ok(count) => Some(count.min(most)),
        }
    }

    /// A length of time, if it is given.
    pub fn duration(
        &mut self,
        field: &str,
        duration: Option<&prost_types::Duration>,
        allowed: std::ops::RangeInclusive<Duration>,
    ) -> Option<Option<Duration>> {
        let Some(given) = duration else { return Some(None) };
        let valid = (0..=999_999_999).contains(&given.nanos) && (0..=MOST_SECONDS).contains(&given.seconds);
        let parsed = valid.then(|| Duration::new(given.seconds.unsigned_abs(), given.nanos.unsigned_abs()));
        if let Some(duration) = parsed.filter(|duration| allowed.contains(duration)) {
            return Some(Some(duration));
        }
        let (least, most) = (allowed.start().as_secs(), allowed.end().as_secs());
        let most = if most > MOST_SECONDS.unsigned_abs() { String::new() } else { format!(" and at most {most} s") };
        self.wrong(field, format!("is no valid time: it must be {least} s or more{most}"));
        None
    }

    /// A time, if it is given.
    pub fn optional_time(&mut self, field: &str, time: Option<prost_types::Timestamp>) -> Option<Option<Timestamp>> {
        let Some(time) = time else { return Some(None) };
        self.time(field, time).map(Some)
    }

    pub fn meeting_id(&mut self, field: &str, text: &str) -> Option<MeetingId> {
        self.text(field, text, MeetingId::parse)
    }

    pub fn reason(&mut self, text: &str) -> Option<Reason> {
        self.text("reason", text, Reason::parse)
    }

    /// The request's id, or `made` if the caller left it to the server.
    pub fn request_id(&mut self, text: &str, made: RequestId) -> Option<RequestId> {
        if text.is_empty() { Some(made) } else { self.text("request_id", text, RequestId::parse) }
    }

    /// A value of an enum whose 0 means "not said".
    pub fn code<T>(
        &mut self,
        field: &str,
        code: i32,
        from_code: fn(i32) -> Option<T>,
        allowed: &dyn Fn() -> String,
    ) -> Option<T> {
        let value = from_code(code);
        if value.is_none() {
            let what = if code == 0 { "is required".into() } else { format!("is {code}, which isn't known") };
            self.wrong(field, format!("{what}: one of {}", allowed()));
        }
        value
    }

    /// A stage that must be given.
    pub fn stage(&mut self, field: &str, code: i32) -> Option<Stage> {
        self.code(field, code, Stage::from_code, &|| names("STAGE_", Stage::ALL))
    }

    /// The contact points of a new lead: each once; both if none is given. In their own order, whatever the request's.
    pub fn contact_points(&mut self, codes: &[i32]) -> Vec<ContactPoint> {
        let given = self.set("contact_points", codes, |check, field, code| {
            check.code(field, code, ContactPoint::from_code, &|| names("CONTACT_POINT_", ContactPoint::ALL))
        });
        let all = ContactPoint::ALL.iter().copied();
        all.filter(|point| given.is_empty() || given.contains(point)).collect()
    }

    /// Stages to filter by, each once.
    pub fn stages(&mut self, field: &str, codes: &[i32]) -> HashSet<Stage> {
        self.set(field, codes, Self::stage)
    }

    fn set<T: Eq + std::hash::Hash>(
        &mut self,
        field: &str,
        codes: &[i32],
        mut parse: impl FnMut(&mut Self, &str, i32) -> Option<T>,
    ) -> HashSet<T> {
        let mut values = HashSet::new();
        for (place, code) in codes.iter().enumerate() {
            let field = format!("{field}[{place}]");
            if let Some(value) = parse(self, &field, *code)
                && !values.insert(value)
            {
                self.wrong(field, "stands twice: name each value once");
            }
        }
        values
    }

    pub fn meeting(&mut self, field: &str, meeting: Option<proto::Meeting>) -> Option<Meeting> {
        let Some(meeting) = meeting else {
            self.wrong(field, "is required: {meeting_id, starts_at, ends_at}");
            return None;
        };
        let id = self.meeting_id(&format!("{field}.meeting_id"), &meeting.meeting_id);
        let starts_at = self.required_time(&format!("{field}.starts_at"), meeting.starts_at);
        let ends_at = self.required_time(&format!("{field}.ends_at"), meeting.ends_at);
        let (starts_at, ends_at) = (starts_at?, ends_at?);
        if starts_at >= ends_at {
            self.wrong(format!("{field}.ends_at"), "must be after starts_at, by a microsecond or more");
            return None;
        }
        Some(Meeting { id: id?, starts_at, ends_at })
    }

    fn required_time(&mut self, field: &str, time: Option<prost_types::Timestamp>) -> Option<Timestamp> {
        if time.is_none() {
            self.wrong(field, "is required: a time");
        }
        self.time(field, time?)
    }

    fn time(&mut self, field: &str, time: prost_types::Timestamp) -> Option<Timestamp> {
        let micros = micros(&time);
        if micros.is_none() {
            self.wrong(
                field,
                "is no valid time: from 0001-01-01T00:00:00Z to 9999-12-31T23:59:59.999999999Z, nanos from 0 to 999999999",
            );
        }
        micros
    }

    /// When it happened, as the caller says: not much later than `now`.
    pub fn occurred_at(&mut self, time: Option<prost_types::Timestamp>, now: Timestamp) -> Option<Option<Timestamp>> {
        let Some(time) = time else { return Some(None) };
        let time = self.time("occurred_at", time)?;
        if time.0 > now.0.saturating_add(AHEAD) {
            self.wrong(
                "occurred_at",
                "is more than 5 minutes ahead of the service's clock: at most 5 minutes are allowed",
            );
            return None;
        }
        Some(Some(time))
    }

    pub fn expected_version(&mut self, version: Option<i32>) -> Option<Option<i32>> {
        if version.is_some_and(|version| version < 1) {
            self.wrong("expected_version", "must be 1 or more, or absent for any version");
            return None;
        }
        Some(version)
    }

    /// Who does it; `absent` stands for an actor that wasn't given.
    pub fn actor(&mut self, actor: Option<proto::Actor>, absent: Option<Actor>) -> Option<Actor> {
        let Some(actor) = actor else {
            if absent.is_none() {
                self.wrong("actor", "is required: a PERSON and their id, like {kind: ACTOR_KIND_PERSON, id: \"mia\"}");
            }
            return absent;
        };
        let allowed = || "ACTOR_KIND_PERSON, ACTOR_KIND_AI_AGENT, ACTOR_KIND_SERVICE".into();
        let kind = self.code("actor.kind", actor.kind, ActorKind::from_code, &allowed);
        if kind == Some(ActorKind::System) {
            self.wrong(
                "actor.kind",
                format!("is ACTOR_KIND_SYSTEM, which is the service itself: one of {}", allowed()),
            );
        }
        let id = self.text("actor.id", &actor.id, ActorId::parse);
        Some(Actor { kind: kind?, id: id? })
    }

    /// A page's size: 0 is the default, and more than the maximum is the maximum.
    pub fn page_size(&mut self, size: i32, default: i32, max: i32) -> Option<i64> {
        match size {
            ..0 => {
                self.wrong("page_size", format!("is {size}, but must be 0 (for {default}) or more"));
                None
            }
            0 => Some(default.into()),
            _ => Some(size.min(max).into()),
        }
    }
}

/// The names of an enum's values, as the proto has them.
pub fn names<T: std::fmt::Display>(prefix: &str, values: &[T]) -> String {
    values.iter().map(|value| format!("{prefix}{value}")).collect::<Vec<_>>().join(", ")
}

/// A time in microseconds, cut; `None` if the proto doesn't allow it.
pub fn micros(time: &prost_types::Timestamp) -> Option<Timestamp> {
    const YEAR_1: i64 = -62_135_596_800;
    const YEAR_10000: i64 = 253_402_300_800;
    let valid = (YEAR_1..YEAR_10000).contains(&time.seconds) && (0..1_000_000_000).contains(&time.nanos);
    valid.then(|| Timestamp(time.seconds * 1_000_000 + i64::from(time.nanos) / 1_000))
}

/// A text as an error may show it: short, and in characters that neither grow on the way nor garble a terminal.
pub fn shown(text: &str) -> String {
    let escaped = if text.len() > 128 { None } else { Some(text.escape_default().to_string()) };
    match escaped.filter(|escaped| escaped.len() <= 80) {
        Some(escaped) => format!("\"{escaped}\""),
        None => format!("{} characters long", text.chars().count()),
    }
}
