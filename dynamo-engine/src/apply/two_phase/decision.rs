//! What was decided about a transaction, as its home records it.

use hlc::Timestamp;

use crate::codec::{DecodeError, finish, get_list, get_timestamp, get_u8, get_u64, put_list, put_timestamp, put_u64};
use crate::command::Prepared;

const FORMAT: u8 = 1;
const COMMITTED: u8 = 0x01;
const ABORTED: u8 = 0x02;

/// A decision. There is one at most for each transaction, and it never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// All of it is done.
    Committed {
        /// The timestamp of its rows.
        at: Timestamp,
        /// The prepares that belong to it.
        prepares: Vec<Prepared>,
    },
    /// None of it is done.
    Aborted {
        /// After this, in milliseconds since the epoch, no prepare is accepted, and the record may go.
        deadline_ms: u64,
    },
}

impl Decision {
    /// The commit timestamp for the prepare made at `ts` on the shard for which `is_mine` holds: `None` where it is
    /// not to be carried out.
    pub fn commit_of(&self, ts: Timestamp, is_mine: impl Fn(shard_router::Token) -> bool) -> Option<Timestamp> {
        match self {
            Decision::Committed { at, prepares } => {
                prepares.iter().any(|prepared| prepared.ts == ts && is_mine(prepared.token)).then_some(*at)
            }
            Decision::Aborted { .. } => None,
        }
    }

    /// Appends the bytes, without a format.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Decision::Committed { at, prepares } => {
                out.push(COMMITTED);
                put_timestamp(out, *at);
                put_list(out, prepares, |out, prepared| prepared.encode(out));
            }
            Decision::Aborted { deadline_ms } => {
                out.push(ABORTED);
                put_u64(out, *deadline_ms);
            }
        }
    }

    /// Reads a decision off the front of `input`.
    pub(crate) fn decode(input: &mut &[u8]) -> Result<Decision, DecodeError> {
        Ok(match get_u8(input)? {
            COMMITTED => {
                Decision::Committed { at: get_timestamp(input)?, prepares: get_list(input, Prepared::decode)? }
            }
            ABORTED => Decision::Aborted { deadline_ms: get_u64(input)? },
            tag => return Err(DecodeError::Tag { what: "decision", tag }),
        })
    }

    /// The bytes of the record, which has the id in its key.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![FORMAT];
        self.encode(&mut out);
        out
    }

    pub(super) fn from_bytes(mut row: &[u8]) -> Result<Decision, DecodeError> {
        let input = &mut row;
        match get_u8(input)? {
            FORMAT => {}
            format => return Err(DecodeError::Format(format)),
        }
        let decision = Decision::decode(input)?;
        finish(input)?;
        Ok(decision)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shard_router::Token;

    #[test]
    fn golden_bytes() {
        let prepares = vec![Prepared { token: Token(1), ts: Timestamp(2) }];
        let committed = Decision::Committed { at: Timestamp(3), prepares };
        let expected = [1, 1, 0, 0, 0, 0, 0, 0, 0, 3, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2];
        assert_eq!(committed.to_bytes(), expected);
        assert_eq!(Decision::from_bytes(&expected), Ok(committed));
        let aborted = Decision::Aborted { deadline_ms: 300 };
        assert_eq!(aborted.to_bytes(), [1, 2, 0xAC, 2]);
        assert_eq!(Decision::from_bytes(&[1, 2, 0xAC, 2]), Ok(aborted));
        assert!(Decision::from_bytes(&[1, 3]).is_err());
    }

    #[test]
    fn only_the_prepares_that_were_named_are_carried_out() {
        let prepares = vec![Prepared { token: Token(1), ts: Timestamp(2) }];
        let committed = Decision::Committed { at: Timestamp(3), prepares };
        assert_eq!(committed.commit_of(Timestamp(2), |token| token == Token(1)), Some(Timestamp(3)));
        assert_eq!(committed.commit_of(Timestamp(4), |_| true), None, "the same prepare a second time");
        assert_eq!(committed.commit_of(Timestamp(2), |_| false), None, "another shard's");
        assert_eq!(Decision::Aborted { deadline_ms: 0 }.commit_of(Timestamp(2), |_| true), None);
    }
}
