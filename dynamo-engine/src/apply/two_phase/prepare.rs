//! Prepare: evaluate, lock.

use std::sync::Arc;

use ordered_kv::Value;

use super::intent::Prospect;
use super::{Intent, PreparedTransaction};
use crate::apply::evaluate::{Evaluated, Next, Refusal};
use crate::apply::transact::cancelled;
use crate::apply::{Applier, Fault, Outcome, Rejection, WriteOutcome};
use crate::catalog::TableDescriptor;
use crate::command::{ItemWrite, Prepare};
use crate::item::stored;
use crate::keyspace::{intent_key, local};

impl Applier<'_> {
    /// Applies a prepare.
    pub(in crate::apply) fn prepare(&mut self, prepare: &Prepare) -> Result<Outcome, Fault> {
        if self.is_late(prepare) {
            return Ok(Outcome::Rejected(Rejection::Late));
        }
        let tables = match self.planned_all(&prepare.actions) {
            Ok(tables) => tables,
            Err(rejection) => return Ok(Outcome::Rejected(rejection)),
        };
        let token = prepare.client_token.as_ref();
        // A record shard without items has no other sign that the plan is outdated.
        if token.is_some_and(|token| !self.shard.tables.contains_key(&token.table)) {
            return Ok(Outcome::Rejected(Rejection::Stale));
        }
        if let Some(outcome) = self.known_token(token)? {
            return Ok(outcome);
        }
        if self.shard.locks.is_full() {
            return Ok(Outcome::Rejected(Rejection::Full));
        }
        let verdicts = self.evaluate_all(&tables, &prepare.actions)?;
        if verdicts.iter().any(Result::is_err) {
            return Ok(Outcome::Cancelled(cancelled(verdicts)));
        }
        // Here and not later: what is decided is carried out, however full the outbox is by then.
        if self.is_any_behind(&tables, &prepare.actions, &verdicts)? {
            return Ok(Outcome::Rejected(Rejection::Behind));
        }
        let evaluated = prepare.actions.iter().zip(verdicts.into_iter().flatten());
        let actions = evaluated.map(|(action, evaluated)| self.hold(prepare, action, evaluated)).collect();
        self.open(prepare);
        Ok(Outcome::Prepared { ts: self.entry.ts, actions })
    }

    /// Whether nothing may come of this prepare any more, or it came before.
    fn is_late(&self, prepare: &Prepare) -> bool {
        let locks = &self.shard.locks;
        self.entry.ts.physical_ms() > prepare.deadline_ms
            || locks.of(prepare.id).is_some()
            || locks.decision(prepare.id).is_some()
    }

    /// The verdict on every action; a locked item is a conflict and is not looked at.
    pub(in crate::apply) fn evaluate_all<'w>(
        &self,
        tables: &[Arc<TableDescriptor>],
        actions: &'w [ItemWrite],
    ) -> Result<Vec<Result<Evaluated<'w>, Refusal>>, Fault> {
        self.entry.work.counted(|steps| {
            let evaluate = |(table, action): (&Arc<TableDescriptor>, &'w ItemWrite)| {
                if self.shard.locks.is_locked(&action.key) {
                    return Ok(Err(Refusal::Conflict));
                }
                self.evaluate(table, action, steps)
            };
            tables.iter().zip(actions).map(evaluate).collect()
        })
    }

    /// Locks one item, and says what a commit would do to it.
    fn hold(&mut self, prepare: &Prepare, action: &ItemWrite, evaluated: Evaluated<'_>) -> WriteOutcome {
        let Evaluated { old, next, by_ttl: _ } = evaluated;
        let (change, new) = match next {
            Next::Same => (Prospect::Keep, old.clone()),
            Next::Given(body) => (Prospect::Put(body.clone()), Some(Value::from(stored(body, self.entry.ts)))),
            Next::Made(body) => {
                let new = Value::from(stored(&body, self.entry.ts));
                (Prospect::Put(body), Some(new))
            }
            Next::Gone => (Prospect::Delete, None),
        };
        self.entry.work.hold(new.as_ref());
        let changed = change != Prospect::Keep;
        let intent = Intent { id: prepare.id, record_token: prepare.record_token, change };
        self.put(intent_key(&action.key), intent.to_bytes());
        WriteOutcome { old, new, changed, ..WriteOutcome::default() }
    }

    fn open(&mut self, prepare: &Prepare) {
        let prepared = PreparedTransaction {
            id: prepare.id,
            record_token: prepare.record_token,
            ts: self.entry.ts,
            deadline_ms: prepare.deadline_ms,
            client_token: prepare.client_token.clone(),
            keys: prepare.actions.iter().map(|action| action.key.clone()).collect(),
        };
        self.put(local::prepared(self.shard.id, prepare.id.0), prepared.to_bytes());
        self.shard.locks.lock(prepared);
    }
}
