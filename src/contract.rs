//! Messages as proto JSON and back, by the contract's own descriptors: so it can't fall behind the contract. Comes in:
//! messages, or their texts. Goes out: the other one. Never knows what they mean.

use crate::proto;
use prost::Message;
use prost_reflect::{DescriptorPool, DeserializeOptions, DynamicMessage, MessageDescriptor, SerializeOptions};
use serde::de::Error as _;
use serde_json::value::RawValue;
use std::sync::LazyLock;

static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(proto::DESCRIPTORS).expect("the contract was compiled by the build"));

/// How fields are called in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// As in the proto: `lead_id`.
    Proto,
    /// As proto JSON has them by default, and grpcurl prints them: `leadId`.
    Json,
}

/// The description of a message by its short name.
///
/// # Panics
/// If the contract has none of that name: a mistake in this program.
#[must_use]
pub fn message(name: &str) -> MessageDescriptor {
    let found = POOL.get_message_by_name(&format!("leadpipeline.v1.{name}"));
    found.unwrap_or_else(|| panic!("the contract has {name}"))
}

/// A message whose fields can be walked.
///
/// # Panics
/// If the message isn't the one described: a mistake in this program.
#[must_use]
pub fn dynamic(descriptor: &MessageDescriptor, message: &impl Message) -> DynamicMessage {
    let mut dynamic = DynamicMessage::new(descriptor.clone());
    dynamic.transcode_from(message).expect("the message is the one described");
    dynamic
}

/// A message as proto JSON, on one line.
///
/// # Panics
/// Never: every message of the contract has a JSON form.
#[must_use]
pub fn json(descriptor: &MessageDescriptor, message: &impl Message, names: Names) -> Box<RawValue> {
    let options = SerializeOptions::new().use_proto_field_name(names == Names::Proto);
    let mut text = Vec::new();
    let written =
        dynamic(descriptor, message).serialize_with_options(&mut serde_json::Serializer::new(&mut text), &options);
    written.expect("every message of the contract has a JSON form");
    let text = String::from_utf8(text).expect("JSON is UTF-8");
    RawValue::from_string(text).expect("it was just written")
}

/// Reads a message from proto JSON, with either names. A field that the message doesn't have is an error.
///
/// # Errors
/// What is wrong with the text, and where.
pub fn read<T: Message + Default>(descriptor: &MessageDescriptor, text: &str) -> Result<T, serde_json::Error> {
    let options = DeserializeOptions::new().deny_unknown_fields(true);
    let mut json = serde_json::Deserializer::from_str(text);
    let message = DynamicMessage::deserialize_with_options(descriptor.clone(), &mut json, &options)?;
    json.end()?;
    message.transcode_to().map_err(serde_json::Error::custom)
}
