//! The bytes of an outcome, with which the leader of a shard answers a node that proposed for a client.
//!
//! ```text
//! outcome   00 done | 01 written · write | 02 condition failed · row? | 03 invalid · text
//!           04 transacted · 00 · write* | 15 replayed · read units* | 05 cancelled · verdict* | 06 token mismatch
//!           07 rejected · 00 stale, 01 timestamp, 10 late, 11 full, 18 behind | 08 ddl · …
//!           09 backfilled · done (1) | 10 conflict | 11 in progress | 12 prepared · timestamp (8, BE) · write*
//!           13 decided · decision? · write* | 14 resolved · write* | 18 channel applied · through
//!           | 20 expired · deleted · put off
//! write     old row? · new row? · changed (1) · (index · units)* · (target · sequence)*
//! verdict   00 passed | 01 condition failed · row? | 02 invalid · text | 10 conflict
//! decision  as it is stored, without its format
//! ddl       00 created · table | 01 changed · before · after | 02 deleted · table | 03 installed · table
//!           04 uninstalled · table? | 05 exists · name | 06 stale | 07 confirmed
//! ```
//!
//! Integers are varints; rows, texts and lists carry their length. The format is that of the enclosing message.

use std::sync::Arc;

use ordered_kv::Value;

use super::ddl::DdlOutcome;
use super::two_phase::Decision;
use super::{ActionOutcome, IndexWrite, Outcome, Rejection, WriteOutcome};
use crate::catalog::{IndexId, TableDescriptor};
use crate::codec::{
    DecodeError, get_bool, get_bytes, get_list, get_option, get_str, get_timestamp, get_u8, get_u32, get_u64, put_bool,
    put_bytes, put_list, put_option, put_str, put_timestamp, put_u64,
};
use crate::outbox::OutboxPosition;

const DONE: u8 = 0;
const WRITTEN: u8 = 1;
const CONDITION_FAILED: u8 = 2;
const INVALID: u8 = 3;
const TRANSACTED: u8 = 4;
const REPLAYED: u8 = 21;
const CANCELLED: u8 = 5;
const TOKEN_MISMATCH: u8 = 6;
const REJECTED: u8 = 7;
const DDL: u8 = 8;
const BACKFILLED: u8 = 9;
const OUTBOX_APPLIED: u8 = 24;
const EXPIRED: u8 = 32;

const CONFLICT: u8 = 16;
const IN_PROGRESS: u8 = 17;
const PREPARED: u8 = 18;
const DECIDED: u8 = 19;
const RESOLVED: u8 = 20;

const STALE: u8 = 0;
const TIMESTAMP: u8 = 1;
const LATE: u8 = 16;
const FULL: u8 = 17;
const BEHIND: u8 = 24;
const CROWDED: u8 = 25;

const ACTION_PASSED: u8 = 0;
const ACTION_CONDITION_FAILED: u8 = 1;
const ACTION_INVALID: u8 = 2;
const ACTION_CONFLICT: u8 = 16;

const DDL_CREATED: u8 = 0;
const DDL_CHANGED: u8 = 1;
const DDL_DELETED: u8 = 2;
const DDL_INSTALLED: u8 = 3;
const DDL_UNINSTALLED: u8 = 4;
const DDL_TABLE_EXISTS: u8 = 5;
const DDL_STALE: u8 = 6;
const DDL_CONFIRMED: u8 = 7;

impl Outcome {
    /// Appends the outcome's bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Outcome::Done => out.push(DONE),
            Outcome::Written(write) => {
                out.push(WRITTEN);
                put_write(out, write);
            }
            Outcome::ConditionFailed { item } => {
                out.push(CONDITION_FAILED);
                put_row(out, item.as_ref());
            }
            Outcome::Invalid(text) => {
                out.push(INVALID);
                put_str(out, text);
            }
            Outcome::Transacted { actions } => {
                out.push(TRANSACTED);
                put_bool(out, false);
                put_list(out, actions, put_write);
            }
            Outcome::Replayed { reads } => {
                out.push(REPLAYED);
                put_list(out, reads, |out, units| put_u64(out, (*units).into()));
            }
            Outcome::Cancelled(verdicts) => {
                out.push(CANCELLED);
                put_list(out, verdicts, put_verdict);
            }
            Outcome::TokenMismatch => out.push(TOKEN_MISMATCH),
            Outcome::Rejected(rejection) => {
                out.push(REJECTED);
                out.push(match rejection {
                    Rejection::Stale => STALE,
                    Rejection::Timestamp => TIMESTAMP,
                    Rejection::Late => LATE,
                    Rejection::Full => FULL,
                    Rejection::Behind => BEHIND,
                    Rejection::Crowded => CROWDED,
                });
            }
            Outcome::Ddl(outcome) => {
                out.push(DDL);
                put_ddl(out, outcome);
            }
            Outcome::Backfilled { done } => {
                out.push(BACKFILLED);
                put_bool(out, *done);
            }
            Outcome::Conflict => out.push(CONFLICT),
            Outcome::InProgress => out.push(IN_PROGRESS),
            Outcome::Prepared { ts, actions } => {
                out.push(PREPARED);
                put_timestamp(out, *ts);
                put_list(out, actions, put_write);
            }
            Outcome::Decided { decision, actions } => {
                out.push(DECIDED);
                put_option(out, decision.as_ref(), |out, decision| decision.encode(out));
                put_list(out, actions, put_write);
            }
            Outcome::Resolved { actions } => {
                out.push(RESOLVED);
                put_list(out, actions, put_write);
            }
            Outcome::OutboxApplied { through } => {
                out.push(OUTBOX_APPLIED);
                put_u64(out, *through);
            }
            Outcome::Expired { deleted, put_off } => {
                out.push(EXPIRED);
                put_u64(out, u64::from(*deleted));
                put_u64(out, u64::from(*put_off));
            }
        }
    }

    /// Reads an outcome off the front of `input`.
    ///
    /// # Errors
    /// [`DecodeError`] where there is none.
    pub fn decode(input: &mut &[u8]) -> Result<Outcome, DecodeError> {
        Ok(match get_u8(input)? {
            DONE => Outcome::Done,
            WRITTEN => Outcome::Written(get_write(input)?),
            CONDITION_FAILED => Outcome::ConditionFailed { item: get_row(input)? },
            INVALID => Outcome::Invalid(get_str(input)?),
            TRANSACTED => {
                let is_replayed = get_bool(input)?;
                let actions = get_list(input, get_write)?;
                if is_replayed { Outcome::Replayed { reads: Vec::new() } } else { Outcome::Transacted { actions } }
            }
            REPLAYED => Outcome::Replayed { reads: get_list(input, get_u32)? },
            CANCELLED => Outcome::Cancelled(get_list(input, get_verdict)?),
            TOKEN_MISMATCH => Outcome::TokenMismatch,
            REJECTED => Outcome::Rejected(match get_u8(input)? {
                STALE => Rejection::Stale,
                TIMESTAMP => Rejection::Timestamp,
                LATE => Rejection::Late,
                FULL => Rejection::Full,
                BEHIND => Rejection::Behind,
                CROWDED => Rejection::Crowded,
                tag => return Err(DecodeError::Tag { what: "rejection", tag }),
            }),
            DDL => Outcome::Ddl(get_ddl(input)?),
            BACKFILLED => Outcome::Backfilled { done: get_bool(input)? },
            CONFLICT => Outcome::Conflict,
            IN_PROGRESS => Outcome::InProgress,
            PREPARED => Outcome::Prepared { ts: get_timestamp(input)?, actions: get_list(input, get_write)? },
            DECIDED => Outcome::Decided {
                decision: get_option(input, Decision::decode)?,
                actions: get_list(input, get_write)?,
            },
            RESOLVED => Outcome::Resolved { actions: get_list(input, get_write)? },
            OUTBOX_APPLIED => Outcome::OutboxApplied { through: get_u64(input)? },
            EXPIRED => Outcome::Expired { deleted: get_u32(input)?, put_off: get_u32(input)? },
            tag => return Err(DecodeError::Tag { what: "outcome", tag }),
        })
    }
}

fn put_row(out: &mut Vec<u8>, row: Option<&Value>) {
    put_option(out, row, |out, row| put_bytes(out, row));
}

fn get_row(input: &mut &[u8]) -> Result<Option<Value>, DecodeError> {
    get_option(input, |input| Ok(Value::from(get_bytes(input)?.to_vec())))
}

fn put_write(out: &mut Vec<u8>, write: &WriteOutcome) {
    put_row(out, write.old.as_ref());
    put_row(out, write.new.as_ref());
    put_bool(out, write.changed);
    put_list(out, &write.index_writes, |out, write| {
        put_u64(out, write.index.0);
        put_u64(out, u64::from(write.units));
    });
    put_list(out, &write.channels, |out, position| position.encode(out));
}

fn get_write(input: &mut &[u8]) -> Result<WriteOutcome, DecodeError> {
    let (old, new) = (get_row(input)?, get_row(input)?);
    let changed = get_bool(input)?;
    let index_writes =
        get_list(input, |input| Ok(IndexWrite { index: IndexId(get_u64(input)?), units: get_u32(input)? }))?;
    let channels = get_list(input, OutboxPosition::decode)?;
    Ok(WriteOutcome { old, new, changed, index_writes, channels })
}

fn put_verdict(out: &mut Vec<u8>, verdict: &ActionOutcome) {
    match verdict {
        ActionOutcome::Passed => out.push(ACTION_PASSED),
        ActionOutcome::Conflict => out.push(ACTION_CONFLICT),
        ActionOutcome::ConditionFailed { item } => {
            out.push(ACTION_CONDITION_FAILED);
            put_row(out, item.as_ref());
        }
        ActionOutcome::Invalid(text) => {
            out.push(ACTION_INVALID);
            put_str(out, text);
        }
    }
}

fn get_verdict(input: &mut &[u8]) -> Result<ActionOutcome, DecodeError> {
    Ok(match get_u8(input)? {
        ACTION_PASSED => ActionOutcome::Passed,
        ACTION_CONFLICT => ActionOutcome::Conflict,
        ACTION_CONDITION_FAILED => ActionOutcome::ConditionFailed { item: get_row(input)? },
        ACTION_INVALID => ActionOutcome::Invalid(get_str(input)?),
        tag => return Err(DecodeError::Tag { what: "verdict", tag }),
    })
}

fn put_ddl(out: &mut Vec<u8>, outcome: &DdlOutcome) {
    match outcome {
        DdlOutcome::Created(table) => {
            out.push(DDL_CREATED);
            table.encode(out);
        }
        DdlOutcome::Changed { before, after } => {
            out.push(DDL_CHANGED);
            before.encode(out);
            after.encode(out);
        }
        DdlOutcome::Deleted(table) => {
            out.push(DDL_DELETED);
            table.encode(out);
        }
        DdlOutcome::Installed(table) => {
            out.push(DDL_INSTALLED);
            table.encode(out);
        }
        DdlOutcome::Uninstalled(table) => {
            out.push(DDL_UNINSTALLED);
            put_option(out, table.as_ref(), |out, table| table.encode(out));
        }
        DdlOutcome::TableExists { name } => {
            out.push(DDL_TABLE_EXISTS);
            put_str(out, name);
        }
        DdlOutcome::Stale => out.push(DDL_STALE),
        DdlOutcome::Confirmed => out.push(DDL_CONFIRMED),
    }
}

fn get_ddl(input: &mut &[u8]) -> Result<DdlOutcome, DecodeError> {
    Ok(match get_u8(input)? {
        DDL_CREATED => DdlOutcome::Created(get_table(input)?),
        DDL_CHANGED => DdlOutcome::Changed { before: get_table(input)?, after: get_table(input)? },
        DDL_DELETED => DdlOutcome::Deleted(get_table(input)?),
        DDL_INSTALLED => DdlOutcome::Installed(get_table(input)?),
        DDL_UNINSTALLED => DdlOutcome::Uninstalled(get_option(input, get_table)?),
        DDL_TABLE_EXISTS => DdlOutcome::TableExists { name: get_str(input)? },
        DDL_STALE => DdlOutcome::Stale,
        DDL_CONFIRMED => DdlOutcome::Confirmed,
        tag => return Err(DecodeError::Tag { what: "catalog outcome", tag }),
    })
}

fn get_table(input: &mut &[u8]) -> Result<Arc<TableDescriptor>, DecodeError> {
    Ok(Arc::new(TableDescriptor::decode(input)?))
}

#[cfg(test)]
mod tests {
    use hlc::Timestamp;
    use shard_router::Token;

    use super::*;
    use crate::catalog::fixture;
    use crate::command::Prepared;
    use shard_router::ShardId;

    fn row(text: &str) -> Option<Value> {
        Some(Value::from(text.as_bytes().to_vec()))
    }

    fn write() -> WriteOutcome {
        let index_writes = vec![IndexWrite { index: IndexId(300), units: 2 }];
        let channels = vec![OutboxPosition { target: ShardId(3), sequence: 128 }];
        WriteOutcome { old: row("old"), new: None, changed: true, index_writes, channels }
    }

    fn committed() -> Decision {
        Decision::Committed { at: Timestamp(2), prepares: vec![Prepared { token: Token(3), ts: Timestamp(4) }] }
    }

    fn all() -> Vec<Outcome> {
        let table = Arc::new(fixture::orders());
        vec![
            Outcome::Done,
            Outcome::Written(write()),
            Outcome::ConditionFailed { item: row("met") },
            Outcome::ConditionFailed { item: None },
            Outcome::Invalid("wrong".to_owned()),
            Outcome::Transacted { actions: vec![write(), WriteOutcome::default()] },
            Outcome::Replayed { reads: vec![1, 300] },
            Outcome::Cancelled(vec![
                ActionOutcome::Passed,
                ActionOutcome::Conflict,
                ActionOutcome::ConditionFailed { item: row("met") },
                ActionOutcome::Invalid("wrong".to_owned()),
            ]),
            Outcome::TokenMismatch,
            Outcome::Rejected(Rejection::Stale),
            Outcome::Rejected(Rejection::Timestamp),
            Outcome::Rejected(Rejection::Late),
            Outcome::Rejected(Rejection::Full),
            Outcome::Rejected(Rejection::Behind),
            Outcome::Rejected(Rejection::Crowded),
            Outcome::Ddl(DdlOutcome::Created(Arc::clone(&table))),
            Outcome::Ddl(DdlOutcome::Changed { before: Arc::clone(&table), after: Arc::clone(&table) }),
            Outcome::Ddl(DdlOutcome::Deleted(Arc::clone(&table))),
            Outcome::Ddl(DdlOutcome::Installed(Arc::clone(&table))),
            Outcome::Ddl(DdlOutcome::Uninstalled(Some(table))),
            Outcome::Ddl(DdlOutcome::Uninstalled(None)),
            Outcome::Ddl(DdlOutcome::TableExists { name: "orders".to_owned() }),
            Outcome::Ddl(DdlOutcome::Stale),
            Outcome::Ddl(DdlOutcome::Confirmed),
            Outcome::Backfilled { done: true },
            Outcome::Conflict,
            Outcome::InProgress,
            Outcome::Prepared { ts: Timestamp(300), actions: vec![write()] },
            Outcome::Decided { decision: None, actions: Vec::new() },
            Outcome::Decided { decision: Some(committed()), actions: vec![write()] },
            Outcome::Decided { decision: Some(Decision::Aborted { deadline_ms: 300 }), actions: Vec::new() },
            Outcome::Resolved { actions: vec![write()] },
            Outcome::OutboxApplied { through: 300 },
            Outcome::Expired { deleted: 300, put_off: 1 },
        ]
    }

    #[test]
    fn golden_bytes() {
        let mut out = Vec::new();
        Outcome::Written(write()).encode(&mut out);
        assert_eq!(out, b"\x01\x01\x03old\x00\x01\x01\xac\x02\x02\x01\x03\x80\x01");
        let mut out = Vec::new();
        Outcome::Prepared { ts: Timestamp(300), actions: Vec::new() }.encode(&mut out);
        Outcome::Decided { decision: Some(committed()), actions: Vec::new() }.encode(&mut out);
        Outcome::Resolved { actions: Vec::new() }.encode(&mut out);
        let be = |value: u64| value.to_be_bytes();
        let expected = [&[18][..], &be(300), &[0, 19, 1, 1], &be(2), &[1], &be(3), &be(4), &[0, 20, 0]];
        assert_eq!(out, expected.concat());
    }

    #[test]
    fn outcomes_are_read_back_and_cut_ones_refused() {
        for outcome in all() {
            let mut out = Vec::new();
            outcome.encode(&mut out);
            let mut rest = &out[..];
            assert_eq!(Outcome::decode(&mut rest), Ok(outcome));
            assert!(rest.is_empty());
            for cut in 0..out.len() {
                assert!(Outcome::decode(&mut &out[..cut]).is_err(), "cut at {cut} of {out:?}");
            }
        }
    }
}
