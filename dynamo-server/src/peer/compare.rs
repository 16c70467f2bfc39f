//! Comparing a shard's replicas: telling one to take part, and asking for its digest.
//!
//! ```text
//! request   00 take part | 01 tell · comparison (8, BE)
//! response  00 takes no part | 01 on its way | 02 index · n ranges | 03 why there is no digest
//!   range     first key · rows · bytes · CRC-32 (4, BE)
//! ```

use bytes::Bytes;
use dynamo_engine::codec::{
    DecodeError, get_bytes, get_list, get_str, get_u8, get_u64, put_bytes, put_list, put_str, put_u64,
};

use super::Rpc;
use super::rpc::{Decode, Encode};
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

impl Encode for CompareRequest {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.question as u8);
        out.extend_from_slice(&self.comparison.to_be_bytes());
    }
}

impl Decode for CompareRequest {
    fn decode(input: &mut &[u8], _message: &Bytes) -> Result<CompareRequest, DecodeError> {
        let question = match get_u8(input)? {
            0 => Question::Arm,
            1 => Question::Tell,
            tag => return Err(DecodeError::Tag { what: "question about replicas", tag }),
        };
        Ok(CompareRequest { question, comparison: u64::from_be_bytes(get_array(input)?) })
    }
}

impl Encode for Progress {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Progress::Absent => out.push(0),
            Progress::Pending => out.push(1),
            Progress::Done(Ok(digest)) => {
                out.push(2);
                put_u64(out, digest.index);
                put_list(out, &digest.ranges, put_range);
            }
            Progress::Done(Err(reason)) => {
                out.push(3);
                put_str(out, reason);
            }
        }
    }
}

impl Decode for Progress {
    fn decode(input: &mut &[u8], _message: &Bytes) -> Result<Progress, DecodeError> {
        Ok(match get_u8(input)? {
            0 => Progress::Absent,
            1 => Progress::Pending,
            2 => Progress::Done(Ok(Digest { index: get_u64(input)?, ranges: get_list(input, get_range)? })),
            3 => Progress::Done(Err(get_str(input)?)),
            tag => return Err(DecodeError::Tag { what: "answer about replicas", tag }),
        })
    }
}

fn put_range(out: &mut Vec<u8>, range: &RangeDigest) {
    put_bytes(out, &range.start);
    put_u64(out, range.rows);
    put_u64(out, range.bytes);
    out.extend_from_slice(&range.crc.to_be_bytes());
}

fn get_range(input: &mut &[u8]) -> Result<RangeDigest, DecodeError> {
    Ok(RangeDigest {
        start: get_bytes(input)?.to_vec(),
        rows: get_u64(input)?,
        bytes: get_u64(input)?,
        crc: u32::from_be_bytes(get_array(input)?),
    })
}

fn get_array<const N: usize>(input: &mut &[u8]) -> Result<[u8; N], DecodeError> {
    let (array, rest) = input.split_first_chunk::<N>().ok_or(DecodeError::Truncated)?;
    *input = rest;
    Ok(*array)
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
