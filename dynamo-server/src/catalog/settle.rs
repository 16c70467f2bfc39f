//! Changes of the catalog as clients make them: decided, then waited for.
//!
//! The reply to a change waits until the change is through everywhere and visible on this node, so that on a healthy
//! cluster a table is active when CreateTable has answered and gone when DeleteTable has, as on a single shard. The
//! wait is bounded: where a shard is sick the reply comes all the same, and DescribeTable says what is still under way.

use std::time::Duration;

use dynamo_engine::apply::ddl::DdlOutcome;
use dynamo_engine::apply::{Outcome, Rejection};
use dynamo_engine::catalog::{Catalog as _, DdlCommand, MemoryCatalog, TablePhase};
use dynamo_engine::command::Command;

use super::Catalog;
use crate::env::Env;
use crate::shard::{Deadline, ShardError};

/// How long a reply waits at most. Two rounds over all shards take some milliseconds; an election takes longer than
/// anybody wants to wait for a reply.
const WAIT_MAX: Duration = Duration::from_secs(2);

impl<E: Env> Catalog<E> {
    /// Proposes a change of the catalog to the system group and, when it went through, waits until every shard has it,
    /// for a while.
    ///
    /// # Errors
    /// As [`Router::propose_to`](crate::router::Router::propose_to).
    pub(crate) async fn change(&self, command: DdlCommand, deadline: Deadline) -> Result<DdlOutcome, ShardError> {
        match self.router.propose_to(self.router.system(), Command::Ddl(command), deadline).await? {
            Outcome::Ddl(outcome) => {
                self.wait_settled(&outcome, deadline).await;
                Ok(outcome)
            }
            Outcome::Rejected(Rejection::Stale) => Ok(DdlOutcome::Stale),
            _ => Err(ShardError::Unknown),
        }
    }

    /// Some of the request's time is left for the reply.
    async fn wait_settled(&self, outcome: &DdlOutcome, deadline: Deadline) {
        let published = self.router.system().group().published();
        let mut changes = published.catalog_changes();
        let wait = async {
            while !is_settled(outcome, &published.catalog()) {
                if changes.changed().await.is_err() {
                    return;
                }
            }
        };
        E::timeout(WAIT_MAX.min(deadline.remaining::<E>() / 2), wait).await;
    }
}

/// Whether `catalog`, the system group's on this node, shows that all shards have what was decided. An index that is
/// added counts as soon as every write maintains it; that it is filled takes as long as the table is large.
fn is_settled(outcome: &DdlOutcome, catalog: &MemoryCatalog) -> bool {
    let (DdlOutcome::Created(table) | DdlOutcome::Changed { after: table, .. } | DdlOutcome::Deleted(table)) = outcome
    else {
        return true;
    };
    let is_deleted = matches!(outcome, DdlOutcome::Deleted(_));
    match catalog.described(&table.name) {
        None => is_deleted,
        // This node has not heard of it yet.
        Some((found, _)) if found.id < table.id => false,
        Some((found, phase)) if found.id == table.id && phase != TablePhase::Deleting => {
            // What is pending ends with one more version.
            let expected = table.schema_version + u32::from(!table.pending.is_empty());
            let is_newer = found.schema_version > expected;
            let is_everywhere = found.schema_version == expected && phase == TablePhase::Active;
            !is_deleted && (is_newer || is_everywhere) && !found.is_updating()
        }
        Some((found, _)) if found.id == table.id => !is_deleted,
        // Another table was created under the name, so this one is gone.
        Some(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use dynamo_engine::catalog::{KeyAttribute, KeySchema, KeyType, TableDescriptor, TableId, TableStep};

    use super::*;

    fn table(id: u64, schema_version: u32) -> Arc<TableDescriptor> {
        let key = KeyAttribute { name: "id".to_owned(), kind: KeyType::S };
        let keys = KeySchema { partition: vec![key], sort: Vec::new() };
        Arc::new(TableDescriptor { schema_version, ..TableDescriptor::new(TableId(id), "table", keys) })
    }

    fn catalog(id: u64, schema_version: u32, phase: TablePhase) -> MemoryCatalog {
        let mut catalog = MemoryCatalog::default();
        catalog.insert(table(id, schema_version), phase);
        catalog
    }

    #[test]
    fn replies_wait_for_the_rollout_of_their_change() {
        use TablePhase::{Active, Changing, Creating, Deleting};
        let created = DdlOutcome::Created(table(5, 1));
        let changed = DdlOutcome::Changed { before: table(5, 1), after: table(5, 2) };
        let deleted = DdlOutcome::Deleted(table(5, 2));
        for (catalog, settled) in [
            (MemoryCatalog::default(), [false, false, true]),
            (catalog(3, 1, Deleting), [false, false, false]),
            (catalog(5, 1, Creating), [false, false, false]),
            (catalog(5, 1, Active), [true, false, false]),
            (catalog(5, 2, Changing), [true, false, false]),
            (catalog(5, 2, Active), [true, true, false]),
            (catalog(5, 3, Changing), [true, true, false]),
            (catalog(5, 2, Deleting), [true, true, false]),
            (catalog(7, 1, Creating), [true, true, true]),
        ] {
            let found = [&created, &changed, &deleted].map(|outcome| is_settled(outcome, &catalog));
            assert_eq!(found, settled, "{catalog:?}");
        }
    }

    #[test]
    fn pending_changes_are_waited_for() {
        use TablePhase::{Active, Changing};
        let mut begun = TableDescriptor::clone(&table(5, 2));
        begun.pending.push(TableStep::BillingAgain);
        let begun = Arc::new(begun);
        let changed = DdlOutcome::Changed { before: table(5, 1), after: Arc::clone(&begun) };
        let mut here = MemoryCatalog::default();
        here.insert(begun, Active);
        assert!(!is_settled(&changed, &here));
        assert!(!is_settled(&changed, &catalog(5, 3, Changing)));
        assert!(is_settled(&changed, &catalog(5, 3, Active)));
        assert!(is_settled(&changed, &catalog(5, 4, Changing)));
    }
}
