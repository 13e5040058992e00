use super::*;
use crate::proto::Stage;
use crate::proto::trigger::Kind;

fn parse(text: &str) -> Parsed {
    Parser::new().parse(text)
}

fn call(text: &str) -> Call {
    parse(text).call.unwrap_or_else(|fault| panic!("{text}: {fault:?}"))
}

fn fault(text: &str) -> Fault {
    parse(text).call.expect_err(text)
}

#[test]
fn both_spellings_of_field_names_are_read() {
    let snake = r#"{"call":"ApplyTrigger","request":{"lead_id":"a","request_id":"r","trigger":{"message_sent":{}}}}"#;
    let camel = r#"{"call":"ApplyTrigger","request":{"leadId":"a","requestId":"r","trigger":{"messageSent":{}}}}"#;
    assert_eq!(call(snake), call(camel));
    let Call::ApplyTrigger(request) = call(snake) else { panic!("another call") };
    assert_eq!((request.lead_id.as_str(), request.request_id.as_str()), ("a", "r"));
    assert!(matches!(request.trigger.and_then(|trigger| trigger.kind), Some(Kind::MessageSent(_))));
}

#[test]
fn enums_times_and_wrapped_objects_are_read() {
    let text = r#"{"request":{"lead_id":"a","stage":"STAGE_SCHEDULED","expected_version":3,
        "meeting":{"meeting_id":"m","starts_at":"2026-12-01T10:00:00.5Z","ends_at":"2026-12-01T12:30:00+01:00"}},
        "call":"OverrideStage"}"#;
    let Call::OverrideStage(request) = call(text) else { panic!("another call") };
    assert_eq!(request.stage(), Stage::Scheduled);
    assert_eq!(request.expected_version, Some(3));
    let meeting = request.meeting.expect("a meeting");
    let starts_at = meeting.starts_at.expect("a start");
    assert_eq!((starts_at.seconds, starts_at.nanos), (1_796_119_200, 500_000_000));
    assert_eq!(meeting.ends_at.expect("an end").seconds, 1_796_124_600);
}

#[test]
fn a_line_that_is_no_json_or_no_call_says_so() {
    let cases = [
        ("hello", "NOT_JSON", "expected value at column 1"),
        (r#"{"call":"CreateLead""#, "NOT_JSON", "EOF while parsing an object at column 20"),
        (r#"{"call":"CreateLead","request":{}} x"#, "NOT_JSON", "trailing characters at column 36"),
        (r#"["CreateLead",{},null,null]"#, "NOT_A_CALL", "must be a JSON object"),
        ("17", "NOT_A_CALL", "invalid type: integer `17`, expected an object with call and request at column 2"),
        (r#"{"call":"CreateLead"}"#, "NOT_A_CALL", "missing field `request` at column 21"),
        (r#"{"call":7,"request":{}}"#, "NOT_A_CALL", "invalid type: integer `7`, expected a string at column 9"),
        (
            r#"{"call":"CreateLead","reqest":{}}"#,
            "NOT_A_CALL",
            "unknown field `reqest`, expected one of `call`, `request`, `line`, `error` at column 29",
        ),
        (r#"{"call":"CreateLead","call":"CreateLead"}"#, "NOT_A_CALL", "duplicate field `call` at column 27"),
        (
            r#"{"call":"DeleteLead","request":{}}"#,
            "UNKNOWN_CALL",
            r#"call is "DeleteLead": it must be CreateLead, ApplyTrigger or OverrideStage"#,
        ),
    ];
    for (text, reason, message) in cases {
        assert_eq!(fault(text), Fault::new(reason, message), "{text}");
    }
}

#[test]
fn a_request_that_does_not_fit_its_call_says_where() {
    let cases = [
        (r#"{"call":"CreateLead","request":{"lead":"a"}}"#, "unrecognized field"),
        (r#"{"call":"CreateLead","request":{"lead_id":7}}"#, "invalid type: integer `7`"),
        (r#"{"call":"CreateLead","request":[]}"#, "invalid type: sequence"),
        (r#"{"call":"CreateLead","request":"a"}"#, "invalid type: string"),
        (r#"{"call":"CreateLead","request":{"contact_points":["CONTACT_POINT_FAX"]}}"#, "CONTACT_POINT_FAX"),
        (r#"{"call":"ApplyTrigger","request":{"lead_id":"a","trigger":{"shouted":{}}}}"#, "shouted"),
        (r#"{"call":"ApplyTrigger","request":{"occurred_at":"yesterday"}}"#, "invalid rfc3339 timestamp"),
        (r#"{"call":"ApplyTrigger","request":{"trigger":{"message_sent":{},"opted_out":{}}}}"#, "kind"),
    ];
    for (text, part) in cases {
        let fault = fault(text);
        assert_eq!(fault.reason, "REQUEST_UNREADABLE", "{text}");
        assert!(fault.message.contains(part), "{text}: {}", fault.message);
        assert!(!fault.message.contains("line 1"), "{text}: {}", fault.message);
    }
    let text = r#"{"call":"CreateLead","request":{"lead_id":7}}"#;
    let column = text.find("7}").expect("it is there") + 1;
    assert!(fault(text).message.ends_with(&format!("at column {column}")), "{}", fault(text).message);
}

#[test]
fn a_rejected_line_can_be_applied_again() {
    let text = r#"{"line":17,"call":"CreateLead","request":{"lead_id":"a","request_id":"r"},"error":{"code":"X"}}"#;
    assert!(matches!(call(text), Call::CreateLead(request) if request.lead_id == "a"));
}

#[test]
fn a_call_without_request_id_gets_one_and_keeps_its_own() {
    let parsed = parse(r#"{"call":"ApplyTrigger","request":{"lead_id":"a"}}"#);
    let made = parsed.call.expect("a call");
    assert!(parsed.made_id);
    assert_eq!(Uuid::parse_str(made.request_id()).expect("a UUID").get_version_num(), 7);
    let parsed = parse(r#"{"call":"ApplyTrigger","request":{"lead_id":"a","request_id":"mine"}}"#);
    assert!(!parsed.made_id);
    assert_eq!(parsed.call.expect("a call").request_id(), "mine");
}

#[test]
fn calls_are_ordered_by_their_lead() {
    let lead = |text: &str| parse(text).lead;
    assert_eq!(&*lead(r#"{"call":"CreateLead","request":{"lead_id":"a"}}"#), "a");
    assert_eq!(&*lead(r#"{"call":"OverrideStage","request":{"leadId":"a"}}"#), "a");
    // A lead without an id of its own is named by the request_id, and the server's form of that is in lower case.
    let id = "4A9BD697-dbcb-5923-8047-ec5ed3cf2a1e";
    assert_eq!(&*lead(&format!(r#"{{"call":"CreateLead","request":{{"request_id":"{id}"}}}}"#)), id.to_lowercase());
    // Two of them without any id are two leads.
    let anonymous = r#"{"call":"CreateLead","request":{}}"#;
    assert_ne!(lead(anonymous), lead(anonymous));
}

#[test]
fn a_fault_takes_its_turn_among_the_calls_of_its_lead() {
    let parsed = parse(r#"{"call":"ApplyTrigger","request":{"lead_id":"a","shout":1}}"#);
    assert!(parsed.call.is_err());
    assert_eq!(&*parsed.lead, "a");
    assert_eq!(&*parse("hello").lead, "");
}
