//! The types whose binary form is the same here as everywhere: what one `record!` declares, or what is written by hand as
//! a [`Record`].

use bytes::Bytes;
use dynamo_engine::apply::Outcome;
use dynamo_engine::codec::{DecodeError, Record};
use dynamo_engine::command::Command;
use dynamo_engine::outbox::OutboxPosition;

use super::compare::CompareRequest;
use super::join::{JoinRequest, Joined};
use super::room::Room;
use super::rpc::{Decode, Encode};
use super::status::NodeStatus;
use crate::raft::{MemberChange, Progress};

macro_rules! of_records {
    ($($record:ty),+ $(,)?) => {$(
        impl Encode for $record {
            fn encode(&self, out: &mut Vec<u8>) {
                Record::encode(self, out);
            }
        }

        impl Decode for $record {
            fn decode(input: &mut &[u8], _message: &Bytes) -> Result<$record, DecodeError> {
                Record::decode(input)
            }
        }
    )+};
}

of_records! {
    u64, Command, Outcome, OutboxPosition, CompareRequest, JoinRequest, Joined, MemberChange, NodeStatus, Progress, Room,
}
