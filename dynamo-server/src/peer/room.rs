//! Telling the other members whether this node's disk has room.
//!
//! ```text
//! request   node · short of room (1)
//! response  nothing
//! ```

use bytes::Bytes;
use dynamo_engine::codec::{DecodeError, finish, get_bool, get_u64, put_bool, put_u64};

use super::{Header, response};
use crate::env::Env;
use crate::node::Node;

/// The body of a request of `node`.
pub fn encode(node: u64, is_short: bool) -> Vec<u8> {
    let mut out = Vec::new();
    put_u64(&mut out, node);
    put_bool(&mut out, is_short);
    out
}

fn decode(mut body: &[u8]) -> Result<(u64, bool), DecodeError> {
    let input = &mut body;
    let said = (get_u64(input)?, get_bool(input)?);
    finish(input)?;
    Ok(said)
}

/// Takes note of what a peer says.
///
/// # Errors
/// When this program does not understand it.
pub async fn serve<E: Env>(node: &Node<E>, _header: Header, body: &[u8]) -> Result<Bytes, DecodeError> {
    let (peer, is_short) = decode(body)?;
    node.peer_says_of_room(peer, is_short);
    Ok(response(node.clock_reading(), |_| ()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_read_back() {
        for said in [(1, true), (70_000, false)] {
            let bytes = encode(said.0, said.1);
            assert_eq!(decode(&bytes), Ok(said));
            assert!((0..bytes.len()).all(|cut| decode(&bytes[..cut]).is_err()));
        }
    }
}
