//! Resolve: write what was prepared, or not, and unlock.

use hlc::Timestamp;

use super::intent::Prospect;
use super::{Intent, PreparedTransaction};
use crate::apply::evaluate::{Evaluated, Next, written_bytes};
use crate::apply::{Applier, Fault, Outcome, WriteOutcome};
use crate::catalog::TableId;
use crate::command::Resolve;
use crate::keyspace::{RowKey, intent_key, local};

impl Applier<'_> {
    /// Applies a resolve. One that finds another prepare than it means, or none, changes nothing.
    pub(in crate::apply) fn resolve(&mut self, resolve: &Resolve) -> Result<Outcome, Fault> {
        let here = self.shard.locks.of(resolve.id).cloned();
        let meant = |here: &PreparedTransaction| match resolve.prepared {
            Some(ts) => here.ts == ts,
            None => resolve.commit.is_none(),
        };
        let actions = match here.filter(|here| meant(here)) {
            Some(prepared) => {
                let intents = self.intents(&prepared)?;
                self.carry_out(&prepared, intents, resolve.commit)?
            }
            None => Vec::new(),
        };
        Ok(Outcome::Resolved { actions })
    }

    /// What a prepare holds of each of its items. To be read before anything is changed: with it is known how long
    /// carrying it out takes.
    pub(super) fn intents(&self, prepared: &PreparedTransaction) -> Result<Vec<Option<Intent>>, Fault> {
        let intent = |key: &Vec<u8>| {
            let Some(row) = self.get(&intent_key(key))? else { return Ok(None) };
            if self.entry.work.is_limited() {
                let table = self.shard.tables.get(&TableId(RowKey::parse(key)?.id()));
                let new = row.len();
                // The row before is about as long, as a rule.
                self.entry.work.weigh(table.map_or(new, |table| written_bytes(table, new, new)))?;
            }
            let intent = Intent::from_bytes(&row)?;
            Ok(Some(intent).filter(|intent| intent.id == prepared.id))
        };
        prepared.keys.iter().map(intent).collect()
    }

    /// Unlocks the items of a prepare; at a commit, writes them first. One outcome for each action of the prepare, whose
    /// intents are given.
    pub(super) fn carry_out(
        &mut self,
        prepared: &PreparedTransaction,
        intents: Vec<Option<Intent>>,
        commit: Option<Timestamp>,
    ) -> Result<Vec<WriteOutcome>, Fault> {
        let mut actions = Vec::new();
        for (key, intent) in prepared.keys.iter().zip(intents) {
            if intent.is_some() {
                self.delete(intent_key(key));
            }
            if let Some(at) = commit {
                let change = intent.map_or(Prospect::Keep, |intent| intent.change);
                actions.push(self.carry_out_one(key, change, at)?);
            }
        }
        self.delete(local::prepared(self.shard.id, prepared.id.0));
        self.shard.locks.unlock(prepared);
        Ok(actions)
    }

    /// Writes one item as it was foreseen, with the transaction's timestamp, under the table's present description:
    /// indexes may have come and gone since. Where the table has gone its items went with it.
    fn carry_out_one(&mut self, key: &[u8], change: Prospect, at: Timestamp) -> Result<WriteOutcome, Fault> {
        let Some(table) = self.shard.tables.get(&TableId(RowKey::parse(key)?.id())).cloned() else {
            return Ok(WriteOutcome::default());
        };
        let next = match change {
            Prospect::Keep => Next::Same,
            Prospect::Put(body) => Next::Made(body),
            Prospect::Delete => Next::Gone,
        };
        let old = self.get(key)?;
        let ts = std::mem::replace(&mut self.entry.ts, at);
        let outcome = self.commit(&table, key, Evaluated { old, next, by_ttl: false });
        self.entry.ts = ts;
        self.lift_clock(at);
        outcome
    }

    /// A decision is never refused: the shard's clock follows it.
    fn lift_clock(&mut self, at: Timestamp) {
        self.shard.high_water = self.shard.high_water.max(at);
        self.shard.ceiling = self.shard.ceiling.max(at.next().unwrap_or(Timestamp::MAX));
    }
}
