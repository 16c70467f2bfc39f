//! BatchWriteItem: puts and deletes, each on its own, no conditions.

use std::collections::BTreeSet;
use std::sync::Arc;

use dynamo_protocol::limits::BATCH_WRITE_REQUESTS_MAX;
use dynamo_protocol::ops::BatchWriteItemInput;
use dynamo_protocol::shapes::WriteRequest;
use dynamo_protocol::value::Item;

use crate::catalog::{Catalog, TableDescriptor};
use crate::command::{Change, Command};
use crate::item::ItemBody;
use crate::reply::{BatchReply, BatchRequest, ReplySpec};

use super::put_target::{check_index_keys, check_item_bytes, keyed, put_key};
use super::write::{PlannedCommand, WritePlan, collection_key, item_write};
use super::{ItemKey, PlanError, lookup};

/// One write, checked as far as it can be without its table.
enum Requested {
    Put(ItemBody),
    Delete(Item),
}

/// Plans a BatchWriteItem.
///
/// # Errors
/// The client's mistakes, and an unknown table.
pub fn plan(input: BatchWriteItemInput, catalog: &dyn Catalog) -> Result<WritePlan, PlanError> {
    // The model bounds the requests of each table, this all of them.
    if input.request_items.values().map(Vec::len).sum::<usize>() > BATCH_WRITE_REQUESTS_MAX {
        return Err(PlanError::validation("Too many items requested for the BatchWriteItem call"));
    }
    let mut requested = Vec::new();
    for (name, requests) in input.request_items {
        let requests = requests.into_iter().map(request).collect::<Result<Vec<_>, _>>()?;
        requested.push((name, requests));
    }
    let tables = requested.iter().map(|(name, _)| lookup::table(catalog, name));
    let tables: Vec<Arc<TableDescriptor>> = tables.collect::<Result<_, _>>()?;

    let mut reply = BatchReply::new(input.return_consumed_capacity, input.return_item_collection_metrics);
    let (mut writes, mut keys) = (Vec::new(), BTreeSet::new());
    for ((name, requests), table) in requested.into_iter().zip(&tables) {
        reply.table(table, &name);
        check_keyless(table, &requests)?;
        for request in requests {
            let (key, change, keyed, request) = target(table, request)?;
            let command = Command::Write(item_write(table, &key, None, change));
            writes.push(PlannedCommand { token: key.token, command });
            reply.write(table, || collection_key(table, &keyed), request);
            if !keys.insert(key.row) {
                return Err(duplicates());
            }
        }
    }
    Ok(WritePlan { writes, reply: ReplySpec::Batch(reply) })
}

/// Two equal items without a key are duplicates before they are incomplete. Others are found by their keys.
fn check_keyless(table: &TableDescriptor, requests: &[Requested]) -> Result<(), PlanError> {
    let lacks_key = |request: &&Requested| match request {
        Requested::Put(item) => {
            table.keys.attributes().any(|attribute| !matches!(item.view().get(&attribute.name), Ok(Some(_))))
        }
        Requested::Delete(_) => false,
    };
    let mut keyless = BTreeSet::new();
    for request in requests.iter().filter(lacks_key) {
        if let Requested::Put(item) = request
            && !keyless.insert(item)
        {
            return Err(duplicates());
        }
    }
    Ok(())
}

fn duplicates() -> PlanError {
    PlanError::validation("Provided list of item keys contains duplicates")
}

fn request(request: WriteRequest) -> Result<Requested, PlanError> {
    match (request.put_request, request.delete_request) {
        (Some(put), None) => {
            check_item_bytes(put.item.view().billed_bytes())?;
            Ok(Requested::Put(put.item))
        }
        (None, Some(delete)) => Ok(Requested::Delete(delete.key)),
        _ => Err(PlanError::validation(
            "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported \
             datatypes",
        )),
    }
}

/// The key, the write, the attributes of the key, and what goes back to the client where the write is not done.
fn target(table: &TableDescriptor, requested: Requested) -> Result<(ItemKey, Change, Item, BatchRequest), PlanError> {
    match requested {
        Requested::Put(item) => {
            let keyed = keyed(table, &item);
            let key = put_key(table, &keyed)?;
            check_index_keys(table, &keyed)?;
            Ok((key, Change::Put(item.clone()), keyed, BatchRequest::Put(item)))
        }
        Requested::Delete(key) => {
            Ok((ItemKey::of(table, &key)?, Change::Delete, key.clone(), BatchRequest::Delete(key)))
        }
    }
}
