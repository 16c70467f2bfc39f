//! Fetching the rows that a plan reads at the shard's leader: lease, locks, view and rows in one call.
//!
//! ```text
//! request   handler (1) · epoch · fetch request
//! response  00 · fetch response   |   a refusal
//! ```
//!
//! The epoch is that of the map by which the shard was chosen; where the leader's is another one, or where a table is
//! not installed there as it was planned, the response says that the plan is stale.

use bytes::Bytes;
use dynamo_engine::codec::{DecodeError, get_u8, get_u64, put_u64};
use dynamo_engine::read::remote::{FetchRequest, FetchResponse};
use shard_router::Epoch;

use super::Rpc;
use super::rpc::{Decode, Encode};
use crate::guard::Handler;
use crate::shard::ShardError;

/// The service.
pub struct Fetch;

/// What is fetched from a shard, and by which handler.
#[derive(Clone, Debug, PartialEq)]
pub struct FetchCall<R> {
    /// Who reads.
    pub handler: Handler,
    /// The epoch of the shard in the asker's map.
    pub epoch: Epoch,
    /// What is needed.
    pub request: R,
}

impl Rpc for Fetch {
    const KIND: u8 = 34;
    type Request<'a> = FetchCall<&'a FetchRequest>;
    type Received = FetchCall<FetchRequest>;
    type Response = Result<FetchResponse, ShardError>;
}

impl Encode for FetchCall<&FetchRequest> {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.handler as u8);
        put_u64(out, self.epoch.0);
        self.request.encode(out);
    }
}

impl Decode for FetchCall<FetchRequest> {
    fn decode(input: &mut &[u8], _message: &Bytes) -> Result<FetchCall<FetchRequest>, DecodeError> {
        let tag = get_u8(input)?;
        let handler = Handler::from_number(tag).ok_or(DecodeError::Tag { what: "handler", tag })?;
        let epoch = Epoch(get_u64(input)?);
        Ok(FetchCall { handler, epoch, request: FetchRequest::decode(std::mem::take(input))? })
    }
}

impl Encode for FetchResponse {
    fn encode(&self, out: &mut Vec<u8>) {
        FetchResponse::encode(self, out);
    }
}

impl Decode for FetchResponse {
    fn decode(input: &mut &[u8], message: &Bytes) -> Result<FetchResponse, DecodeError> {
        FetchResponse::decode(&message.slice_ref(std::mem::take(input)))
    }
}

#[cfg(test)]
mod tests {
    use dynamo_engine::read::remote::Selector;

    use super::super::rpc::{assert_read_back, bytes_of};
    use super::*;

    #[test]
    fn golden_request() {
        let request = FetchRequest { tables: Vec::new(), selector: Selector::Marks(vec![b"k".to_vec()]) };
        let request = FetchCall { handler: Handler::Query, epoch: Epoch(300), request: &request };
        assert_eq!(bytes_of(&request), [2, 0xac, 2, 1, 0, 4, 1, 1, b'k']);
    }

    #[test]
    fn answers_are_read_back() {
        let response = FetchResponse::Rows(vec![Some(Bytes::from_static(b"row")), None]);
        for answer in [Ok(response), Ok(FetchResponse::Stale), Err(ShardError::NotLeader { leader: Some(2) })] {
            assert_read_back(&answer);
        }
    }
}
