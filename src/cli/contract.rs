//! Messages as proto JSON, by the contract's own descriptors: so it can't fall behind the contract.

use crate::proto;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, SerializeOptions};
use serde_json::value::RawValue;
use std::sync::LazyLock;

static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(proto::DESCRIPTORS).expect("the contract was compiled by the build"));

/// The description of a message by its short name.
pub fn message(name: &str) -> MessageDescriptor {
    let found = POOL.get_message_by_name(&format!("leadpipeline.v1.{name}"));
    found.unwrap_or_else(|| panic!("the contract has {name}"))
}

/// A message whose fields can be walked.
pub fn dynamic(descriptor: &MessageDescriptor, message: &impl Message) -> DynamicMessage {
    let mut dynamic = DynamicMessage::new(descriptor.clone());
    dynamic.transcode_from(message).expect("the message is the one described");
    dynamic
}

/// A message as proto JSON, on one line.
pub fn json(descriptor: &MessageDescriptor, message: &impl Message) -> Box<RawValue> {
    let mut text = Vec::new();
    let mut serializer = serde_json::Serializer::new(&mut text);
    let written = dynamic(descriptor, message).serialize_with_options(&mut serializer, &SerializeOptions::new());
    written.expect("every message of the contract has a JSON form");
    let text = String::from_utf8(text).expect("JSON is UTF-8");
    RawValue::from_string(text).expect("it was just written")
}
