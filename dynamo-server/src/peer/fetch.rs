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

use super::failure::{get_result, put_result};
use super::{Header, response};
use crate::env::Env;
use crate::guard::{Handler, ReadFailure};
use crate::node::Node;
use crate::shard::{Deadline, ShardError};

/// The body of a request.
pub fn encode(handler: Handler, epoch: Epoch, need: &Need) -> Vec<u8> {
    let mut out = vec![handler as u8];
    put_u64(&mut out, epoch.0);
    need.encode(&mut out);
    out
}

/// Reads the answer of a request; the rows stay where they are.
///
/// # Errors
/// When this program does not understand it.
pub fn decode(body: &Bytes) -> Result<Result<Supply, ShardError>, DecodeError> {
    get_result(&mut &body[..], |rest| Supply::decode(&body.slice_ref(rest)))
}

/// Does what a peer asks.
///
/// # Errors
/// When this program does not understand it.
pub async fn serve<E: Env>(node: &Node<E>, header: Header, mut body: &[u8]) -> Result<Bytes, DecodeError> {
    let input = &mut body;
    let tag = get_u8(input)?;
    let handler = Handler::from_number(tag).ok_or(DecodeError::Tag { what: "handler", tag })?;
    let epoch = Epoch(get_u64(input)?);
    let need = Need::decode(input)?;
    let supply = supply(node, header, handler, epoch, need).await;
    Ok(response(node.clock_reading(), |out| put_result(out, &supply, |out, supply| supply.encode(out))))
}

async fn supply<E: Env>(
    node: &Node<E>,
    header: Header,
    handler: Handler,
    epoch: Epoch,
    need: Need,
) -> Result<Supply, ShardError> {
    let shard = node.shard(header.shard)?;
    match node.supply_here(shard, epoch, handler, need, Deadline::after::<E>(header.remaining)).await {
        Ok(supply) => Ok(supply),
        Err(ReadFailure::Stale) => Ok(Supply::Stale),
        Err(ReadFailure::Shard(error)) => Err(error),
        Err(ReadFailure::Read(error)) => {
            tracing::error!(shard = header.shard.0, %error, "what a peer needs cannot be read");
            Err(ShardError::NotConfirmed)
        }
    }
}

#[cfg(test)]
mod tests {
    use dynamo_engine::read::remote::Wants;

    use super::*;

    #[test]
    fn golden_request() {
        let need = Need { tables: Vec::new(), wants: Wants::Marks(vec![b"k".to_vec()]) };
        assert_eq!(encode(Handler::Query, Epoch(300), &need), [2, 0xac, 2, 1, 0, 4, 1, 1, b'k']);
    }

    #[test]
    fn answers_are_read_back() {
        let supply = Supply::Rows(vec![Some(Bytes::from_static(b"row")), None]);
        for answer in [Ok(supply), Ok(Supply::Stale), Err(ShardError::NotLeader { leader: Some(2) })] {
            let mut out = Vec::new();
            put_result(&mut out, &answer, |out, supply: &Supply| supply.encode(out));
            assert_eq!(decode(&Bytes::from(out.clone())), Ok(answer));
            for cut in 0..out.len() {
                assert!(decode(&Bytes::copy_from_slice(&out[..cut])).is_err());
            }
        }
    }
}
