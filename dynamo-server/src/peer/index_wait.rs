//! Waiting until index entries have arrived where they live, at the leader of the shard that sends them.
//!
//! ```text
//! request   n × (target shard · number in the lane)
//! response  nothing, once they have arrived or half of the asker's time is over
//! ```
//!
//! A write waits for its entries before it is answered ([`propose`](super::propose)). The home of a transaction does
//! not: others wait for its decision, so it is told at once, and the coordinator asks for the entries afterwards.

use bytes::Bytes;
use dynamo_engine::codec::{DecodeError, finish, get_list, put_list};
use dynamo_engine::lane::LanePosition;

use super::{Header, response};
use crate::env::Env;
use crate::node::Node;

/// The body of a request.
pub fn encode(positions: &[LanePosition]) -> Vec<u8> {
    let mut out = Vec::new();
    put_list(&mut out, positions, |out, position| position.encode(out));
    out
}

fn decode(mut body: &[u8]) -> Result<Vec<LanePosition>, DecodeError> {
    let input = &mut body;
    let positions = get_list(input, LanePosition::decode)?;
    finish(input)?;
    Ok(positions)
}

/// Does what a peer asks.
///
/// # Errors
/// When this program does not understand it.
pub async fn serve<E: Env>(node: &Node<E>, header: Header, body: &[u8]) -> Result<Bytes, DecodeError> {
    let positions = decode(body)?;
    // A shard that is not known here has no entries either.
    if let Ok(shard) = node.shard(header.shard) {
        shard.arrivals().wait::<E>(&positions, header.remaining / 2).await;
    }
    Ok(response(node.clock_reading(), |_| ()))
}

#[cfg(test)]
mod tests {
    use shard_router::ShardId;

    use super::*;

    #[test]
    fn requests_are_read_back() {
        let positions = [(0, 1), (300, 70_000)];
        let positions = positions.map(|(target, sequence)| LanePosition { target: ShardId(target), sequence });
        let bytes = encode(&positions);
        assert_eq!(decode(&bytes), Ok(positions.to_vec()));
        for cut in 0..bytes.len() {
            assert!(decode(&bytes[..cut]).is_err());
        }
    }
}
