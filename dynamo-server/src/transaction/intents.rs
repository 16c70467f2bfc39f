//! Intents in the way of a read: waited for, then looked up at the record shard, then aborted if undecided.
//!
//! As a rule they are decided and carried out within a round or two, so the read waits first. Then it asks the record
//! shard: the coordinator may be gone with the decision recorded. And past a bound it records ABORT itself, so that
//! nobody can hold up readers for long. Plain reads never answer a conflict.

use std::sync::Arc;
use std::time::Duration;

use dynamo_engine::apply::two_phase::PreparedTransaction;
use dynamo_engine::keyspace::{RowKey, Space};
use dynamo_engine::read::remote::RowRange;

use super::Transactions;
use crate::env::Env;
use crate::raft::Published;
use crate::router::ATTEMPT_MAX;
use crate::shard::{Deadline, Shard, ShardError};

/// How long a read waits before it asks the record shard: some rounds of a healthy cluster.
const ASK_AFTER: Duration = Duration::from_millis(100);

/// How long a read leaves a transaction undecided. Also a read for another node must come so far, and that node gives
/// up an attempt after [`ATTEMPT_MAX`] and begins anew.
const ABORT_AFTER: Duration = Duration::from_millis(700);

const _: () = assert!(
    ABORT_AFTER.as_millis() + 2 * ASK_AFTER.as_millis() < ATTEMPT_MAX.as_millis(),
    "a read for another node would be given up before it may end what it waits for"
);

/// Which intents hold a read up: those on what it is about to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IntentFilter<'a> {
    /// These items, by their whole row keys.
    Keys(&'a [Vec<u8>]),
    /// The rows of these ranges, each of one space. Rows of a local index are held with their items; rows of a global
    /// index, which may lag, never are.
    Ranges(&'a [RowRange]),
}

impl IntentFilter<'_> {
    /// Whether the item with this row key belongs to what is read.
    fn touches(&self, item_key: &[u8]) -> bool {
        match self {
            IntentFilter::Keys(keys) => keys.iter().any(|key| key == item_key),
            IntentFilter::Ranges(ranges) => ranges.iter().any(|range| touches_range(range, item_key)),
        }
    }
}

fn touches_range(RowRange { start, end }: &RowRange, item_key: &[u8]) -> bool {
    match start.first() {
        Some(space) if *space == Space::LocalIndex as u8 => token_lies_in(item_key, start, end),
        Some(space) if *space == Space::GlobalIndex as u8 => false,
        _ => item_key >= &start[..] && (end.is_empty() || item_key < &end[..]),
    }
}

/// An index row has its item's token: compared by it alone, so an item of another table may seem to be meant, which
/// only costs waiting.
fn token_lies_in(item_key: &[u8], start: &[u8], end: &[u8]) -> bool {
    let token = |key: &[u8]| RowKey::parse(key).map(|key| key.token()).ok();
    let Some(item) = token(item_key) else { return false };
    token(start).is_none_or(|first| first <= item) && token(end).is_none_or(|last| item <= last)
}

impl<E: Env> Transactions<E> {
    /// Waits until no prepared transaction of `shard`, as it is applied here, holds anything of what is to be read.
    /// To be called after the shard was confirmed and before the view is taken. One atomic load while there are no
    /// locks.
    ///
    /// # Errors
    /// When a transaction can neither be waited for nor settled in time.
    pub(crate) async fn wait_for_intents(
        &self,
        shard: &Arc<Shard<E>>,
        what: &IntentFilter<'_>,
        deadline: Deadline,
    ) -> Result<(), ShardError> {
        let published = shard.group().published();
        if published.locks() == 0 || !super::failpoint::locks_are_kept() {
            return Ok(());
        }
        let began_ns = E::monotonic_ns();
        loop {
            let seen = published.applied_next();
            let holders = holders(published, what);
            if holders.is_empty() {
                return Ok(());
            }
            if deadline.is_over::<E>() {
                return Err(ShardError::NotConfirmed);
            }
            let waited = Duration::from_nanos(E::monotonic_ns().saturating_sub(began_ns));
            if waited >= ASK_AFTER {
                self.settle_all(shard, &holders, waited >= ABORT_AFTER, deadline).await;
            }
            // Until the next entry is applied; and not for ever, since the next look may do more.
            let patience = deadline.remaining::<E>().min(ASK_AFTER);
            E::timeout(patience, published.wait_applied(seen)).await;
        }
    }

    async fn settle_all(
        &self,
        shard: &Arc<Shard<E>>,
        holders: &[Arc<PreparedTransaction>],
        abort: bool,
        deadline: Deadline,
    ) {
        for holder in holders {
            if let Err(error) = self.records.settle(shard, holder, abort, deadline).await {
                tracing::debug!(shard = shard.id().0, %error, "a transaction cannot be settled yet");
            }
        }
    }
}

fn holders(published: &Published, what: &IntentFilter<'_>) -> Vec<Arc<PreparedTransaction>> {
    let open = published.transactions();
    let is_meant = |prepared: &&Arc<PreparedTransaction>| prepared.keys.iter().any(|key| what.touches(key));
    open.prepared.iter().filter(is_meant).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use dynamo_engine::keyspace::{KeyPart, local_index_key, row_key, successor};

    fn range(start: &[u8], end: &[u8]) -> RowRange {
        RowRange { start: start.to_vec(), end: end.to_vec() }
    }

    #[test]
    fn a_lock_is_met_by_whoever_reads_its_item() {
        let item = row_key(1, &[KeyPart::S("p")], &[KeyPart::S("b")]);
        let other = row_key(1, &[KeyPart::S("p")], &[KeyPart::S("c")]);
        assert!(IntentFilter::Keys(std::slice::from_ref(&item)).touches(&item));
        assert!(!IntentFilter::Keys(std::slice::from_ref(&other)).touches(&item));
        let partition = row_key(1, &[KeyPart::S("p")], &[]);
        assert!(IntentFilter::Ranges(&[range(&partition, &successor(&partition))]).touches(&item));
        assert!(IntentFilter::Ranges(&[range(&partition, &[])]).touches(&item));
        assert!(!IntentFilter::Ranges(&[range(&other, &successor(&partition))]).touches(&item));
        assert!(!IntentFilter::Ranges(&[range(&partition, &item)]).touches(&item));
        let token = RowKey::parse(&item).unwrap().token();
        let index = local_index_key(9, token, &[KeyPart::S("p")], &[], &[]);
        assert!(IntentFilter::Ranges(&[range(&index, &successor(&index))]).touches(&item), "a row of a local index");
        let elsewhere = row_key(1, &[KeyPart::S("q")], &[]);
        assert!(!IntentFilter::Ranges(&[range(&index, &successor(&index))]).touches(&elsewhere));
        let mut global = index.clone();
        global[0] = Space::GlobalIndex as u8;
        assert!(!IntentFilter::Ranges(&[range(&global, &[])]).touches(&item));
    }
}
