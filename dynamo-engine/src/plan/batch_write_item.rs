//! BatchWriteItem: puts and deletes, each on its own, no conditions.

use std::collections::BTreeSet;
use std::sync::Arc;

use dynamo_protocol::limits::BATCH_WRITE_REQUESTS_MAX;
use dynamo_protocol::ops::BatchWriteItemInput;
use dynamo_protocol::shapes::WriteRequest;
use dynamo_protocol::value::Item;

use crate::catalog::{Catalog, TableDescriptor};
use crate::command::{Change, Command};
use crate::reply::{BatchReply, BatchRequest, ReplySpec};

use super::put_target::{body, check_index_keys, put_bytes, put_key};
use super::write::{PlannedCommand, WritePlan, collection_key, item_write};
use super::{ItemKey, PlanError, lookup};

/// One write, checked as far as it can be without its table.
enum Requested {
    Put { item: Item, billed_bytes: usize },
    Delete { key: Item },
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
            let (key, change, collection, request) = target(table, request)?;
            let command = Command::Write(item_write(table, &key, None, change));
            writes.push(PlannedCommand { token: key.token, command });
            reply.write(table, collection, request);
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
        Requested::Put { item, .. } => table.keys.attributes().any(|attribute| !item.contains_key(&attribute.name)),
        Requested::Delete { .. } => false,
    };
    let mut keyless = BTreeSet::new();
    for request in requests.iter().filter(lacks_key) {
        if let Requested::Put { item, billed_bytes } = request
            && !keyless.insert(body(item, *billed_bytes).as_bytes().to_vec())
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
        (Some(put), None) => Ok(Requested::Put { billed_bytes: put_bytes(&put.item)?, item: put.item }),
        (None, Some(delete)) => Ok(Requested::Delete { key: delete.key }),
        _ => Err(PlanError::validation(
            "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported \
             datatypes",
        )),
    }
}

fn target(table: &TableDescriptor, requested: Requested) -> Result<(ItemKey, Change, Item, BatchRequest), PlanError> {
    match requested {
        Requested::Put { item, billed_bytes } => {
            let key = put_key(table, &item)?;
            check_index_keys(table, &item)?;
            let (change, collection) = (Change::Put(body(&item, billed_bytes)), collection_key(table, &item));
            Ok((key, change, collection, BatchRequest::Put(item)))
        }
        Requested::Delete { key } => {
            let (row, collection) = (ItemKey::of(table, &key)?, collection_key(table, &key));
            Ok((row, Change::Delete, collection, BatchRequest::Delete(key)))
        }
    }
}
