//! The shard's open transactions, in memory: who holds which item, and what was decided about those whose records are
//! here.

use std::collections::BTreeMap;
use std::sync::Arc;

use hlc::Timestamp;
use ordered_kv::Reader;
use shard_router::ShardId;

use super::{Decision, PreparedTransaction};
use crate::apply::Fault;
use crate::catalog::TableId;
use crate::command::TransactionId;
use crate::keyspace::{RowKey, for_each_row, intent_key, local};

/// Transactions that may be prepared on a shard at a time. More than this means that decisions do not come through;
/// further ones are told to come back.
pub const PREPARED_MAX: usize = 4096;

/// Mirrors the rows of prepared transactions, intents and decisions. Like the rest of the shard's state it is a pure
/// function of the rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Locks {
    /// By their ids.
    prepared: BTreeMap<TransactionId, Arc<PreparedTransaction>>,
    /// The holder of each locked item, by the item's key.
    holders: BTreeMap<Vec<u8>, TransactionId>,
    /// Client tokens of the prepared transactions whose records are here.
    tokens: BTreeMap<String, TransactionId>,
    /// What was decided here and is not forgotten yet.
    decisions: BTreeMap<TransactionId, Arc<Decision>>,
}

impl Locks {
    /// Reads what the shard's rows say.
    pub(in crate::apply) fn load(reader: &dyn Reader, shard: ShardId) -> Result<Locks, Fault> {
        let mut locks = Locks::default();
        for_each_row::<Fault>(reader, &local::prepared_prefix(shard), |suffix, row| {
            let prepared = PreparedTransaction::from_bytes(id_of(suffix)?, row)?;
            for key in &prepared.keys {
                if reader.get(&intent_key(key))?.is_some() {
                    locks.holders.insert(key.clone(), prepared.id);
                }
            }
            locks.tokens.extend(prepared.client_token.as_ref().map(|token| (token.token.clone(), prepared.id)));
            locks.prepared.insert(prepared.id, Arc::new(prepared));
            Ok(true)
        })?;
        for_each_row::<Fault>(reader, &local::decision_prefix(shard), |suffix, row| {
            locks.decisions.insert(id_of(suffix)?, Arc::new(Decision::from_bytes(row)?));
            Ok(true)
        })?;
        Ok(locks)
    }

    /// How many items are locked.
    pub fn count(&self) -> usize {
        self.holders.len()
    }

    /// Whether the item with this key is locked.
    pub fn is_locked(&self, item_key: &[u8]) -> bool {
        self.holders.contains_key(item_key)
    }

    /// The transactions that are prepared here, in the order of their ids.
    pub fn prepared(&self) -> impl Iterator<Item = &Arc<PreparedTransaction>> {
        self.prepared.values()
    }

    /// The decisions recorded here, in the order of their ids.
    pub fn decisions(&self) -> impl Iterator<Item = (TransactionId, &Arc<Decision>)> {
        self.decisions.iter().map(|(id, decision)| (*id, decision))
    }

    /// The timestamp of the oldest prepare that is still open.
    pub fn oldest(&self) -> Option<Timestamp> {
        self.prepared.values().map(|prepared| prepared.ts).min()
    }

    pub(super) fn is_full(&self) -> bool {
        self.prepared.len() >= PREPARED_MAX
    }

    pub(super) fn of(&self, id: TransactionId) -> Option<&Arc<PreparedTransaction>> {
        self.prepared.get(&id)
    }

    pub(super) fn decision(&self, id: TransactionId) -> Option<&Arc<Decision>> {
        self.decisions.get(&id)
    }

    /// Whether a transaction with this client token is open.
    pub(in crate::apply) fn is_token_in_progress(&self, token: &str) -> bool {
        self.tokens.contains_key(token)
    }

    pub(super) fn lock(&mut self, prepared: PreparedTransaction) {
        self.holders.extend(prepared.keys.iter().map(|key| (key.clone(), prepared.id)));
        self.tokens.extend(prepared.client_token.as_ref().map(|token| (token.token.clone(), prepared.id)));
        self.prepared.insert(prepared.id, Arc::new(prepared));
    }

    pub(super) fn unlock(&mut self, prepared: &PreparedTransaction) {
        self.prepared.remove(&prepared.id);
        for key in &prepared.keys {
            self.holders.remove(key);
        }
        if let Some(token) = &prepared.client_token {
            self.tokens.remove(&token.token);
        }
    }

    /// The items of a table that was removed from the shard are locked no more.
    pub(in crate::apply) fn drop_table(&mut self, table: TableId) {
        self.holders.retain(|key, _| RowKey::parse(key).is_ok_and(|key| key.id() != table.0));
    }

    pub(super) fn record(&mut self, id: TransactionId, decision: Decision) {
        self.decisions.insert(id, Arc::new(decision));
    }

    pub(super) fn forget(&mut self, id: TransactionId) {
        self.decisions.remove(&id);
    }
}

fn id_of(suffix: &[u8]) -> Result<TransactionId, Fault> {
    let bytes = suffix.try_into().map_err(|_| Fault::Invariant("the key of a transaction's row ends with its id"))?;
    Ok(TransactionId(u128::from_be_bytes(bytes)))
}
