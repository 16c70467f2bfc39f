//! The bytes of the commands of a transaction across shards.
//!
//! ```text
//! prepare   id (16, BE) · record token (8, BE) · deadline ms · client token · count · write*
//! decide    id (16, BE) · verdict: 00 ask | 01 commit at (8, BE) · count · prepared* | 02 abort · deadline ms
//! prepared  token (8, BE) · timestamp (8, BE)
//! resolve   id (16, BE) · prepared (option: 8, BE) · commit (option: 8, BE)
//! forget    id (16, BE)
//! ```

use super::codec::with_table;
use super::{Decide, Forget, Prepare, Prepared, Resolve, TransactionId, Verdict};
use crate::codec::{DecodeError, Record, get_u8};
use crate::record;

const ASK: u8 = 0x00;
const COMMIT: u8 = 0x01;
const ABORT: u8 = 0x02;
/// A commit under a client's token.
const COMMIT_REPLAYABLE: u8 = 0x03;

record! {
    struct TransactionId(number);
    struct Prepare { id, record_token, deadline_ms, client_token, actions } then with_table
    struct Decide { id, verdict }
    struct Prepared { token, ts }
    struct Resolve { id, prepared, commit }
    struct Forget { id }
}

impl Prepare {
    fn with_table(self) -> Result<Self, DecodeError> {
        let first = self.actions.first().map(|first| first.table);
        Ok(Prepare { client_token: with_table(self.client_token, first), ..self })
    }
}

impl Record for Verdict {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Verdict::Ask => out.push(ASK),
            Verdict::Commit { at, prepares, reads } => {
                out.push(if reads.is_empty() { COMMIT } else { COMMIT_REPLAYABLE });
                at.encode(out);
                prepares.encode(out);
                if !reads.is_empty() {
                    reads.encode(out);
                }
            }
            Verdict::Abort { deadline_ms } => {
                out.push(ABORT);
                deadline_ms.encode(out);
            }
        }
    }

    fn decode(input: &mut &[u8]) -> Result<Verdict, DecodeError> {
        Ok(match get_u8(input)? {
            ASK => Verdict::Ask,
            tag @ (COMMIT | COMMIT_REPLAYABLE) => Verdict::Commit {
                at: Record::decode(input)?,
                prepares: Record::decode(input)?,
                reads: if tag == COMMIT { Vec::new() } else { Record::decode(input)? },
            },
            ABORT => Verdict::Abort { deadline_ms: Record::decode(input)? },
            tag => return Err(DecodeError::Tag { what: "verdict", tag }),
        })
    }
}
