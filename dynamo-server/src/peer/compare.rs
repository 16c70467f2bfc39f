//! Comparing a shard's replicas: telling one to take part, and asking for its digest.
//!
//! ```text
//! request   00 take part | 01 tell · comparison (8, BE)
//! response  00 takes no part | 01 on its way | 02 index · n ranges | 03 why there is no digest
//!   range     first key · rows · bytes · CRC-32 (4, BE)
//! ```

use bytes::Bytes;
use dynamo_engine::codec::{
    DecodeError, finish, get_bytes, get_list, get_str, get_u8, get_u64, put_bytes, put_list, put_str, put_u64,
};

use super::{Header, response};
use crate::env::Env;
use crate::node::Node;
use crate::raft::{Digest, Progress, RangeDigest};

/// What a replica is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// To take part.
    Arm,
    /// Where it stands.
    Tell,
}

/// The body of a request.
pub fn encode(question: Question, id: u64) -> Vec<u8> {
    let mut out = vec![question as u8];
    out.extend_from_slice(&id.to_be_bytes());
    out
}

fn decode_question(mut body: &[u8]) -> Result<(Question, u64), DecodeError> {
    let input = &mut body;
    let question = match get_u8(input)? {
        0 => Question::Arm,
        1 => Question::Tell,
        tag => return Err(DecodeError::Tag { what: "question about replicas", tag }),
    };
    let id = u64::from_be_bytes(get_array(input)?);
    finish(input)?;
    Ok((question, id))
}

/// Reads the answer.
///
/// # Errors
/// When this program does not understand it.
pub fn decode(mut body: &[u8]) -> Result<Progress, DecodeError> {
    let input = &mut body;
    let progress = match get_u8(input)? {
        0 => Progress::Absent,
        1 => Progress::Pending,
        2 => Progress::Done(Ok(Digest { index: get_u64(input)?, ranges: get_list(input, get_range)? })),
        3 => Progress::Done(Err(get_str(input)?)),
        tag => return Err(DecodeError::Tag { what: "answer about replicas", tag }),
    };
    finish(input)?;
    Ok(progress)
}

/// Does what a peer asks.
///
/// # Errors
/// When this program does not understand it.
pub async fn serve<E: Env>(node: &Node<E>, header: Header, body: &[u8]) -> Result<Bytes, DecodeError> {
    let (question, id) = decode_question(body)?;
    let progress = node.take_part(header.shard, question, id);
    Ok(response(node.clock_reading(), |out| put_progress(out, &progress)))
}

fn put_progress(out: &mut Vec<u8>, progress: &Progress) {
    match progress {
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
    use super::*;

    #[test]
    fn questions_and_answers_are_read_back() {
        for question in [Question::Arm, Question::Tell] {
            let bytes = encode(question, 1 << 40);
            assert_eq!(decode_question(&bytes), Ok((question, 1 << 40)));
            assert!((0..bytes.len()).all(|cut| decode_question(&bytes[..cut]).is_err()));
        }
        let range = RangeDigest { start: b"\x10key".to_vec(), rows: 3, bytes: 300, crc: 0xfeed_beef };
        for progress in [
            Progress::Absent,
            Progress::Pending,
            Progress::Done(Ok(Digest { index: 120, ranges: vec![range.clone(), range] })),
            Progress::Done(Err("the disk".to_owned())),
        ] {
            let mut bytes = Vec::new();
            put_progress(&mut bytes, &progress);
            assert_eq!(decode(&bytes), Ok(progress));
            assert!((0..bytes.len()).all(|cut| decode(&bytes[..cut]).is_err()));
        }
    }
}
