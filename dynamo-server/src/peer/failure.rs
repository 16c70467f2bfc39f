//! The bytes of a shard's refusal, so that the node that asked can do what it would have done itself.

use bytes::Bytes;
use dynamo_engine::codec::{DecodeError, get_option, get_u8, get_u64, put_option, put_u64};

use super::rpc::{Decode, Encode};
use crate::shard::ShardError;

const NOT_LEADER: u8 = 1;
const UNKNOWN: u8 = 2;
const DEADLINE_PASSED: u8 = 3;
const NOT_CONFIRMED: u8 = 4;
const OVERLOADED: u8 = 5;
const DISK_FULL: u8 = 6;
const STOPPED: u8 = 7;

fn put_failure(out: &mut Vec<u8>, error: &ShardError) {
    match error {
        ShardError::NotLeader { leader } => {
            out.push(NOT_LEADER);
            put_option(out, leader.as_ref(), |out, leader| put_u64(out, *leader));
        }
        ShardError::Unknown => out.push(UNKNOWN),
        ShardError::DeadlinePassed => out.push(DEADLINE_PASSED),
        ShardError::NotConfirmed => out.push(NOT_CONFIRMED),
        ShardError::Overloaded => out.push(OVERLOADED),
        ShardError::DiskFull => out.push(DISK_FULL),
        ShardError::Stopped => out.push(STOPPED),
    }
}

fn get_failure(input: &mut &[u8]) -> Result<ShardError, DecodeError> {
    Ok(match get_u8(input)? {
        NOT_LEADER => ShardError::NotLeader { leader: get_option(input, get_u64)? },
        UNKNOWN => ShardError::Unknown,
        DEADLINE_PASSED => ShardError::DeadlinePassed,
        NOT_CONFIRMED => ShardError::NotConfirmed,
        OVERLOADED => ShardError::Overloaded,
        DISK_FULL => ShardError::DiskFull,
        STOPPED => ShardError::Stopped,
        tag => return Err(DecodeError::Tag { what: "refusal", tag }),
    })
}

impl<T: Encode> Encode for Result<T, ShardError> {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Ok(value) => {
                out.push(0);
                value.encode(out);
            }
            Err(error) => put_failure(out, error),
        }
    }
}

impl<T: Decode> Decode for Result<T, ShardError> {
    fn decode(input: &mut &[u8], message: &Bytes) -> Result<Result<T, ShardError>, DecodeError> {
        match input.first() {
            Some(0) => {
                *input = &input[1..];
                T::decode(input, message).map(Ok)
            }
            _ => get_failure(input).map(Err),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::rpc::assert_read_back;
    use super::*;

    #[test]
    fn refusals_are_read_back() {
        for error in [
            ShardError::NotLeader { leader: Some(3) },
            ShardError::NotLeader { leader: None },
            ShardError::Unknown,
            ShardError::DeadlinePassed,
            ShardError::NotConfirmed,
            ShardError::Overloaded,
            ShardError::DiskFull,
            ShardError::Stopped,
        ] {
            assert_read_back::<Result<(), ShardError>>(&Err(error));
        }
        assert_eq!(get_failure(&mut &[99][..]), Err(DecodeError::Tag { what: "refusal", tag: 99 }));
    }
}
