//! Comparing a shard's replicas: telling one to take part, and asking for its digest.
//!
//! ```text
//! request   00 take part | 01 tell · comparison (8, BE)
//! response  00 takes no part | 01 on its way | 02 index · n ranges | 03 why there is no digest
//!   range     first key · rows · bytes · CRC-32 (4, BE)
//! ```

use dynamo_engine::codec::{DecodeError, Record, get_u8};
use dynamo_engine::record;

use super::Rpc;
use crate::raft::{Digest, Progress, RangeDigest};

/// What a replica is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// To take part.
    Arm,
    /// Where it stands.
    Tell,
}

/// What a replica is asked about which comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompareRequest {
    /// What.
    pub question: Question,
    /// The comparison's number, drawn by the leader.
    pub comparison: u64,
}

/// The service.
pub struct Compare;

impl Rpc for Compare {
    const KIND: u8 = 49;
    type Request<'a> = CompareRequest;
    type Received = CompareRequest;
    type Response = Progress;
}

record! {
    enum Question: "question about replicas" { 0 = Arm, 1 = Tell }
    struct CompareRequest { question, comparison be }
    struct Digest { index, ranges }
    struct RangeDigest { start, rows, bytes, crc be }
}

impl Record for Progress {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Progress::Absent => out.push(0),
            Progress::Pending => out.push(1),
            Progress::Done(Ok(digest)) => {
                out.push(2);
                digest.encode(out);
            }
            Progress::Done(Err(reason)) => {
                out.push(3);
                reason.encode(out);
            }
        }
    }

    fn decode(input: &mut &[u8]) -> Result<Progress, DecodeError> {
        Ok(match get_u8(input)? {
            0 => Progress::Absent,
            1 => Progress::Pending,
            2 => Progress::Done(Ok(Record::decode(input)?)),
            3 => Progress::Done(Err(Record::decode(input)?)),
            tag => return Err(DecodeError::Tag { what: "answer about replicas", tag }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::rpc::assert_read_back;
    use super::*;

    #[test]
    fn questions_and_answers_are_read_back() {
        for question in [Question::Arm, Question::Tell] {
            assert_read_back(&CompareRequest { question, comparison: 1 << 40 });
        }
        let range = RangeDigest { start: b"\x10key".to_vec(), rows: 3, bytes: 300, crc: 0xfeed_beef };
        for progress in [
            Progress::Absent,
            Progress::Pending,
            Progress::Done(Ok(Digest { index: 120, ranges: vec![range.clone(), range] })),
            Progress::Done(Err("the disk".to_owned())),
        ] {
            assert_read_back(&progress);
        }
    }
}
