//! What is left to do about a table: a pure function of the replicated catalog.
//!
//! A driver proposes the work piece by piece until there is none. It keeps no state of its own, so one that starts after
//! a crash, or on another node, finds the same work again, and two of them do no harm: every piece names the version
//! or the era that it was made for.

use std::sync::Arc;

use crate::catalog::{DdlCommand, IndexId, IndexState, MemoryCatalog, TableDescriptor, TableId, TablePhase, TableStep};

/// One piece of work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DdlWork {
    /// Have every other shard install the table, then propose the confirmation to the system group.
    Install {
        /// What each shard is told.
        command: DdlCommand,
        /// The table in the command.
        table: Arc<TableDescriptor>,
        /// What the system group is told when all have done it.
        then: DdlCommand,
    },
    /// Have every other shard forget the table and its rows, then propose the confirmation to the system group.
    Uninstall {
        /// What each shard is told.
        command: DdlCommand,
        /// The table, as it was last.
        table: Arc<TableDescriptor>,
        /// The era in the command.
        era: u64,
        /// What the system group is told when all have done it.
        then: DdlCommand,
    },
    /// Propose this command to the system group.
    Propose(DdlCommand),
    /// Propose backfill steps for this index to every shard until each answers that nothing is left, then the command
    /// to the system group.
    Backfill {
        /// The table.
        table: TableId,
        /// The version to plan the steps for.
        schema_version: u32,
        /// The index to fill.
        index: IndexId,
        /// What ends the backfill.
        then: DdlCommand,
    },
}

impl MemoryCatalog {
    /// The next piece of work about the table `id`, where this is the system group's catalog; `None` when the table is
    /// as it was asked to be, or gone. What is on its way goes first: an index takes a step only when every shard has
    /// the one before.
    pub fn next_work(&self, id: TableId) -> Option<DdlWork> {
        let (table, phase) = self.described_by_id(id)?;
        let (era, schema_version) = (self.era(), table.schema_version);
        match phase {
            TablePhase::Active => next_ddl_step(&table),
            // Before the shards are told: they need to hear only how it ends.
            TablePhase::Changing if !table.pending.is_empty() => next_ddl_step(&table),
            TablePhase::Creating | TablePhase::Changing => Some(DdlWork::Install {
                command: DdlCommand::Install { era, table: Box::new(TableDescriptor::clone(&table)) },
                table,
                then: DdlCommand::ConfirmInstalled { table: id, schema_version },
            }),
            TablePhase::Deleting => Some(DdlWork::Uninstall {
                command: DdlCommand::Uninstall { era, table: id },
                table,
                era,
                then: DdlCommand::ConfirmUninstalled { table: id },
            }),
        }
    }

    /// The tables about which something is left to do, by id.
    pub fn unfinished(&self) -> Vec<TableId> {
        let is_unfinished = |(table, phase): (&Arc<TableDescriptor>, TablePhase)| {
            (phase != TablePhase::Active || !table.is_settled()).then_some(table.id)
        };
        let mut tables: Vec<TableId> = self.described_tables().filter_map(is_unfinished).collect();
        tables.sort_unstable();
        tables
    }
}

/// The end of what is pending about `table` or, where nothing is, the next step of one of its indexes; `None` when all
/// are active. An index's step may be made once every shard has the table's version.
pub fn next_ddl_step(table: &TableDescriptor) -> Option<DdlWork> {
    let change =
        |step| DdlCommand::ChangeTable { table: table.id, schema_version: table.schema_version, steps: vec![step] };
    if !table.pending.is_empty() {
        return Some(DdlWork::Propose(change(TableStep::Finish)));
    }
    let index = table.index_in_work()?;
    let advance = |to| change(TableStep::AdvanceIndex { index: index.id, to });
    Some(match index.state {
        IndexState::Writing => DdlWork::Propose(advance(IndexState::Backfilling)),
        IndexState::Backfilling => DdlWork::Backfill {
            table: table.id,
            schema_version: table.schema_version,
            index: index.id,
            then: advance(IndexState::Active),
        },
        IndexState::Dropping => DdlWork::Propose(change(TableStep::RemoveIndex { index: index.id })),
        IndexState::Active => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{TableClass, fixture};

    #[test]
    fn work_follows_the_state() {
        let mut table = fixture::orders();
        assert_eq!(next_ddl_step(&table), None);
        let index = table.indexes[1].id;
        let change = |step| DdlCommand::ChangeTable { table: TableId(7), schema_version: 3, steps: vec![step] };
        table.indexes[1].state = IndexState::Writing;
        let to_backfilling = change(TableStep::AdvanceIndex { index, to: IndexState::Backfilling });
        assert_eq!(next_ddl_step(&table), Some(DdlWork::Propose(to_backfilling)));
        table.indexes[1].state = IndexState::Backfilling;
        let then = change(TableStep::AdvanceIndex { index, to: IndexState::Active });
        assert_eq!(
            next_ddl_step(&table),
            Some(DdlWork::Backfill { table: TableId(7), schema_version: 3, index, then })
        );
        table.indexes[1].state = IndexState::Dropping;
        assert_eq!(next_ddl_step(&table), Some(DdlWork::Propose(change(TableStep::RemoveIndex { index }))));
    }

    #[test]
    fn pending_settings_are_finished_before_indexes() {
        let mut catalog = MemoryCatalog::default();
        let mut table = fixture::orders();
        table.pending.push(TableStep::BillingAgain);
        table.indexes[1].state = IndexState::Writing;
        catalog.insert(Arc::new(table.clone()), TablePhase::Active);
        assert_eq!(catalog.unfinished(), [table.id]);
        assert!(matches!(
            catalog.next_work(table.id),
            Some(DdlWork::Propose(DdlCommand::ChangeTable { steps, .. })) if steps == [TableStep::Finish]
        ));
        let mut next_id = 100;
        assert!(table.step(&TableStep::Finish, 1, &mut next_id));
        assert!(table.pending.is_empty() && !table.is_settled());
    }

    #[test]
    fn rollouts_come_before_other_work() {
        let mut table = fixture::orders();
        table.indexes[1].state = IndexState::Writing;
        let id = table.id;
        let in_phase = |phase| {
            let mut catalog = MemoryCatalog::of_era(4);
            catalog.insert(Arc::new(table.clone()), phase);
            catalog
        };
        assert!(matches!(in_phase(TablePhase::Active).next_work(id), Some(DdlWork::Propose(_))));
        for phase in [TablePhase::Creating, TablePhase::Changing] {
            let work = in_phase(phase).next_work(id);
            let then = DdlCommand::ConfirmInstalled { table: id, schema_version: 3 };
            let command = DdlCommand::Install { era: 4, table: Box::new(table.clone()) };
            assert_eq!(work, Some(DdlWork::Install { command, table: Arc::new(table.clone()), then }));
        }
        table.pending.push(TableStep::Class(TableClass::Standard));
        let in_phase = |phase| {
            let mut catalog = MemoryCatalog::of_era(4);
            catalog.insert(Arc::new(table.clone()), phase);
            catalog
        };
        for phase in [TablePhase::Active, TablePhase::Changing] {
            let steps = vec![TableStep::Finish];
            let finish = DdlCommand::ChangeTable { table: id, schema_version: 3, steps };
            assert_eq!(in_phase(phase).next_work(id), Some(DdlWork::Propose(finish)), "{phase:?}");
        }
        let work = in_phase(TablePhase::Deleting).next_work(id);
        assert!(matches!(work, Some(DdlWork::Uninstall { era: 4, .. })), "{work:?}");
        assert_eq!(in_phase(TablePhase::Deleting).next_work(TableId(99)), None);
        assert_eq!(in_phase(TablePhase::Active).unfinished(), [id]);
        let mut done = MemoryCatalog::default();
        done.insert(Arc::new(fixture::orders()), TablePhase::Active);
        assert_eq!(done.unfinished(), []);
    }
}
