//! Changing the members of a group that another node leads.
//!
//! ```text
//! request   01 · node · member   |   02 · node   |   03 · node   |   04 · node · member   add, promote, remove, replace
//! member    address · incarnation
//! response  00   |   a refusal (1) · what it is about
//! ```

use bytes::Bytes;
use dynamo_engine::codec::{DecodeError, finish, get_option, get_str, get_u8, get_u64, put_option, put_str, put_u64};

use super::{Header, response};
use crate::env::Env;
use crate::node::Node;
use crate::raft::types::Member;
use crate::raft::{MemberChange, MembershipError};
use crate::shard::Deadline;

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

/// The body of a request.
pub fn encode(change: &MemberChange) -> Vec<u8> {
    let mut out = Vec::new();
    out.push(match change {
        MemberChange::AddLearner { .. } => ADD_LEARNER,
        MemberChange::Promote { .. } => PROMOTE,
        MemberChange::Remove { .. } => REMOVE,
        MemberChange::Replace { .. } => REPLACE,
    });
    put_u64(&mut out, change.node());
    if let MemberChange::AddLearner { member, .. } | MemberChange::Replace { member, .. } = change {
        put_str(&mut out, &member.address);
        put_u64(&mut out, member.incarnation);
    }
    out
}

/// Reads the answer.
///
/// # Errors
/// When this program does not understand it.
pub fn decode(mut body: &[u8]) -> Result<Result<(), MembershipError>, DecodeError> {
    let input = &mut body;
    let result = match get_u8(input)? {
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
    };
    finish(input)?;
    Ok(result)
}

/// Does what a peer asks.
///
/// # Errors
/// When this program does not understand it.
pub async fn serve<E: Env>(node: &Node<E>, header: Header, mut body: &[u8]) -> Result<Bytes, DecodeError> {
    let change = get_change(&mut body)?;
    finish(body)?;
    let result = match node.shard(header.shard) {
        Ok(shard) => node.change_members_here(shard, &change, Deadline::after::<E>(header.remaining)).await,
        Err(_) => Err(MembershipError::Stopped),
    };
    Ok(response(node.clock_reading(), |out| put_answer(out, &result)))
}

fn get_change(input: &mut &[u8]) -> Result<MemberChange, DecodeError> {
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

fn get_member(input: &mut &[u8]) -> Result<Member, DecodeError> {
    Ok(Member::new(get_str(input)?, get_u64(input)?))
}

fn put_answer(out: &mut Vec<u8>, result: &Result<(), MembershipError>) {
    let error = match result {
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

fn put_about(out: &mut Vec<u8>, tag: u8, node: u64) {
    out.push(tag);
    put_u64(out, node);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_read_back() {
        let member = Member::new("host:1", 7);
        let add = MemberChange::AddLearner { node: 300, member: member.clone() };
        assert_eq!(encode(&add), b"\x01\xac\x02\x06host:1\x07");
        let replace = MemberChange::Replace { node: 6, member };
        for change in [add, MemberChange::Promote { node: 4 }, MemberChange::Remove { node: 5 }, replace] {
            assert_eq!(get_change(&mut &encode(&change)[..]), Ok(change));
        }
        assert!(get_change(&mut &[9, 1][..]).is_err());
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
            let mut out = Vec::new();
            put_answer(&mut out, &answer);
            assert_eq!(decode(&out), Ok(answer));
        }
    }
}
