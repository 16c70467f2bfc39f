//! A node that joins asks a member to be added, and to be promoted once it has caught up.
//!
//! ```text
//! request   00 · node · address   (add)   |   01 · node   (promote)
//! response  00   |   01 · why not
//! ```
//!
//! Whoever joins asks for itself, with the number and incarnation that it has greeted with. The member that is asked carries the change to the leaders of all shards. The node asks again until it is what it
//! wants to be, so that an answer that got lost does no harm.

use bytes::Bytes;
use dynamo_engine::codec::{DecodeError, finish, get_str, get_u8, get_u64, put_str, put_u64};

use super::{Header, response};
use crate::cluster::{ClusterChange, ClusterChangeError};
use crate::env::{Caller, Env};
use crate::node::Node;
use crate::shard::Deadline;

const ADD: u8 = 0;
const PROMOTE: u8 = 1;

const DONE: u8 = 0;
const REFUSED: u8 = 1;

/// The body of a request that `node`, which listens at `address`, be added.
pub fn encode_add(node: u64, address: &str) -> Vec<u8> {
    let mut out = vec![ADD];
    put_u64(&mut out, node);
    put_str(&mut out, address);
    out
}

/// The body of a request that `node` be promoted.
pub fn encode_promote(node: u64) -> Vec<u8> {
    let mut out = vec![PROMOTE];
    put_u64(&mut out, node);
    out
}

fn decode_request(mut body: &[u8], incarnation: u64) -> Result<ClusterChange, DecodeError> {
    let input = &mut body;
    let change = match get_u8(input)? {
        ADD => ClusterChange::Add { node: get_u64(input)?, address: get_str(input)?, incarnation: Some(incarnation) },
        PROMOTE => ClusterChange::Promote { node: get_u64(input)? },
        tag => return Err(DecodeError::Tag { what: "request to join", tag }),
    };
    finish(input)?;
    Ok(change)
}

/// Reads the answer: done, or why not.
///
/// # Errors
/// When this program does not understand it.
pub fn decode(mut body: &[u8]) -> Result<Result<(), String>, DecodeError> {
    let input = &mut body;
    let answer = match get_u8(input)? {
        DONE => Ok(()),
        REFUSED => Err(get_str(input)?),
        tag => return Err(DecodeError::Tag { what: "answer to a node that joins", tag }),
    };
    finish(input)?;
    Ok(answer)
}

/// Does what a joining node asks.
///
/// # Errors
/// When this program does not understand it.
pub async fn serve<E: Env>(node: &Node<E>, caller: Caller, header: Header, body: &[u8]) -> Result<Bytes, DecodeError> {
    let change = decode_request(body, caller.incarnation)?;
    let is_for_itself = matches!(
        change,
        ClusterChange::Add { node, .. } | ClusterChange::Promote { node } if node == caller.node
    );
    let changed = match is_for_itself {
        true => node.change_cluster(&change, Deadline::after::<E>(header.remaining)).await,
        false => Err(ClusterChangeError::Refused("a node asks for itself only".to_owned())),
    };
    Ok(response(node.clock_reading(), |out| match changed {
        Ok(_) => out.push(DONE),
        Err(error) => {
            out.push(REFUSED);
            put_str(out, &error.to_string());
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_answers_are_read_back() {
        let add = encode_add(4, "d:4");
        let change = ClusterChange::Add { node: 4, address: "d:4".to_owned(), incarnation: Some(9) };
        assert_eq!(decode_request(&add, 9), Ok(change));
        assert_eq!(decode_request(&encode_promote(300), 9), Ok(ClusterChange::Promote { node: 300 }));
        for cut in 0..add.len() {
            assert!(decode_request(&add[..cut], 9).is_err(), "cut at {cut}");
        }
        assert_eq!(decode(&[0]), Ok(Ok(())));
        assert_eq!(decode(b"\x01\x02no"), Ok(Err("no".to_owned())));
        assert!(decode(&[2]).is_err() && decode(&[0, 0]).is_err());
    }
}
