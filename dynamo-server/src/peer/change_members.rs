//! Changing the members of a group that another node leads.
//!
//! ```text
//! request   01 · node · member   |   02 · node   |   03 · node   |   04 · node · member   add, promote, remove, replace
//! member    address · incarnation
//! response  00   |   a refusal (1) · what it is about
//! ```

use dynamo_engine::record;

use super::Rpc;
use crate::raft::types::Member;
use crate::raft::{MemberChange, MembershipError};

/// The service. A change may be asked for again: what is done already stays done.
pub struct ChangeMembers;

impl Rpc for ChangeMembers {
    const KIND: u8 = 40;
    type Request<'a> = &'a MemberChange;
    type Received = MemberChange;
    type Response = Result<(), MembershipError>;
}

record! {
    enum MemberChange: "change of members" {
        1 = AddLearner { node, member }, 2 = Promote { node }, 3 = Remove { node }, 4 = Replace { node, member },
    }
    struct Member { address, incarnation }
    // 0 is none: `Result` has it.
    enum MembershipError: "refusal" {
        1 = NotLeader { leader },
        2 = NoMember(node),
        3 = OtherAddress { node, address },
        4 = NotCaughtUp(node),
        5 = LastVoter(node),
        6 = InProgress,
        7 = Unknown,
        8 = Stopped,
        9 = OtherIncarnation(node),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

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
