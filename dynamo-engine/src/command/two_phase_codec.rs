//! The bytes of the commands of a transaction across shards.
//!
//! ```text
//! prepare   id (16, BE) · home token (8, BE) · deadline ms · client token · count · write*
//! decide    id (16, BE) · verdict: 00 ask | 01 commit at (8, BE) · count · prepared* | 02 abort · deadline ms
//! prepared  token (8, BE) · timestamp (8, BE)
//! resolve   id (16, BE) · prepared (option: 8, BE) · commit (option: 8, BE)
//! forget    id (16, BE)
//! ```

use shard_router::Token;

use super::codec::{get_client_token, put_client_token, with_table};
use super::{Decide, Forget, ItemWrite, Prepare, Prepared, Resolve, TransactionId, Verdict};
use crate::codec::{
    DecodeError, get_array, get_list, get_option, get_timestamp, get_u8, get_u32, get_u64, put_list, put_option,
    put_timestamp, put_u64,
};

const ASK: u8 = 0x00;
const COMMIT: u8 = 0x01;
const ABORT: u8 = 0x02;
/// A commit under a client's token.
const COMMIT_REPLAYABLE: u8 = 0x03;

impl TransactionId {
    pub(crate) fn encode(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0.to_be_bytes());
    }

    pub(crate) fn decode(input: &mut &[u8]) -> Result<TransactionId, DecodeError> {
        Ok(TransactionId(u128::from_be_bytes(get_array(input)?)))
    }
}

impl Prepare {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        self.id.encode(out);
        put_token(out, self.home);
        put_u64(out, self.deadline_ms);
        put_client_token(out, self.client_token.as_ref());
        put_list(out, &self.actions, |out, action| action.encode(out));
    }

    pub(super) fn decode(input: &mut &[u8]) -> Result<Prepare, DecodeError> {
        let mut prepare = Prepare {
            id: TransactionId::decode(input)?,
            home: get_token(input)?,
            deadline_ms: get_u64(input)?,
            client_token: get_client_token(input)?,
            actions: get_list(input, ItemWrite::decode)?,
        };
        prepare.client_token = with_table(prepare.client_token, prepare.actions.first().map(|first| first.table));
        Ok(prepare)
    }
}

impl Decide {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        self.id.encode(out);
        match &self.verdict {
            Verdict::Ask => out.push(ASK),
            Verdict::Commit { at, prepares, reads } => {
                out.push(if reads.is_empty() { COMMIT } else { COMMIT_REPLAYABLE });
                put_timestamp(out, *at);
                put_list(out, prepares, |out, prepared| prepared.encode(out));
                if !reads.is_empty() {
                    put_list(out, reads, |out, units| put_u64(out, (*units).into()));
                }
            }
            Verdict::Abort { deadline_ms } => {
                out.push(ABORT);
                put_u64(out, *deadline_ms);
            }
        }
    }

    pub(super) fn decode(input: &mut &[u8]) -> Result<Decide, DecodeError> {
        let id = TransactionId::decode(input)?;
        let verdict = match get_u8(input)? {
            ASK => Verdict::Ask,
            tag @ (COMMIT | COMMIT_REPLAYABLE) => Verdict::Commit {
                at: get_timestamp(input)?,
                prepares: get_list(input, Prepared::decode)?,
                reads: if tag == COMMIT { Vec::new() } else { get_list(input, get_u32)? },
            },
            ABORT => Verdict::Abort { deadline_ms: get_u64(input)? },
            tag => return Err(DecodeError::Tag { what: "verdict", tag }),
        };
        Ok(Decide { id, verdict })
    }
}

impl Prepared {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_token(out, self.token);
        put_timestamp(out, self.ts);
    }

    pub(crate) fn decode(input: &mut &[u8]) -> Result<Prepared, DecodeError> {
        Ok(Prepared { token: get_token(input)?, ts: get_timestamp(input)? })
    }
}

impl Resolve {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        self.id.encode(out);
        put_option(out, self.prepared.as_ref(), |out, ts| put_timestamp(out, *ts));
        put_option(out, self.commit.as_ref(), |out, ts| put_timestamp(out, *ts));
    }

    pub(super) fn decode(input: &mut &[u8]) -> Result<Resolve, DecodeError> {
        Ok(Resolve {
            id: TransactionId::decode(input)?,
            prepared: get_option(input, get_timestamp)?,
            commit: get_option(input, get_timestamp)?,
        })
    }
}

impl Forget {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        self.id.encode(out);
    }

    pub(super) fn decode(input: &mut &[u8]) -> Result<Forget, DecodeError> {
        Ok(Forget { id: TransactionId::decode(input)? })
    }
}

pub(crate) fn put_token(out: &mut Vec<u8>, token: Token) {
    out.extend_from_slice(&token.0.to_be_bytes());
}

pub(crate) fn get_token(input: &mut &[u8]) -> Result<Token, DecodeError> {
    Ok(Token(u64::from_be_bytes(get_array(input)?)))
}
