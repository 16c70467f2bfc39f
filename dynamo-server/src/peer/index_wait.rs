//! Waiting until index entries have arrived where they live, at the leader of the shard that sends them.
//!
//! ```text
//! request   n × (target shard · number in the channel)
//! response  nothing, once they have arrived or half of the asker's time is over
//! ```
//!
//! A write waits for its entries before it is answered ([`Propose`](super::Propose)). The home of a transaction does
//! not: others wait for its decision, so it is told at once, and the coordinator asks for the entries afterwards.

use bytes::Bytes;
use dynamo_engine::codec::DecodeError;
use dynamo_engine::outbox::OutboxPosition;

use super::Rpc;
use super::rpc::{Decode, Encode};

/// The service.
pub struct IndexWait;

impl Rpc for IndexWait {
    const KIND: u8 = 35;
    type Request<'a> = &'a [OutboxPosition];
    type Received = Vec<OutboxPosition>;
    type Response = ();
}

impl Encode for OutboxPosition {
    fn encode(&self, out: &mut Vec<u8>) {
        OutboxPosition::encode(*self, out);
    }
}

impl Decode for OutboxPosition {
    fn decode(input: &mut &[u8], _message: &Bytes) -> Result<OutboxPosition, DecodeError> {
        OutboxPosition::decode(input)
    }
}

#[cfg(test)]
mod tests {
    use shard_router::ShardId;

    use super::super::rpc::assert_read_back;
    use super::*;

    #[test]
    fn requests_are_read_back() {
        let positions = [(0, 1), (300, 70_000)];
        let positions = positions.map(|(target, sequence)| OutboxPosition { target: ShardId(target), sequence });
        assert_read_back(&positions.to_vec());
    }
}
