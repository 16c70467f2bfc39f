//! What was decided about a transaction, as its record says.

use hlc::Timestamp;

use crate::codec::{DecodeError, Record, from_row, to_row};
use crate::command::Prepared;
use crate::record;

const FORMAT: u8 = 1;

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

    /// The bytes of the record, which has the id in its key.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        to_row(FORMAT, |out| self.encode(out))
    }

    pub(super) fn from_bytes(row: &[u8]) -> Result<Decision, DecodeError> {
        from_row(row, FORMAT, Decision::decode)
    }
}

record! {
    enum Decision: "decision" { 0x01 = Committed { at, prepares }, 0x02 = Aborted { deadline_ms } }
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
