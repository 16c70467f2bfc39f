//! The end of the log, checked at open.
//!
//! The log store recycles its files, so recovery must stop at the first record that does not check out: a record torn
//! by a crash (harmless, nobody was told) looks like one that rotted on the disk (an acknowledged entry is gone, in
//! silence). So two durable witnesses say how far each group's log had come, and a log that ends below either of them,
//! has a gap, or holds an older vote stops the node:
//!
//! 1. the *floor*, recorded by the WAL thread beside the log every few megabytes, before a truncation and at a clean
//!    stop: last entry and vote of every group;
//! 2. the *applied index* that the state store has persisted.
//!
//! What remains undetectable: rot in the last stretch after both witnesses, at most the floor's interval, in a log
//! that was not closed cleanly. `docs/format.md` states it.
//!
//! ```text
//! floor   format (1) · n groups · (group · last log id? · vote?) …
//! ```

use std::cmp::Ordering;
use std::collections::BTreeMap;

use dynamo_engine::codec::{finish, get_list, get_option, get_u8, get_u32, put_list, put_option, put_u64};

use super::codec::{CodecError, LOG_FORMAT, get_log_id_option, get_vote, put_log_id_option, put_vote};
use super::types::{LogId, Vote};

/// How far one group's log has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupFloor {
    /// The last entry.
    pub last: Option<LogId>,
    /// The vote.
    pub vote: Option<Vote>,
}

/// How far every group's log has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Floor {
    /// By group.
    pub groups: BTreeMap<u32, GroupFloor>,
}

/// The log of a group is not what the witnesses say; the node must not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogEndError {
    /// It ends too early.
    #[error(
        "the log of shard {group} ends at index {found:?} but was known to be durable up to index {known}: \
         acknowledged writes are missing, the log is damaged"
    )]
    Ends {
        /// The group.
        group: u32,
        /// The last index in the log.
        found: Option<u64>,
        /// The last index that a witness knows.
        known: u64,
    },
    /// An entry is missing in between.
    #[error("the log of shard {group} has no entry {missing} although later ones are there: the log is damaged")]
    Gap {
        /// The group.
        group: u32,
        /// The first index that is missing.
        missing: u64,
    },
    /// The state lacks what the log has dropped because the state had it.
    #[error(
        "the state of shard {group} lacks entries that its log holds no longer (up to index {purged}): the state is lost or \
         damaged"
    )]
    State {
        /// The group.
        group: u32,
        /// The last index that was purged.
        purged: u64,
    },
    /// It has forgotten a vote.
    #[error("the log of shard {group} holds the vote {found:?} but {known} was saved: the log is damaged")]
    Vote {
        /// The group.
        group: u32,
        /// The vote in the log.
        found: Option<Vote>,
        /// The vote that the floor knows.
        known: Vote,
    },
    /// Something in it cannot be read.
    #[error("the log of shard {group} cannot be read: {reason}")]
    Unreadable {
        /// The group.
        group: u32,
        /// What is wrong.
        reason: String,
    },
}

impl Floor {
    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![LOG_FORMAT];
        let groups: Vec<(&u32, &GroupFloor)> = self.groups.iter().collect();
        put_list(&mut out, &groups, |out, (group, floor)| {
            put_u64(out, u64::from(**group));
            put_log_id_option(out, floor.last.as_ref());
            put_option(out, floor.vote.as_ref(), put_vote);
        });
        out
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// When it is cut off or of another format.
    pub fn decode(mut bytes: &[u8]) -> Result<Floor, CodecError> {
        let input = &mut bytes;
        match get_u8(input)? {
            LOG_FORMAT => {}
            other => return Err(CodecError::Format(other)),
        }
        let groups = get_list(input, |input| {
            let group = get_u32(input)?;
            let last = get_log_id_option(input)?;
            let vote = get_option(input, |input| Ok(get_vote(input)))?;
            Ok((group, last, vote))
        })?;
        finish(input)?;
        let read = |(group, last, vote): (u32, _, Option<Result<Vote, CodecError>>)| {
            Ok((group, GroupFloor { last, vote: vote.transpose()? }))
        };
        Ok(Floor { groups: groups.into_iter().map(read).collect::<Result<_, CodecError>>()? })
    }

    /// Compares what was found in the log of `group` with this floor and with the applied entry that the state store
    /// has persisted.
    ///
    /// # Errors
    /// When the log has lost something.
    pub fn check(&self, group: u32, found: &GroupFloor, applied: Option<LogId>) -> Result<(), LogEndError> {
        let known = self.groups.get(&group).copied().unwrap_or_default();
        let found_index = found.last.map(|last| last.index());
        for witness in [known.last, applied].into_iter().flatten() {
            if found_index < Some(witness.index()) {
                return Err(LogEndError::Ends { group, found: found_index, known: witness.index() });
            }
        }
        match known.vote {
            Some(vote) if !vote_covers(found.vote, vote) => {
                Err(LogEndError::Vote { group, found: found.vote, known: vote })
            }
            _ => Ok(()),
        }
    }
}

/// Whether the vote found is the known one or a later one.
fn vote_covers(found: Option<Vote>, known: Vote) -> bool {
    let order = found.and_then(|found| found.partial_cmp(&known));
    matches!(order, Some(Ordering::Equal | Ordering::Greater))
}

#[cfg(test)]
mod tests {
    use super::super::types::CommittedLeaderId;
    use super::*;

    fn at(index: u64) -> Option<LogId> {
        Some(LogId::new(CommittedLeaderId::new(2), index))
    }

    fn floor() -> Floor {
        let known = GroupFloor { last: at(10), vote: Some(Vote::new_committed(2, 1)) };
        Floor { groups: BTreeMap::from([(0, known), (3, GroupFloor::default())]) }
    }

    #[test]
    fn it_is_read_back() {
        assert_eq!(Floor::decode(&floor().encode()).unwrap(), floor());
        assert_eq!(floor().encode(), [1, 2, 0, 1, 2, 10, 1, 1, 2, 1, 1, 3, 0, 0]);
        assert!(Floor::decode(&[2]).is_err());
        assert!(Floor::decode(&[]).is_err());
    }

    #[test]
    fn losses_are_seen_and_growth_is_not() {
        let found = |last, vote| GroupFloor { last: at(last), vote: Some(vote) };
        let vote = Vote::new_committed(2, 1);
        let floor = floor();
        assert_eq!(floor.check(0, &found(10, vote), at(10)), Ok(()));
        assert_eq!(floor.check(0, &found(12, Vote::new(3, 2)), at(7)), Ok(()));
        assert!(matches!(floor.check(0, &found(9, vote), None), Err(LogEndError::Ends { known: 10, .. })));
        assert!(matches!(floor.check(0, &found(11, vote), at(12)), Err(LogEndError::Ends { known: 12, .. })));
        assert!(matches!(floor.check(0, &found(10, Vote::new(2, 1)), None), Err(LogEndError::Vote { .. })));
        assert!(matches!(floor.check(0, &found(10, Vote::new_committed(2, 9)), None), Err(LogEndError::Vote { .. })));
        assert!(matches!(floor.check(0, &GroupFloor::default(), None), Err(LogEndError::Ends { found: None, .. })));
        assert_eq!(floor.check(5, &GroupFloor::default(), None), Ok(()), "a new group");
        assert!(floor.check(5, &GroupFloor::default(), at(1)).is_err(), "state without a log");
    }
}
