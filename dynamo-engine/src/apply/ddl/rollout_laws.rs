//! Four shards and drivers that never agree: whatever is delivered, in whatever order, however late and however often.
//!
//! A driver looks at the system group once and tells the shards what it saw, at any later time and again and again,
//! while others do the same with what they saw. Between any two deliveries must hold:
//!
//! 1. a table that serves is installed everywhere, an active one in its last version everywhere;
//! 2. no index is ahead of itself by more than one step anywhere;
//! 3. of a table whose deletion was confirmed no shard has a row, ever again;
//! 4. the name of a table is free only then.
//!
//! And when one driver is left alone, everything comes to its end.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;

use super::twin::Twin;
use super::{DdlOutcome, apply};
use crate::catalog::{
    Catalog, DdlCommand, DdlWork, IndexId, IndexState, KeyType, MemoryCatalog, Projection, TableDescriptor, TableId,
    TablePhase, TableStep, fixture, next_ddl_step,
};
use crate::keyspace::{Space, id_prefix};

/// Shards besides the system group's own.
const OTHERS: usize = 3;

/// A driver that has looked and tells what it saw.
struct Driver {
    /// What it saw to be done.
    work: DdlWork,
    /// The shards that have done it.
    done: BTreeSet<usize>,
}

struct Cluster {
    /// The system group's shard.
    system: Twin,
    /// All other shards.
    others: Vec<Twin>,
    /// Several, as after changes of the leader.
    drivers: Vec<Driver>,
    /// Tables whose deletion was confirmed.
    gone: BTreeSet<TableId>,
    /// Every confirmation and change that a driver ever proposed: each may arrive again.
    sent: Vec<DdlCommand>,
}

impl Cluster {
    fn new() -> Cluster {
        let twin = |shard| Twin { shard, has_others: true, ..Twin::default() };
        Cluster {
            system: twin(0),
            others: (1..).map(twin).take(OTHERS).collect(),
            drivers: Vec::new(),
            gone: BTreeSet::new(),
            sent: Vec::new(),
        }
    }

    fn catalog(&self) -> MemoryCatalog {
        self.system.catalog()
    }

    /// A command to the system group.
    fn decide(&mut self, command: &DdlCommand) -> DdlOutcome {
        let outcome = apply(&mut self.system, command).expect("the twin has no faults");
        if let (DdlCommand::ConfirmUninstalled { table }, DdlOutcome::Confirmed) = (command, &outcome) {
            self.gone.insert(*table);
        }
        outcome
    }

    fn create(&mut self, name: &str) {
        let mut table = TableDescriptor::new(TableId(0), name, fixture::keys(("k", KeyType::S), None));
        let keys = fixture::keys(("g", KeyType::S), None);
        table.indexes.push(fixture::index(1, "first", false, keys, Projection::All));
        self.decide(&DdlCommand::CreateTable(Box::new(table)));
    }

    fn change(&mut self, name: &str, choice: u8) {
        let Some(table) = self.catalog().table(name) else { return };
        let step = match (choice % 3, table.index_in_work()) {
            (0, None) => {
                let keys = fixture::keys(("h", KeyType::S), None);
                TableStep::CreateIndex(fixture::index(0, &format!("i{choice}"), false, keys, Projection::All))
            }
            (1, None) => match table.indexes.last() {
                Some(index) => TableStep::AdvanceIndex { index: index.id, to: IndexState::Dropping },
                None => return,
            },
            _ => TableStep::DeletionProtection(choice.is_multiple_of(2)),
        };
        if matches!(&step, TableStep::CreateIndex(index) if table.index(&index.name).is_some()) {
            return;
        }
        let command =
            DdlCommand::ChangeTable { table: table.id, schema_version: table.schema_version, steps: vec![step] };
        self.decide(&command);
    }

    fn delete(&mut self, name: &str) {
        let Some((table, phase)) = self.catalog().described(name) else { return };
        if phase != TablePhase::Deleting {
            self.decide(&DdlCommand::DeleteTable { table: table.id, schema_version: table.schema_version });
        }
    }

    /// A new driver looks.
    fn look(&mut self, choice: u8) {
        let catalog = self.catalog();
        let unfinished = catalog.unfinished();
        if unfinished.is_empty() {
            return;
        }
        let table = unfinished[usize::from(choice) % unfinished.len()];
        let work = catalog.next_work(table).expect("there is something left to do");
        self.drivers.push(Driver { work, done: BTreeSet::new() });
    }

    /// A driver, perhaps a very old one, tells one shard, and the system group when all have done it.
    fn tell(&mut self, driver: usize, shard: usize) {
        let (command, then) = match &self.drivers[driver].work {
            DdlWork::Install { command, then, .. } | DdlWork::Uninstall { command, then, .. } => {
                (command.clone(), then)
            }
            DdlWork::Propose(then) | DdlWork::Backfill { then, .. } => {
                let then = then.clone();
                self.sent.push(then.clone());
                self.decide(&then);
                return;
            }
        };
        let then = then.clone();
        let outcome = apply(&mut self.others[shard], &command).expect("the twin has no faults");
        if outcome != DdlOutcome::Stale {
            self.fill(shard);
            self.drivers[driver].done.insert(shard);
        }
        if self.drivers[driver].done.len() == OTHERS {
            self.sent.push(then.clone());
            self.decide(&then);
        }
    }

    /// Every installed table gets rows, so that one that comes back is seen by them.
    fn fill(&mut self, shard: usize) {
        let tables: Vec<_> = self.others[shard].tables.values().cloned().collect();
        for table in tables {
            let mut key = id_prefix(Space::Rows, table.id.0);
            key.extend_from_slice(&[0x7f; 12]);
            self.others[shard].rows.insert(key, Vec::new());
        }
    }

    /// A driver that does not wait for the shards.
    fn hurry(&mut self, choice: u8) {
        let tables: Vec<_> = self.catalog().tables().cloned().collect();
        if tables.is_empty() {
            return;
        }
        let work = next_ddl_step(&tables[usize::from(choice) % tables.len()]);
        if let Some(DdlWork::Propose(then) | DdlWork::Backfill { then, .. }) = work {
            self.decide(&then);
        }
    }

    fn again(&mut self, choice: u8) {
        if !self.sent.is_empty() {
            let command = self.sent[usize::from(choice) % self.sent.len()].clone();
            self.decide(&command);
        }
    }

    /// One driver alone, that looks again after every piece.
    fn settle(&mut self) {
        for _ in 0..200 {
            self.drivers.clear();
            self.look(0);
            if self.drivers.is_empty() {
                return;
            }
            for shard in 0..OTHERS {
                self.tell(0, shard);
                self.check();
            }
        }
        panic!("the work never ends: {:?}", self.catalog());
    }

    fn check(&self) {
        for (table, phase) in self.catalog().described_tables() {
            for shard in &self.others {
                let installed = shard.tables.get(&table.id);
                if phase.serves_data() {
                    assert!(installed.is_some(), "{} serves and is not installed on {}", table.name, shard.shard);
                }
                if phase == TablePhase::Active {
                    assert_eq!(installed, Some(table), "active, and another one on {}", shard.shard);
                }
                let installed = installed.filter(|_| phase != TablePhase::Deleting);
                for index in installed.iter().flat_map(|installed| &installed.indexes) {
                    let now = table.index_by_id(index.id).map(|index| index.state);
                    assert!(is_near(index.state, now), "{:?} of {} is {now:?} already", index, table.name);
                }
            }
        }
        for table in &self.gone {
            let prefix = id_prefix(Space::Rows, table.0);
            for shard in &self.others {
                assert!(!shard.tables.contains_key(table), "{table:?} is back on {}", shard.shard);
                assert!(!shard.rows.keys().any(|key| key.starts_with(&prefix)), "rows of {table:?} on {}", shard.shard);
            }
        }
        let names: BTreeSet<String> = self.catalog().tables().map(|table| table.name.clone()).collect();
        for shard in &self.others {
            let taken = |table: &&Arc<TableDescriptor>| !names.contains(&table.name);
            assert_eq!(shard.tables.values().find(taken), None, "its name is free, and it is still installed");
        }
    }
}

/// Whether a shard may have an index in the state `here` while the system group has it in `now`.
fn is_near(here: IndexState, now: Option<IndexState>) -> bool {
    use IndexState::{Active, Backfilling, Dropping, Writing};
    match now {
        // It begins only where the index is not installed at all.
        Some(Writing) => here == Writing,
        Some(Backfilling) => matches!(here, Writing | Backfilling),
        Some(Active) => matches!(here, Backfilling | Active),
        Some(Dropping) => true,
        None => here == Dropping,
    }
}

fn names(choice: u8) -> &'static str {
    ["one", "two", "three"][usize::from(choice) % 3]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_rollout_loses_and_revives_no_table(events in proptest::collection::vec(any::<(u8, u8, u8)>(), 1..160)) {
        let mut cluster = Cluster::new();
        for (kind, first, second) in events {
            match kind % 16 {
                0 | 1 => cluster.create(names(first)),
                2 | 3 => cluster.change(names(first), second),
                4 => cluster.delete(names(first)),
                5..=7 => cluster.look(first),
                8 => cluster.again(first),
                15 => cluster.hurry(first),
                _ if cluster.drivers.is_empty() => {}
                _ => {
                    // Mostly the newest, now and then any.
                    let drivers = cluster.drivers.len();
                    let back = if kind % 16 == 9 { usize::from(first) % drivers } else { 0 };
                    cluster.tell(drivers - 1 - back, usize::from(second) % OTHERS);
                }
            }
            cluster.check();
        }
        cluster.settle();
        prop_assert!(cluster.system.rollouts.is_empty());
        for shard in &cluster.others {
            prop_assert_eq!(&shard.tables, &cluster.system.tables);
        }
        for name in ["one", "two", "three"] {
            cluster.delete(name);
        }
        cluster.settle();
        prop_assert!(cluster.catalog().tables().next().is_none());
        for shard in &cluster.others {
            prop_assert!(shard.rows.is_empty(), "{:?}", shard.rows);
        }
    }
}

/// The story behind the era: without it the last step brings the table back on a shard, for ever.
#[test]
fn a_late_installation_of_a_deleted_table_is_refused() {
    let mut cluster = Cluster::new();
    cluster.create("one");
    cluster.look(0);
    let late = Driver { work: cluster.drivers[0].work.clone(), done: BTreeSet::new() };
    (0..OTHERS).for_each(|shard| cluster.tell(0, shard));
    cluster.delete("one");
    cluster.settle();
    cluster.create("one");
    cluster.drivers.push(late);
    (0..OTHERS).for_each(|shard| cluster.tell(0, shard));
    cluster.check();
    assert!(cluster.others.iter().all(|shard| shard.tables.is_empty()));
    cluster.settle();
    let again = cluster.catalog().table("one").expect("the name was free");
    assert_eq!(again.id, TableId(3), "another table, with another index");
    assert_eq!(again.indexes[0].id, IndexId(4));
}

/// A table that lives may be refused, too, where something else was deleted meanwhile; the next look gets through.
#[test]
fn a_refused_installation_is_told_again() {
    let mut cluster = Cluster::new();
    cluster.create("old");
    cluster.settle();
    cluster.create("new");
    cluster.look(0);
    let early = Driver { work: cluster.drivers[0].work.clone(), done: BTreeSet::new() };
    cluster.delete("old");
    let old = cluster.catalog().described("old").expect("it is being deleted").0.id;
    let uninstall = cluster.catalog().next_work(old).expect("it is to be uninstalled");
    cluster.drivers = vec![Driver { work: uninstall, done: BTreeSet::new() }, early];
    cluster.tell(0, 0);
    cluster.tell(1, 0);
    assert!(cluster.drivers[1].done.is_empty(), "refused: it may be gone");
    cluster.settle();
    assert!(cluster.catalog().table("new").is_some());
}

#[test]
fn an_index_waits_for_every_shard() {
    let mut cluster = Cluster::new();
    cluster.create("one");
    cluster.settle();
    cluster.change("one", 0);
    let table = cluster.catalog().table("one").expect("it serves while it changes");
    let index = table.index_in_work().expect("it is being built").id;
    let step = |to| DdlCommand::ChangeTable {
        table: table.id,
        schema_version: table.schema_version,
        steps: vec![TableStep::AdvanceIndex { index, to }],
    };
    assert_eq!(cluster.decide(&step(IndexState::Backfilling)), DdlOutcome::Stale);
    cluster.look(0);
    (0..OTHERS - 1).for_each(|shard| cluster.tell(0, shard));
    assert_eq!(cluster.decide(&step(IndexState::Backfilling)), DdlOutcome::Stale);
    cluster.tell(0, OTHERS - 1);
    assert!(matches!(cluster.decide(&step(IndexState::Backfilling)), DdlOutcome::Changed { .. }));
}
