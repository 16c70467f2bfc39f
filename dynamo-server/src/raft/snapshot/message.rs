//! The messages that carry a snapshot from a leader to a replica.
//!
//! ```text
//! request   format (1) · kind (1) · group · crc32 of the rest (4, little endian) · vote · transfer · body
//!   begin     last log id · membership · n ranges (start · end) …
//!   chunk     number · rows: (key · value) …            the number of the first chunk is 0
//!   end       number of chunks · number of rows
//! answer    format (1) · tag (1) · next chunk | vote | refusal (1)
//! ```
//!
//! Each request carries its own checksum: what is installed is never compared with anything else, so a bit that flipped
//! on the way, or in the memory of either node, would stay for ever.

use bytes::Bytes;
use dynamo_engine::codec::{finish, get_bytes, get_list, get_u8, get_u64, put_bytes, put_list, put_u64};
use dynamo_engine::keyspace::RowRange;

use super::incoming::{get_range, put_range};
use crate::raft::codec::{
    CodecError, LOG_FORMAT, get_log_id_option, get_stored_membership, get_vote, put_log_id_option,
    put_stored_membership, put_vote,
};
use crate::raft::types::{LogId, SnapshotMeta, Vote};

pub(in crate::raft) const KIND_BEGIN: u8 = 5;
pub(in crate::raft) const KIND_CHUNK: u8 = 6;
pub(in crate::raft) const KIND_END: u8 = 7;

const ANSWER_NEXT: u8 = 0;
const ANSWER_DONE: u8 = 1;
const ANSWER_REFUSED: u8 = 2;

/// One message of a transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotMessage {
    /// The vote of the leader that sends.
    pub vote: Vote,
    /// Which transfer; drawn by the sender.
    pub transfer: u64,
    /// What it says.
    pub part: SnapshotPart,
}

/// What a message of a transfer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnapshotPart {
    /// A transfer begins.
    Begin {
        /// Up to where the snapshot goes.
        meta: SnapshotMeta,
        /// Every range in which it may have rows, in order.
        ranges: Vec<RowRange>,
    },
    /// Some rows.
    Chunk {
        /// Which chunk.
        number: u64,
        /// Keys and values, each with its length, in the order of the keys.
        rows: Bytes,
    },
    /// That was all.
    End {
        /// How many chunks there were.
        chunks: u64,
        /// How many rows there were in them.
        rows: u64,
    },
}

/// What a replica answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnapshotAnswer {
    /// Everything before this chunk is there.
    Next(u64),
    /// The snapshot is installed, or not needed any more; or this newer vote forbids it.
    Done(Vote),
    /// Not so.
    Refused(Refusal),
}

/// Why a replica refuses a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such transfer, any more at least.
    #[error("the transfer is not known there")]
    Transfer = 1,
    /// The bytes are not those that were sent.
    #[error("the checksum of a chunk does not fit")]
    Checksum = 2,
    /// Rows out of order, outside of the announced ranges, or fewer than there should be.
    #[error("the content is no snapshot")]
    Content = 3,
    /// Something before this is not done yet. Ask again.
    #[error("the replica is busy with it")]
    Busy = 4,
    /// The disk there.
    #[error("the replica cannot store it")]
    Store = 5,
}

const REFUSALS: [Refusal; 5] = [Refusal::Transfer, Refusal::Checksum, Refusal::Content, Refusal::Busy, Refusal::Store];

impl SnapshotMessage {
    /// Up to where the snapshot goes, where this message says it: the first one of a transfer.
    pub(in crate::raft) fn last_log_id(&self) -> Option<Option<LogId>> {
        match &self.part {
            SnapshotPart::Begin { meta, .. } => Some(meta.last_log_id),
            SnapshotPart::Chunk { .. } | SnapshotPart::End { .. } => None,
        }
    }

    pub(in crate::raft) fn kind(&self) -> u8 {
        match self.part {
            SnapshotPart::Begin { .. } => KIND_BEGIN,
            SnapshotPart::Chunk { .. } => KIND_CHUNK,
            SnapshotPart::End { .. } => KIND_END,
        }
    }

    /// Appends what follows the group.
    pub(in crate::raft) fn put(&self, out: &mut Vec<u8>) {
        let checksum_at = out.len();
        out.extend([0; 4]);
        put_vote(out, &self.vote);
        put_u64(out, self.transfer);
        match &self.part {
            SnapshotPart::Begin { meta, ranges } => {
                put_log_id_option(out, meta.last_log_id.as_ref());
                put_stored_membership(out, &meta.last_membership);
                put_list(out, ranges, put_range);
            }
            SnapshotPart::Chunk { number, rows } => {
                put_u64(out, *number);
                put_bytes(out, rows);
            }
            SnapshotPart::End { chunks, rows } => {
                put_u64(out, *chunks);
                put_u64(out, *rows);
            }
        }
        let checksum = crc32fast::hash(&out[checksum_at + 4..]);
        out[checksum_at..checksum_at + 4].copy_from_slice(&checksum.to_le_bytes());
    }

    /// Reads what follows the group, to the end. The rows share the allocation of `whole`.
    pub(in crate::raft) fn get(kind: u8, whole: &Bytes, input: &mut &[u8]) -> Result<SnapshotMessage, CodecError> {
        let (checksum, body) = input.split_first_chunk().ok_or_else(|| CodecError::Malformed("cut off".to_owned()))?;
        if crc32fast::hash(body) != u32::from_le_bytes(*checksum) {
            return Err(CodecError::Checksum);
        }
        *input = body;
        let vote = get_vote(input)?;
        let transfer = get_u64(input)?;
        let part = match kind {
            KIND_BEGIN => {
                let last_log_id = get_log_id_option(input)?;
                let last_membership = get_stored_membership(input)?;
                let ranges = get_list(input, get_range)?;
                SnapshotPart::Begin { meta: SnapshotMeta { last_log_id, last_membership }, ranges }
            }
            KIND_CHUNK => {
                let number = get_u64(input)?;
                SnapshotPart::Chunk { number, rows: whole.slice_ref(get_bytes(input)?) }
            }
            KIND_END => SnapshotPart::End { chunks: get_u64(input)?, rows: get_u64(input)? },
            other => return Err(CodecError::Kind(other)),
        };
        Ok(SnapshotMessage { vote, transfer, part })
    }
}

impl SnapshotAnswer {
    /// The bytes of the answer.
    pub fn encode(&self) -> Bytes {
        let mut out = vec![LOG_FORMAT];
        match self {
            SnapshotAnswer::Next(number) => {
                out.push(ANSWER_NEXT);
                put_u64(&mut out, *number);
            }
            SnapshotAnswer::Done(vote) => {
                out.push(ANSWER_DONE);
                put_vote(&mut out, vote);
            }
            SnapshotAnswer::Refused(refusal) => out.extend([ANSWER_REFUSED, *refusal as u8]),
        }
        out.into()
    }

    /// Reads the answer.
    ///
    /// # Errors
    /// When this program does not understand it.
    pub fn decode(mut bytes: &[u8]) -> Result<SnapshotAnswer, CodecError> {
        let input = &mut bytes;
        match get_u8(input)? {
            LOG_FORMAT => {}
            other => return Err(CodecError::Format(other)),
        }
        let answer = match get_u8(input)? {
            ANSWER_NEXT => SnapshotAnswer::Next(get_u64(input)?),
            ANSWER_DONE => SnapshotAnswer::Done(get_vote(input)?),
            ANSWER_REFUSED => {
                let code = get_u8(input)?;
                let known = REFUSALS.into_iter().find(|refusal| *refusal as u8 == code);
                SnapshotAnswer::Refused(known.ok_or(CodecError::Kind(code))?)
            }
            other => return Err(CodecError::Kind(other)),
        };
        finish(input)?;
        Ok(answer)
    }
}

/// Appends one row to the rows of a chunk.
pub(in crate::raft) fn put_row(out: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    put_bytes(out, key);
    put_bytes(out, value);
}

/// Takes one row from the rows of a chunk.
pub(in crate::raft) fn get_row<'a>(rows: &mut &'a [u8]) -> Result<(&'a [u8], &'a [u8]), CodecError> {
    Ok((get_bytes(rows)?, get_bytes(rows)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::TokioEnv;
    use crate::raft::transport::message::{self, Message};
    use crate::raft::types::{CommittedLeaderId, LogId, StoredMembership};

    fn message(part: SnapshotPart) -> SnapshotMessage {
        SnapshotMessage { vote: Vote::new_committed(3, 1), transfer: 7, part }
    }

    fn messages() -> [SnapshotMessage; 3] {
        let mut rows = Vec::new();
        put_row(&mut rows, b"k", b"v");
        let meta = SnapshotMeta {
            last_log_id: Some(LogId::new(CommittedLeaderId::new(3), 9)),
            last_membership: StoredMembership::default(),
        };
        let ranges = vec![RowRange { start: b"a".to_vec(), end: b"z".to_vec() }];
        [
            message(SnapshotPart::Begin { meta, ranges }),
            message(SnapshotPart::Chunk { number: 2, rows: rows.into() }),
            message(SnapshotPart::End { chunks: 3, rows: 4 }),
        ]
    }

    #[test]
    fn golden_bytes() {
        let [_, chunk, _] = messages();
        let bytes = message::encode::<TokioEnv>(9, &Message::Snapshot(chunk));
        assert_eq!(&bytes[..3], b"\x01\x06\x09");
        assert_eq!(&bytes[7..], b"\x01\x03\x01\x01\x07\x02\x04\x01k\x01v");
        assert_eq!(message::group_of(&bytes), Ok(9));
    }

    #[test]
    fn messages_are_read_back_and_any_flipped_bit_is_noticed() {
        for sent in messages() {
            let bytes = message::encode::<TokioEnv>(9, &Message::Snapshot(sent.clone()));
            let (_, read) = message::decode::<TokioEnv>(&bytes).unwrap();
            assert!(matches!(read, Message::Snapshot(read) if read == sent));
            for at in 7..bytes.len() {
                let mut damaged = bytes.to_vec();
                damaged[at] ^= 0x08;
                let refused = message::decode::<TokioEnv>(&damaged.into()).err();
                assert_eq!(refused, Some(CodecError::Checksum), "byte {at}");
            }
        }
    }

    #[test]
    fn answers_are_read_back() {
        let refusals = REFUSALS.map(SnapshotAnswer::Refused);
        let answers = [SnapshotAnswer::Next(300), SnapshotAnswer::Done(Vote::new(4, 2))];
        for answer in answers.into_iter().chain(refusals) {
            assert_eq!(SnapshotAnswer::decode(&answer.encode()).unwrap(), answer);
        }
        assert!(SnapshotAnswer::decode(&[LOG_FORMAT, ANSWER_REFUSED, 99]).is_err());
    }
}
