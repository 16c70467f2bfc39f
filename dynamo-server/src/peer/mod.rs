//! What nodes say to each other on behalf of clients: one file and one type per service ([`Rpc`]), bytes only. Who serves
//! it stands in `dynamo-server/src/node/services.rs`.
//!
//! A request that reaches a node whose shard is led elsewhere is decoded, planned and answered where it arrived; only
//! the step that needs the shard's leader travels, as one message with one answer:
//!
//! - [`propose`]: commands to be proposed to a shard, for their outcomes.
//! - [`fetch`]: the rows that a plan needs of a shard, read at its leader.
//! - [`read_index`]: how far a replica must have applied so that it shows everything acknowledged by now.
//! - [`index_wait`]: until index entries that a shard has sent have arrived.
//! - [`compare`]: a digest of a replica's rows.
//! - [`room`]: whether the sender's disk has room.
//! - [`change_members`], [`join`], [`status`], [`transfer`]: what operators ask for; see [`crate::cluster`].
//!
//! ```text
//! request   format (1) = 01 · kind (1) · shard · milliseconds left · clock (8, BE) · body
//! response  format (1) = 01 · clock (8, BE) · body
//! ```
//!
//! Kinds below [`FIRST_KIND`] belong to the replicas of one group ([`crate::raft::transport::message`]). A message is never passed
//! on: whoever does not lead the shard says so and names the leader that it knows, and the sender turns there, within
//! the one deadline of its request. So the limit of hops is one.
//!
//! Every message carries its sender's hybrid time, and whoever receives it takes it over: what happens because of a
//! message gets a later timestamp than what caused it.

pub mod change_members;
pub mod compare;
mod failure;
pub mod fetch;
pub mod index_wait;
pub mod join;
pub mod propose;
pub mod read_index;
mod records;
pub mod room;
mod rpc;
pub mod status;
pub mod transfer;

pub use change_members::ChangeMembers;
pub use compare::Compare;
pub use fetch::Fetch;
pub use index_wait::IndexWait;
pub use join::Join;
pub use propose::Propose;
pub use read_index::ReadIndex;
pub use room::TellRoom;
pub use rpc::{Decode, Encode, Rpc, whole};
pub use status::Status;
pub use transfer::{PauseBalancing, Transfer};

use std::time::Duration;

use bytes::Bytes;
use dynamo_engine::codec::{
    DecodeError, check_format, get_timestamp, get_u8, get_u32, get_u64, put_timestamp, put_u64,
};
use hlc::Timestamp;
use shard_router::ShardId;

/// The first byte of every message and answer.
const FORMAT: u8 = 1;

/// The lowest kind of a service.
pub const FIRST_KIND: u8 = 32;

/// What every request to a peer begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Which service.
    pub kind: u8,
    /// On which shard.
    pub shard: ShardId,
    /// How much time the asker has left.
    pub remaining: Duration,
    /// The asker's hybrid time.
    pub clock: Timestamp,
}

impl Header {
    /// Appends the header.
    pub fn encode(&self, out: &mut Vec<u8>) {
        debug_assert!(self.kind >= FIRST_KIND, "lower kinds belong to the replicas of a group");
        out.extend_from_slice(&[FORMAT, self.kind]);
        put_u64(out, u64::from(self.shard.0));
        put_u64(out, u64::try_from(self.remaining.as_millis()).unwrap_or(u64::MAX));
        put_timestamp(out, self.clock);
    }

    /// Takes the header off the front of a request.
    ///
    /// # Errors
    /// When this program does not understand it.
    pub fn decode(input: &mut &[u8]) -> Result<Header, DecodeError> {
        check_format(input, FORMAT)?;
        let kind = get_u8(input)?;
        let shard = ShardId(get_u32(input)?);
        let remaining = Duration::from_millis(get_u64(input)?);
        Ok(Header { kind, shard, remaining, clock: get_timestamp(input)? })
    }
}

/// Whether a message is for a service, rather than for a replica.
pub fn is_service(message: &[u8]) -> bool {
    message.get(1).is_some_and(|kind| *kind >= FIRST_KIND)
}

/// The beginning of an answer.
fn begin_response(clock: Timestamp) -> Vec<u8> {
    let mut out = vec![FORMAT];
    put_timestamp(&mut out, clock);
    out
}

/// Reads a response: the answerer's hybrid time, and what it answers.
///
/// # Errors
/// When this program does not understand it.
pub fn read_response<T: Decode>(message: &Bytes) -> Result<(Timestamp, T), DecodeError> {
    let mut body = &message[..];
    check_format(&mut body, FORMAT)?;
    let clock = get_timestamp(&mut body)?;
    Ok((clock, whole(&message.slice_ref(body))?))
}

/// The message of a request.
pub fn request<R: Rpc>(header: &Header, request: &R::Request<'_>) -> Bytes {
    debug_assert_eq!(header.kind, R::KIND, "a request goes to its own service");
    let mut out = Vec::with_capacity(512);
    header.encode(&mut out);
    request.encode(&mut out);
    out.into()
}

/// The message of a response.
pub fn response<T: Encode>(clock: Timestamp, response: &T) -> Bytes {
    let mut out = begin_response(clock);
    response.encode(&mut out);
    out.into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// The number of a service, which reads these bytes as its request and as its response.
    fn kind_reading<R: Rpc>(bytes: &Bytes) -> u8 {
        let _ = (whole::<R::Received>(bytes), whole::<R::Response>(bytes));
        R::KIND
    }

    /// The numbers of all services, each of which reads these bytes.
    fn kinds_reading(bytes: &Bytes) -> [u8; 11] {
        [
            kind_reading::<ChangeMembers>(bytes),
            kind_reading::<Compare>(bytes),
            kind_reading::<Fetch>(bytes),
            kind_reading::<IndexWait>(bytes),
            kind_reading::<Join>(bytes),
            kind_reading::<PauseBalancing>(bytes),
            kind_reading::<Propose>(bytes),
            kind_reading::<ReadIndex>(bytes),
            kind_reading::<Status>(bytes),
            kind_reading::<TellRoom>(bytes),
            kind_reading::<Transfer>(bytes),
        ]
    }

    #[test]
    fn every_service_has_a_number_of_its_own() {
        let kinds = kinds_reading(&Bytes::new());
        assert_eq!(BTreeSet::from(kinds).len(), kinds.len());
        assert!(kinds.iter().all(|kind| *kind >= FIRST_KIND));
    }

    proptest! {
        /// Short numbers, so that lists and tags are often right for a while.
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(prop_oneof![0..8u8, any::<u8>()], 0..120)) {
            kinds_reading(&bytes.into());
        }
    }

    #[test]
    fn golden_bytes() {
        let header = Header {
            kind: Propose::KIND,
            shard: ShardId(300),
            remaining: Duration::from_millis(5),
            clock: Timestamp(0x0102_0304_0506_0708),
        };
        let mut out = Vec::new();
        header.encode(&mut out);
        assert_eq!(out, b"\x01\x20\xac\x02\x05\x01\x02\x03\x04\x05\x06\x07\x08");
        assert_eq!(Header::decode(&mut &out[..]), Ok(header));
        assert!(is_service(&out) && !is_service(b"\x01\x04") && !is_service(b"\x01"));
        for cut in 0..out.len() {
            assert!(Header::decode(&mut &out[..cut]).is_err(), "cut at {cut}");
        }
        assert_eq!(read_response(&response(Timestamp(7), &())), Ok((Timestamp(7), ())));
    }
}
