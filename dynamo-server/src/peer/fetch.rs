//! Reading what a plan needs of a shard at the shard's leader: lease, locks, view and rows in one call.
//!
//! ```text
//! request   handler (1) · epoch · need
//! response  00 · supply   |   a refusal
//! ```
//!
//! The epoch is that of the map by which the shard was chosen; where the leader's is another one, or where a table is
//! not installed there as it was planned, the supply says that the plan is stale.

use bytes::Bytes;
use dynamo_engine::codec::{DecodeError, get_u8, get_u64, put_u64};
use dynamo_engine::read::remote::{Need, Supply};
use shard_router::Epoch;

use super::Rpc;
use super::rpc::{Decode, Encode};
use crate::guard::Handler;
use crate::shard::ShardError;

/// The service.
pub struct Fetch;

/// What is needed of a shard, and by which handler.
#[derive(Clone, Debug, PartialEq)]
pub struct FetchRequest<N> {
    /// Who reads.
    pub handler: Handler,
    /// The epoch of the shard in the asker's map.
    pub epoch: Epoch,
    /// What is needed.
    pub need: N,
}

impl Rpc for Fetch {
    const KIND: u8 = 34;
    type Request<'a> = FetchRequest<&'a Need>;
    type Received = FetchRequest<Need>;
    type Response = Result<Supply, ShardError>;
}

impl Encode for FetchRequest<&Need> {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.handler as u8);
        put_u64(out, self.epoch.0);
        self.need.encode(out);
    }
}

impl Decode for FetchRequest<Need> {
    fn decode(input: &mut &[u8], _message: &Bytes) -> Result<FetchRequest<Need>, DecodeError> {
        let tag = get_u8(input)?;
        let handler = Handler::from_number(tag).ok_or(DecodeError::Tag { what: "handler", tag })?;
        let epoch = Epoch(get_u64(input)?);
        Ok(FetchRequest { handler, epoch, need: Need::decode(std::mem::take(input))? })
    }
}

impl Encode for Supply {
    fn encode(&self, out: &mut Vec<u8>) {
        Supply::encode(self, out);
    }
}

impl Decode for Supply {
    fn decode(input: &mut &[u8], message: &Bytes) -> Result<Supply, DecodeError> {
        Supply::decode(&message.slice_ref(std::mem::take(input)))
    }
}

#[cfg(test)]
mod tests {
    use dynamo_engine::read::remote::Wants;

    use super::super::rpc::{assert_read_back, bytes_of};
    use super::*;

    #[test]
    fn golden_request() {
        let need = Need { tables: Vec::new(), wants: Wants::Marks(vec![b"k".to_vec()]) };
        let request = FetchRequest { handler: Handler::Query, epoch: Epoch(300), need: &need };
        assert_eq!(bytes_of(&request), [2, 0xac, 2, 1, 0, 4, 1, 1, b'k']);
    }

    #[test]
    fn answers_are_read_back() {
        let supply = Supply::Rows(vec![Some(Bytes::from_static(b"row")), None]);
        for answer in [Ok(supply), Ok(Supply::Stale), Err(ShardError::NotLeader { leader: Some(2) })] {
            assert_read_back(&answer);
        }
    }
}
