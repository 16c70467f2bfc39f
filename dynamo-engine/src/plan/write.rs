//! What a planned write is: commands for the log, and what to make of their outcomes.

use dynamo_expression::Condition;
use dynamo_protocol::value::Item;
use shard_router::Token;

use crate::catalog::TableDescriptor;
use crate::command::{Change, Command, ItemWrite};
use crate::reply::{ReplySpec, SingleReply};

use super::ItemKey;

/// A planned write request.
#[derive(Clone, Debug)]
pub struct WritePlan {
    /// The commands: one, except for BatchWriteItem, whose writes are independent of each other.
    pub writes: Vec<PlannedCommand>,
    /// How the outcomes, in the order of `writes`, become the reply.
    pub reply: ReplySpec,
}

impl WritePlan {
    /// The write of one item.
    pub(super) fn single(
        table: &TableDescriptor,
        key: &ItemKey,
        condition: Option<Condition>,
        change: Change,
        reply: SingleReply,
    ) -> WritePlan {
        let command = Command::Write(item_write(table, key, condition, change));
        WritePlan { writes: vec![PlannedCommand { token: key.token, command }], reply: ReplySpec::Single(reply) }
    }
}

/// A command and the token that decides which shard gets it.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedCommand {
    /// Where the item lives (the first one's, in a transaction).
    pub token: Token,
    /// What to propose.
    pub command: Command,
}

/// The action on the item with this key.
pub(super) fn item_write(
    table: &TableDescriptor,
    key: &ItemKey,
    condition: Option<Condition>,
    change: Change,
) -> ItemWrite {
    ItemWrite { table: table.id, schema_version: table.schema_version, key: key.row.clone(), condition, change }
}

/// `ItemCollectionKey`: the partition key's attributes of an item or key.
pub(super) fn collection_key(table: &TableDescriptor, item: &Item) -> Item {
    let names = table.keys.partition.iter().map(|attribute| &attribute.name);
    names.filter_map(|name| Some((name.clone(), item.get(name)?.clone()))).collect()
}
