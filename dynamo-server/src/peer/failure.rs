//! The bytes of an answer or a refusal, so that the node that asked can do what it would have done itself.

use bytes::Bytes;
use dynamo_engine::codec::{DecodeError, Record};

use super::rpc::{Decode, Encode};
use crate::shard::ShardError;

// 0 is none: `Result` has it.
dynamo_engine::record! {
    enum ShardError: "refusal" {
        1 = NotLeader { leader },
        2 = Unknown,
        3 = DeadlinePassed,
        4 = NotConfirmed,
        5 = Overloaded,
        6 = DiskFull,
        7 = Stopped,
    }
}

impl<T: Encode, E: Record> Encode for Result<T, E> {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Ok(value) => {
                out.push(0);
                value.encode(out);
            }
            Err(error) => error.encode(out),
        }
    }
}

impl<T: Decode, E: Record> Decode for Result<T, E> {
    fn decode(input: &mut &[u8], message: &Bytes) -> Result<Result<T, E>, DecodeError> {
        match input.first() {
            Some(0) => {
                *input = &input[1..];
                T::decode(input, message).map(Ok)
            }
            _ => E::decode(input).map(Err),
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
        assert_eq!(ShardError::decode(&mut &[99][..]), Err(DecodeError::Tag { what: "refusal", tag: 99 }));
    }
}
