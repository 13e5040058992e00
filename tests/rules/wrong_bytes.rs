//! Bytes that are no such message get the gRPC library's own code, and the connection's other calls go on.

use crate::support::checker::{Sound, check};
use crate::support::errors::assert_fit_for_callers;
use crate::support::raw::{RawClient, framed};
use crate::support::requests::{create, message_sent, trigger};
use crate::support::server::server;
use bytes::{Bytes, BytesMut};
use lead_pipeline::proto::{CreateLeadResponse, GetLeadRequest};
use prost::Message;
use tonic::Code;

/// A field of a message, by hand: its key and its bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    prost::encoding::encode_varint(bytes.len() as u64, &mut field);
    field.extend_from_slice(bytes);
    field
}

/// Messages that aren't.
fn no_messages() -> Vec<(&'static str, Vec<u8>)> {
    let whole = create("lead-1").encode_to_vec();
    // Field 15 as a group, opened and never closed so often that a naive reader's stack ends.
    let too_deep = [0x7b].repeat(100_000);
    vec![
        ("truncated", whole[..whole.len() - 1].to_vec()),
        ("a length beyond the end", vec![0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]),
        ("a number without an end", vec![0xff; 20]),
        ("field number 0", vec![0x02, 0x00]),
        ("a group that nobody opened", vec![0x0c]),
        ("too deep", too_deep),
        ("invalid UTF-8", field(1, &[0xff, 0xfe, b'a'])),
        ("half a UTF-8 character", field(1, &"ä".as_bytes()[..1])),
        ("the wrong wire type", vec![0x09, 0, 0, 0, 0, 0, 0, 0, 0]),
    ]
}

const METHODS: [&str; 6] =
    ["CreateLead", "ApplyTrigger", "ApplyTriggers", "GetLead", "BatchCreateLeads", "WatchStageChanges"];

#[tokio::test]
async fn other_calls_of_the_connection_go_on() {
    let server = server().await;
    let raw = RawClient::connect(server.address().parse().expect("an address")).await;
    for (number, (what, bytes)) in no_messages().into_iter().enumerate() {
        let good = create(&format!("lead-{number}")).encode_to_vec();
        for method in METHODS {
            let (bad, good) = tokio::join!(raw.call(method, &bytes), raw.call("CreateLead", &good));
            assert_ne!(bad.code(), Code::Ok, "{method} with {what}: {bad:?}");
            assert_ne!(bad.code(), Code::Unavailable, "{method} with {what} is no failure of the service: {bad:?}");
            assert_fit_for_callers(&bad.status);
            assert_eq!(good.code(), Code::Ok, "beside {method} with {what}: {good:?}");
            CreateLeadResponse::decode(good.message).expect("a response");
        }
    }
    let leads = no_messages().len() as i64;
    assert_eq!(check(server.database_url()).await, Sound { leads, entries: leads });
}

#[tokio::test]
async fn frames_that_are_none_are_refused() {
    let server = server().await;
    let raw = RawClient::connect(server.address().parse().expect("an address")).await;
    let whole = framed(&GetLeadRequest { lead_id: "lead-1".into() }.encode_to_vec());
    let mut compressed = BytesMut::from(&whole[..]);
    compressed[0] = 1;
    let mut strange = compressed.clone();
    strange[0] = 77;
    let twice = [&whole[..], &whole[..]].concat();
    let frames = [
        ("nothing", Bytes::new()),
        ("half a frame's head", whole.slice(..3)),
        ("half a frame", whole.slice(..whole.len() - 1)),
        ("compressed without saying how", compressed.freeze()),
        ("a flag that isn't one", strange.freeze()),
        ("two messages", Bytes::from(twice)),
    ];
    for (what, frame) in frames {
        let answer = raw.send("GetLead", &[], frame).await;
        assert_ne!(answer.code(), Code::Ok, "{what}: {answer:?}");
        assert_fit_for_callers(&answer.status);
    }
    let answer = raw.call("CreateLead", &create("lead-1").encode_to_vec()).await;
    assert_eq!(answer.code(), Code::Ok, "the connection lives");
}

#[tokio::test]
async fn a_message_over_the_size_limit_is_refused() {
    let server = server().await;
    let raw = RawClient::connect(server.address().parse().expect("an address")).await;
    let mut request = trigger("lead-1", message_sent());
    request.reason = "x".repeat(4 << 20);
    let (large, small) = (request.encode_to_vec(), create("lead-1").encode_to_vec());
    let (large, small) = tokio::join!(raw.call("ApplyTrigger", &large), raw.call("CreateLead", &small));
    assert_eq!(large.code(), Code::OutOfRange, "the gRPC library's own code: {large:?}");
    assert_fit_for_callers(&large.status);
    assert_eq!(small.code(), Code::Ok);
    let again = raw.call("GetLead", &GetLeadRequest { lead_id: "lead-1".into() }.encode_to_vec()).await;
    assert_eq!(again.code(), Code::Ok, "the connection lives");
}

#[tokio::test]
async fn fields_of_a_later_version_are_passed_over() {
    let server = server().await;
    let raw = RawClient::connect(server.address().parse().expect("an address")).await;
    let mut bytes = create("lead-1").encode_to_vec();
    bytes.extend(field(15, b"from the future"));
    assert_eq!(raw.call("CreateLead", &bytes).await.code(), Code::Ok);
    assert_eq!(raw.call("NoSuchCall", &bytes).await.code(), Code::Unimplemented);
}
