//! A watch response whose changes are encoded already: each entry once, however many watchers it goes to.

use crate::proto;
use bytes::{Buf, BufMut, Bytes};
use prost::DecodeError;
use prost::encoding::{DecodeContext, WireType, encoded_len_varint, key_len};

/// The field `changes` of `WatchStageChangesResponse`.
const CHANGES: u32 = 1;

/// On the wire a `WatchStageChangesResponse`.
#[derive(Debug, Default)]
pub struct EncodedResponse {
    /// Encoded `StageChange`s.
    pub changes: Vec<Bytes>,
    /// Everything else; its `changes` are empty.
    pub rest: proto::WatchStageChangesResponse,
}

impl prost::Message for EncodedResponse {
    fn encode_raw(&self, buffer: &mut impl BufMut) {
        for change in &self.changes {
            prost::encoding::encode_key(CHANGES, WireType::LengthDelimited, buffer);
            prost::encoding::encode_varint(change.len() as u64, buffer);
            buffer.put_slice(change);
        }
        self.rest.encode_raw(buffer);
    }

    fn encoded_len(&self) -> usize {
        let length = |change: &Bytes| key_len(CHANGES) + encoded_len_varint(change.len() as u64) + change.len();
        self.changes.iter().map(length).sum::<usize>() + self.rest.encoded_len()
    }

    /// The server never receives one; a decoder gets it as the message that it is.
    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buffer: &mut impl Buf,
        context: DecodeContext,
    ) -> Result<(), DecodeError> {
        self.rest.merge_field(tag, wire_type, buffer, context)
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;

    #[test]
    fn it_is_a_watch_response_on_the_wire() {
        let change = |position| proto::StageChange { position, lead_id: "x".repeat(300), ..Default::default() };
        let rest = proto::WatchStageChangesResponse { cursor: "c".into(), behind: 3, ..Default::default() };
        let whole = proto::WatchStageChangesResponse { changes: vec![change(1), change(2)], ..rest.clone() };
        let encoded = EncodedResponse {
            changes: whole.changes.iter().map(|change| change.encode_to_vec().into()).collect(),
            rest,
        };
        let bytes = encoded.encode_to_vec();
        assert_eq!(bytes.len(), encoded.encoded_len());
        assert_eq!(proto::WatchStageChangesResponse::decode(bytes.as_slice()).expect("decodes"), whole);
    }
}
