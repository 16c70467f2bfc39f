//! A node that joins asks a member to be added, and to be promoted once it has caught up.
//!
//! ```text
//! request   00 · node · address   (add)   |   01 · node   (promote)
//! response  00   |   01 · why not
//! ```
//!
//! Whoever joins asks for itself, with the number and incarnation that it has greeted with. The member that is asked
//! carries the change to the leaders of all shards. The node asks again until it is what it wants to be, so that an
//! answer that got lost does no harm.

use dynamo_engine::codec::{DecodeError, Record, get_u8};
use dynamo_engine::record;

use super::Rpc;

const DONE: u8 = 0;
const REFUSED: u8 = 1;

/// The service; anybody may ask, for itself.
pub struct Join;

/// What a node asks that joins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JoinRequest {
    /// To be added.
    Add {
        /// Its number.
        node: u64,
        /// Where it listens for peers.
        address: String,
    },
    /// To vote.
    Promote {
        /// Its number.
        node: u64,
    },
}

impl JoinRequest {
    /// Whom it is about.
    pub fn node(&self) -> u64 {
        match self {
            JoinRequest::Add { node, .. } | JoinRequest::Promote { node } => *node,
        }
    }
}

/// Done, or why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined(pub Result<(), String>);

impl Rpc for Join {
    const KIND: u8 = 45;
    type Request<'a> = &'a JoinRequest;
    type Received = JoinRequest;
    type Response = Joined;
}

record! {
    enum JoinRequest: "request to join" { 0 = Add { node, address }, 1 = Promote { node } }
}

impl Record for Joined {
    fn encode(&self, out: &mut Vec<u8>) {
        match &self.0 {
            Ok(()) => out.push(DONE),
            Err(reason) => {
                out.push(REFUSED);
                reason.encode(out);
            }
        }
    }

    fn decode(input: &mut &[u8]) -> Result<Joined, DecodeError> {
        match get_u8(input)? {
            DONE => Ok(Joined(Ok(()))),
            REFUSED => Ok(Joined(Err(Record::decode(input)?))),
            tag => Err(DecodeError::Tag { what: "answer to a node that joins", tag }),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::rpc::{assert_read_back, bytes_of, whole};
    use super::*;

    #[test]
    fn requests_and_answers_are_read_back() {
        let add = JoinRequest::Add { node: 4, address: "d:4".to_owned() };
        let bytes = Bytes::from(bytes_of(&&add));
        assert_eq!(bytes[..], *b"\x00\x04\x03d:4");
        assert_eq!(whole(&bytes), Ok(add));
        let promote = JoinRequest::Promote { node: 300 };
        assert_eq!(whole(&bytes_of(&&promote).into()), Ok(promote));
        for cut in 0..bytes.len() {
            assert!(whole::<JoinRequest>(&bytes.slice(..cut)).is_err(), "cut at {cut}");
        }
        assert_read_back(&Joined(Ok(())));
        assert_eq!(bytes_of(&Joined(Err("no".to_owned()))), b"\x01\x02no");
        let unknown: [&[u8]; 2] = [&[2], &[0, 0]];
        assert!(unknown.into_iter().all(|bytes| whole::<Joined>(&Bytes::from_static(bytes)).is_err()));
    }
}
