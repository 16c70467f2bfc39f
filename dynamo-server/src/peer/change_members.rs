//! Changing the members of a group that another node leads.
//!
//! ```text
//! request   01 · node · member   |   02 · node   |   03 · node   |   04 · node · member   add, promote, remove, replace
//! member    address · incarnation
//! response  00   |   a refusal (1) · what it is about
//! ```

use bytes::Bytes;
use dynamo_engine::codec::{DecodeError, get_option, get_str, get_u8, get_u64, put_option, put_str, put_u64};

use super::Rpc;
use super::rpc::{Decode, Encode};
use crate::raft::types::Member;
use crate::raft::{MemberChange, MembershipError};

const ADD_LEARNER: u8 = 1;
const PROMOTE: u8 = 2;
const REMOVE: u8 = 3;
const REPLACE: u8 = 4;

const DONE: u8 = 0;
const NOT_LEADER: u8 = 1;
const NO_MEMBER: u8 = 2;
const OTHER_ADDRESS: u8 = 3;
const NOT_CAUGHT_UP: u8 = 4;
const LAST_VOTER: u8 = 5;
const IN_PROGRESS: u8 = 6;
const UNKNOWN: u8 = 7;
const STOPPED: u8 = 8;
const OTHER_INCARNATION: u8 = 9;

/// The service. A change may be asked for again: what is done already stays done.
pub struct ChangeMembers;

impl Rpc for ChangeMembers {
    const KIND: u8 = 40;
    type Request<'a> = &'a MemberChange;
    type Received = MemberChange;
    type Response = Result<(), MembershipError>;
}

impl Encode for &MemberChange {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(match self {
            MemberChange::AddLearner { .. } => ADD_LEARNER,
            MemberChange::Promote { .. } => PROMOTE,
            MemberChange::Remove { .. } => REMOVE,
            MemberChange::Replace { .. } => REPLACE,
        });
        put_u64(out, self.node());
        if let MemberChange::AddLearner { member, .. } | MemberChange::Replace { member, .. } = self {
            put_str(out, &member.address);
            put_u64(out, member.incarnation);
        }
    }
}

impl Decode for MemberChange {
    fn decode(input: &mut &[u8], _message: &Bytes) -> Result<MemberChange, DecodeError> {
        let kind = get_u8(input)?;
        let node = get_u64(input)?;
        Ok(match kind {
            ADD_LEARNER => MemberChange::AddLearner { node, member: get_member(input)? },
            REPLACE => MemberChange::Replace { node, member: get_member(input)? },
            PROMOTE => MemberChange::Promote { node },
            REMOVE => MemberChange::Remove { node },
            tag => return Err(DecodeError::Tag { what: "change of members", tag }),
        })
    }
}

fn get_member(input: &mut &[u8]) -> Result<Member, DecodeError> {
    Ok(Member::new(get_str(input)?, get_u64(input)?))
}

impl Encode for Result<(), MembershipError> {
    fn encode(&self, out: &mut Vec<u8>) {
        let error = match self {
            Ok(()) => return out.push(DONE),
            Err(error) => error,
        };
        match error {
            MembershipError::NotLeader { leader } => {
                out.push(NOT_LEADER);
                put_option(out, leader.as_ref(), |out, leader| put_u64(out, *leader));
            }
            MembershipError::NoMember(node) => put_about(out, NO_MEMBER, *node),
            MembershipError::OtherAddress { node, address } => {
                put_about(out, OTHER_ADDRESS, *node);
                put_str(out, address);
            }
            MembershipError::OtherIncarnation(node) => put_about(out, OTHER_INCARNATION, *node),
            MembershipError::NotCaughtUp(node) => put_about(out, NOT_CAUGHT_UP, *node),
            MembershipError::LastVoter(node) => put_about(out, LAST_VOTER, *node),
            MembershipError::InProgress => out.push(IN_PROGRESS),
            MembershipError::Unknown => out.push(UNKNOWN),
            MembershipError::Stopped => out.push(STOPPED),
        }
    }
}

impl Decode for Result<(), MembershipError> {
    fn decode(input: &mut &[u8], _message: &Bytes) -> Result<Result<(), MembershipError>, DecodeError> {
        Ok(match get_u8(input)? {
            DONE => Ok(()),
            NOT_LEADER => Err(MembershipError::NotLeader { leader: get_option(input, get_u64)? }),
            NO_MEMBER => Err(MembershipError::NoMember(get_u64(input)?)),
            OTHER_ADDRESS => Err(MembershipError::OtherAddress { node: get_u64(input)?, address: get_str(input)? }),
            NOT_CAUGHT_UP => Err(MembershipError::NotCaughtUp(get_u64(input)?)),
            LAST_VOTER => Err(MembershipError::LastVoter(get_u64(input)?)),
            IN_PROGRESS => Err(MembershipError::InProgress),
            UNKNOWN => Err(MembershipError::Unknown),
            STOPPED => Err(MembershipError::Stopped),
            OTHER_INCARNATION => Err(MembershipError::OtherIncarnation(get_u64(input)?)),
            tag => return Err(DecodeError::Tag { what: "refusal", tag }),
        })
    }
}

fn put_about(out: &mut Vec<u8>, tag: u8, node: u64) {
    out.push(tag);
    put_u64(out, node);
}

#[cfg(test)]
mod tests {
    use super::super::rpc::{assert_read_back, bytes_of, whole};
    use super::*;

    #[test]
    fn changes_are_read_back() {
        let member = Member::new("host:1", 7);
        let add = MemberChange::AddLearner { node: 300, member: member.clone() };
        assert_eq!(bytes_of(&&add), b"\x01\xac\x02\x06host:1\x07");
        let replace = MemberChange::Replace { node: 6, member };
        for change in [add, MemberChange::Promote { node: 4 }, MemberChange::Remove { node: 5 }, replace] {
            assert_eq!(whole(&bytes_of(&&change).into()), Ok(change));
        }
        assert!(whole::<MemberChange>(&Bytes::from_static(&[9, 1])).is_err());
    }

    #[test]
    fn answers_are_read_back() {
        for answer in [
            Ok(()),
            Err(MembershipError::NotLeader { leader: Some(3) }),
            Err(MembershipError::NoMember(2)),
            Err(MembershipError::OtherAddress { node: 2, address: "elsewhere".to_owned() }),
            Err(MembershipError::OtherIncarnation(2)),
            Err(MembershipError::NotCaughtUp(2)),
            Err(MembershipError::LastVoter(2)),
            Err(MembershipError::InProgress),
            Err(MembershipError::Unknown),
            Err(MembershipError::Stopped),
        ] {
            assert_read_back(&answer);
        }
    }
}
