use dynamo_engine::catalog::{
    IndexDescriptor, IndexId, IndexState, KeyAttribute, KeySchema, KeyType, Projection, StreamSettings, Throughput,
};
use dynamo_engine::command::{Decide, Expire, Expiring, Forget, Prepare, Resolve, Transaction, TransactionId, Verdict};
use dynamo_engine::item::ItemBody;
use shard_router::Token;

use super::*;

const TABLE: TableId = TableId(1);

fn write(change: Change) -> ItemWrite {
    ItemWrite { table: TABLE, schema_version: 1, key: Vec::new(), condition: None, change }
}

fn put() -> ItemWrite {
    write(Change::Put(ItemBody::encode(&Default::default())))
}

fn keys() -> KeySchema {
    KeySchema { partition: vec![KeyAttribute { name: "k".to_owned(), kind: KeyType::S }], sort: Vec::new() }
}

/// A table without indexes, whose stream has this view.
fn table(view: Option<StreamView>) -> TableDescriptor {
    let stream = view.map(|view| StreamSettings { enabled: true, view, since_ms: 1 });
    TableDescriptor { stream, ..TableDescriptor::new(TABLE, "tbl", keys()) }
}

fn demand_in(table: &TableDescriptor, command: &Command, log_bytes: usize) -> Demand {
    Demand::of(command, log_bytes, |_| Some(Arc::new(table.clone())))
}

#[test]
fn commands_differ_in_disk_use() {
    let id = TransactionId(1);
    let prepare = |action: ItemWrite| {
        let actions = vec![action];
        Command::Prepare(Prepare { id, record_token: Token(0), deadline_ms: 0, client_token: None, actions })
    };
    let transact = |actions| Command::Transact(Transaction { client_token: None, actions });
    let change_table =
        |step| Command::Ddl(DdlCommand::ChangeTable { table: TABLE, schema_version: 1, steps: vec![step] });
    let (plain, with_old) = (table(Some(StreamView::NewImage)), table(Some(StreamView::OldImage)));
    for (command, disk_use, with_old_images) in [
        (Command::Write(put()), DiskUse::Grows, DiskUse::Grows),
        (Command::Write(write(Change::Delete)), DiskUse::Frees, DiskUse::Grows),
        (transact(vec![write(Change::Delete), write(Change::Check)]), DiskUse::Frees, DiskUse::Grows),
        (transact(vec![write(Change::Check)]), DiskUse::Frees, DiskUse::Frees),
        (transact(vec![write(Change::Delete), put()]), DiskUse::Grows, DiskUse::Grows),
        (prepare(put()), DiskUse::Grows, DiskUse::Grows),
        (prepare(write(Change::Delete)), DiskUse::Frees, DiskUse::Grows),
        (expire(1), DiskUse::Frees, DiskUse::Grows),
        (Command::Decide(Decide { id, verdict: Verdict::Ask }), DiskUse::Completes, DiskUse::Completes),
        (Command::Resolve(Resolve { id, prepared: None, commit: None }), DiskUse::Completes, DiskUse::Completes),
        (Command::Forget(Forget { id }), DiskUse::Completes, DiskUse::Completes),
        (
            Command::Ddl(DdlCommand::DeleteTable { table: TABLE, schema_version: 1 }),
            DiskUse::Completes,
            DiskUse::Completes,
        ),
        (Command::Ddl(DdlCommand::Uninstall { era: 1, table: TABLE }), DiskUse::Completes, DiskUse::Completes),
        (change_table(TableStep::DeletionProtection(false)), DiskUse::Completes, DiskUse::Completes),
    ] {
        assert_eq!(demand_in(&plain, &command, 0).disk_use, disk_use, "{command:?}");
        assert_eq!(demand_in(&with_old, &command, 0).disk_use, with_old_images, "{command:?}");
    }
}

fn expire(items: usize) -> Command {
    let item = Expiring { expiry_ms: 1, key: Vec::new() };
    Command::Expire(Expire { table: TABLE, attribute: "ttl".to_owned(), items: vec![item; items] })
}

#[test]
fn a_demand_is_the_most_that_a_command_takes() {
    let index = |local| IndexDescriptor {
        id: IndexId(2),
        name: "gix".to_owned(),
        local,
        keys: keys(),
        projection: Projection::All,
        state: IndexState::Active,
        throughput: Throughput::default(),
        on_demand: None,
        warm: None,
    };
    let body = ItemBody::encode(&Default::default());
    let item = body.as_bytes().len() as u64;
    let put = Command::Write(write(Change::Put(body)));
    let of = |table: &TableDescriptor, command: &Command| demand_in(table, command, 1_000).bytes;
    assert_eq!(of(&table(None), &put), 1_000 + item, "the log and the row");
    let indexed = TableDescriptor { indexes: vec![index(true), index(false)], ..table(Some(StreamView::NewImage)) };
    assert_eq!(of(&indexed, &put), 1_000 + 5 * item, "two indexes, a queue and a stream more");
    let old = table(Some(StreamView::NewAndOldImages));
    assert_eq!(of(&old, &put), 1_000 + 2 * item + ITEM_BYTES);
    assert_eq!(of(&old, &Command::Write(write(Change::Delete))), 1_000 + ITEM_BYTES);
    assert_eq!(of(&table(None), &Command::Write(write(Change::Delete))), 1_000);
    assert_eq!(of(&old, &expire(3)), 1_000 + 3 * ITEM_BYTES);
    assert!(of(&old, &expire(128)) < 20 << 20, "an entry is bounded");
    let gone = Demand::of(&put, 1_000, |_| None);
    assert_eq!(gone, Demand { disk_use: DiskUse::Grows, bytes: 1_000 }, "nothing is written");
    // A switched-off stream keeps nothing.
    let off = StreamSettings { enabled: false, view: StreamView::OldImage, since_ms: 1 };
    let off = TableDescriptor { stream: Some(off), ..table(None) };
    assert_eq!(
        demand_in(&off, &Command::Write(write(Change::Delete)), 0),
        Demand { disk_use: DiskUse::Frees, bytes: 0 }
    );
}
