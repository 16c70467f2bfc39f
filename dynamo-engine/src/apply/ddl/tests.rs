//! Catalog commands over the twin.

use std::sync::Arc;

use super::twin::Twin;
use super::{DdlOutcome, apply};
use crate::catalog::{
    Catalog, DdlCommand, DdlWork, IndexId, IndexState, KeyType, Projection, TableDescriptor, TableId, TableStep,
    fixture, next_ddl_step,
};
use crate::keyspace::{Space, id_prefix, local, system};
use shard_router::ShardId;

fn run(twin: &mut Twin, command: &DdlCommand) -> DdlOutcome {
    apply(twin, command).expect("the twin has no faults")
}

/// As a plan makes it: relative ids, no times.
fn planned(name: &str) -> TableDescriptor {
    let mut table = fixture::orders();
    table.id = TableId(0);
    table.name = name.to_owned();
    table.uuid = String::new();
    table.created_ms = 0;
    for (id, index) in (1..).zip(&mut table.indexes) {
        index.id = IndexId(id);
    }
    table
}

fn create(twin: &mut Twin, name: &str) -> Arc<TableDescriptor> {
    twin.now_ms += 10;
    match run(twin, &DdlCommand::CreateTable(Box::new(planned(name)))) {
        DdlOutcome::Created(table) => table,
        other => panic!("not created: {other:?}"),
    }
}

/// Gives every space of the table a row.
fn fill(twin: &mut Twin, table: &TableDescriptor) {
    let spaces = [Space::Rows, Space::TtlQueue, Space::Tokens].map(|space| (space, table.id.0));
    let indexes = table
        .indexes
        .iter()
        .map(|index| (if index.local { Space::LocalIndex } else { Space::GlobalIndex }, index.id.0));
    for (space, id) in spaces.into_iter().chain(indexes) {
        let mut key = id_prefix(space, id);
        key.extend_from_slice(&[0x7f; 12]);
        twin.rows.insert(key, Vec::new());
        twin.rows.insert(local::stats(ShardId(twin.shard), id), Vec::new());
    }
}

#[test]
fn a_table_is_written_twice_and_gets_fresh_ids() {
    let mut twin = Twin { now_ms: 1_000, ..Twin::default() };
    let first = create(&mut twin, "first");
    let second = create(&mut twin, "second");
    assert_eq!((first.id, first.indexes[0].id, first.indexes[1].id), (TableId(1), IndexId(2), IndexId(3)));
    assert_eq!((second.id, second.indexes[0].id), (TableId(4), IndexId(5)));
    assert_eq!((first.created_ms, second.created_ms), (1_010, 1_020));
    assert_eq!(first.stream.map(|stream| stream.since_ms), Some(1_010));
    assert_ne!(first.uuid, second.uuid);
    assert_eq!(twin.rows[&system::table("first")], first.to_bytes());
    assert_eq!(twin.rows[&local::installed(ShardId(0), 1)], first.to_bytes());
}

#[test]
fn a_name_is_taken_until_its_table_is_deleted() {
    let mut twin = Twin::default();
    let first = create(&mut twin, "orders");
    let again = DdlCommand::CreateTable(Box::new(planned("orders")));
    assert_eq!(run(&mut twin, &again), DdlOutcome::TableExists { name: "orders".to_owned() });
    let delete = DdlCommand::DeleteTable { table: first.id, schema_version: 1 };
    assert_eq!(run(&mut twin, &delete), DdlOutcome::Deleted(Arc::clone(&first)));
    assert_eq!(run(&mut twin, &delete), DdlOutcome::Stale);
    let second = create(&mut twin, "orders");
    assert_ne!(second.id, first.id, "a table that is created again is another table");
}

#[test]
fn deleting_leaves_nothing_of_the_table_and_everything_of_the_others() {
    let mut twin = Twin::default();
    let kept = create(&mut twin, "kept");
    fill(&mut twin, &kept);
    let before = twin.rows.clone();
    let gone = create(&mut twin, "gone");
    fill(&mut twin, &gone);
    run(&mut twin, &DdlCommand::DeleteTable { table: gone.id, schema_version: 1 });
    let counter = system::next_id();
    twin.rows.remove(&counter);
    let mut before = before;
    before.remove(&counter);
    let stream = gone.stream_id().unwrap();
    assert_eq!(twin.catalog().stream(stream).map(|stream| stream.table_name), Some("gone".to_owned()));
    let forget = DdlCommand::ForgetStream { stream };
    assert_eq!(run(&mut twin, &forget), DdlOutcome::Confirmed);
    assert_eq!(run(&mut twin, &forget), DdlOutcome::Stale);
    assert_eq!(twin.rows, before, "only the counter has moved");
}

#[test]
fn a_change_is_made_only_on_the_version_it_was_planned_for() {
    let mut twin = Twin::default();
    let table = create(&mut twin, "orders");
    let protect = |schema_version, on| DdlCommand::ChangeTable {
        table: table.id,
        schema_version,
        steps: vec![TableStep::DeletionProtection(on)],
    };
    let changed = run(&mut twin, &protect(1, false));
    let DdlOutcome::Changed { before, after } = &changed else { panic!("not changed: {changed:?}") };
    assert_eq!((before.schema_version, after.schema_version), (1, 2));
    assert!(!after.deletion_protection);
    assert_eq!(twin.rows[&system::table("orders")], after.to_bytes());
    assert_eq!(run(&mut twin, &protect(1, true)), DdlOutcome::Stale);
    let stale_delete = DdlCommand::DeleteTable { table: table.id, schema_version: 1 };
    assert_eq!(run(&mut twin, &stale_delete), DdlOutcome::Stale);
}

#[test]
fn a_change_is_made_whole_or_not_at_all() {
    let mut twin = Twin::default();
    let table = create(&mut twin, "orders");
    let before = twin.rows.clone();
    let steps = vec![
        TableStep::Untag { key: "team".to_owned() },
        TableStep::AdvanceIndex { index: IndexId(99), to: IndexState::Dropping },
    ];
    let change = DdlCommand::ChangeTable { table: table.id, schema_version: 1, steps };
    assert_eq!(run(&mut twin, &change), DdlOutcome::Stale);
    assert_eq!(twin.rows, before);
}

/// What the server's driver does, without the server; answers the states that an index went through.
fn drive(twin: &mut Twin, id: TableId) -> Vec<String> {
    let mut states = Vec::new();
    for _ in 0..10 {
        let Some(work) = next_ddl_step(&twin.tables[&id]) else { return states };
        let command = match work {
            DdlWork::Propose(command) => command,
            DdlWork::Backfill { then, .. } => then,
            other => panic!("there are no other shards: {other:?}"),
        };
        run(twin, &command);
        let states_now: Vec<String> =
            twin.tables[&id].indexes.iter().map(|index| format!("{} {:?}", index.name, index.state)).collect();
        states.push(states_now.join(", "));
    }
    panic!("the work about a table never ends");
}

#[test]
fn an_index_is_built_and_dropped_by_the_driver() {
    let mut twin = Twin::default();
    let table = create(&mut twin, "orders");
    let index = fixture::index(0, "new", false, fixture::keys(("digest", KeyType::B), None), Projection::All);
    let steps = vec![TableStep::CreateIndex(index)];
    run(&mut twin, &DdlCommand::ChangeTable { table: table.id, schema_version: 1, steps });
    let new = twin.tables[&table.id].index("new").unwrap().id;
    assert_eq!(new, IndexId(4));
    assert_eq!(
        drive(&mut twin, table.id),
        ["by_digest Active, by_state Active, new Backfilling", "by_digest Active, by_state Active, new Active"]
    );
    let built = Arc::clone(&twin.tables[&table.id]);
    fill(&mut twin, &built);
    let rows = twin.rows.len();
    let steps = vec![TableStep::AdvanceIndex { index: new, to: IndexState::Dropping }];
    run(&mut twin, &DdlCommand::ChangeTable { table: table.id, schema_version: built.schema_version, steps });
    assert_eq!(drive(&mut twin, table.id), ["by_digest Active, by_state Active"]);
    assert_eq!(twin.rows.len(), rows - 2, "one index row and one row of statistics");
    let later = create(&mut twin, "later");
    assert_eq!(later.id, TableId(5), "ids are not used twice");
}

#[test]
fn another_shard_installs_what_the_system_group_decided() {
    let mut system = Twin { has_others: true, ..Twin::default() };
    let mut shard = Twin { shard: 1, has_others: true, ..Twin::default() };
    let table = create(&mut system, "orders");
    let install = |table: &TableDescriptor| DdlCommand::Install { era: 0, table: Box::new(table.clone()) };
    run(&mut shard, &install(&table));
    assert_eq!(shard.tables, system.tables);
    assert!(shard.rollouts.is_empty());
    fill(&mut shard, &table);
    let mut without_index = (*table).clone();
    without_index.schema_version = 5;
    without_index.indexes.truncate(1);
    let rows = shard.rows.len();
    run(&mut shard, &install(&without_index));
    assert_eq!(shard.rows.len(), rows - 2, "the rows of an index that is gone go with it");
    run(&mut shard, &install(&table));
    assert_eq!(*shard.tables[&table.id], without_index, "a late duplicate changes nothing");
    run(&mut shard, &DdlCommand::Uninstall { era: 1, table: table.id });
    assert!(shard.rows.is_empty(), "{:?}", shard.rows);
    let again = DdlCommand::Uninstall { era: 1, table: table.id };
    assert_eq!(run(&mut shard, &again), DdlOutcome::Uninstalled(None));
}

#[test]
fn shards_of_one_process_share_what_they_install() {
    // A number that no other test uses: the process holds one descriptor of each.
    let table = TableDescriptor { id: TableId(7_000_000), ..fixture::orders() };
    let installed = [1, 2].map(|shard| {
        let mut twin = Twin { shard, has_others: true, ..Twin::default() };
        run(&mut twin, &DdlCommand::Install { era: 0, table: Box::new(table.clone()) });
        Arc::clone(&twin.tables[&table.id])
    });
    assert!(Arc::ptr_eq(&installed[0], &installed[1]));
    assert_eq!(*installed[0], table);
}
