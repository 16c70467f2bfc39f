//! Waiting until index entries have arrived where they live, at the leader of the shard that sends them.
//!
//! ```text
//! request   n × (target shard · number in the channel)
//! response  nothing, once they have arrived or half of the asker's time is over
//! ```
//!
//! A write waits for its entries before it is answered ([`Propose`](super::Propose)). The record shard of a transaction
//! does not: others wait for its decision, so it is told at once, and the coordinator asks for the entries afterwards.

use dynamo_engine::outbox::OutboxPosition;

use super::Rpc;

/// The service.
pub struct IndexWait;

impl Rpc for IndexWait {
    const KIND: u8 = 35;
    type Request<'a> = &'a [OutboxPosition];
    type Received = Vec<OutboxPosition>;
    type Response = ();
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
