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

use super::ddl::DdlOutcome;
use super::{ActionOutcome, IndexWrite, Outcome, Rejection, WriteOutcome};
use crate::record;

record! {
    enum Outcome: "outcome" {
        0x00 = Done,
        0x01 = Written(write),
        0x02 = ConditionFailed { item },
        0x03 = Invalid(text),
        0x04 + 0x00 = Transacted { actions },
        0x15 = Replayed { reads },
        0x05 = Cancelled(verdicts),
        0x06 = TokenMismatch,
        0x07 = Rejected(rejection),
        0x08 = Ddl(outcome),
        0x09 = Backfilled { done },
        0x10 = Conflict,
        0x11 = InProgress,
        0x12 = Prepared { ts, actions },
        0x13 = Decided { decision, actions },
        0x14 = Resolved { actions },
        0x18 = OutboxApplied { through },
        0x20 = Expired { deleted, put_off },
    }
    enum Rejection: "rejection" {
        0x00 = Stale, 0x01 = Timestamp, 0x10 = Late, 0x11 = Full, 0x18 = Behind, 0x19 = Crowded,
    }
    struct WriteOutcome { old, new, changed, index_writes, channels }
    struct IndexWrite { index, units }
    enum ActionOutcome: "verdict" {
        0x00 = Passed, 0x10 = Conflict, 0x01 = ConditionFailed { item }, 0x02 = Invalid(text),
    }
    enum DdlOutcome: "catalog outcome" {
        0x00 = Created(table),
        0x01 = Changed { before, after },
        0x02 = Deleted(table),
        0x03 = Installed(table),
        0x04 = Uninstalled(table),
        0x05 = TableExists { name },
        0x06 = Stale,
        0x07 = Confirmed,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::apply::two_phase::Decision;
    use crate::catalog::IndexId;
    use crate::codec::Record;
    use crate::outbox::OutboxPosition;
    use hlc::Timestamp;
    use ordered_kv::Value;
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
