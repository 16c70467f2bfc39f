//! One action against the item as it is: condition, then the item as it would be.
//!
//! Nothing is written here, so a transaction evaluates all its actions before it commits any.

use dynamo_expression::{OutOfSteps, Steps, Update};
use dynamo_protocol::limits::{ITEM_BYTES_MAX, NESTING_LEVELS_MAX};
use dynamo_protocol::size::{depth, item_bytes};
use dynamo_protocol::value::Item;
use ordered_kv::Value;

use super::{Applier, Fault};
use crate::catalog::TableDescriptor;
use crate::command::{Change, ItemWrite};
use crate::cost::OUT_OF_STEPS;
use crate::item::{Corrupt, Decoded, ItemBody, ItemRef};
use crate::keyspace::RowKey;
use crate::messages;

/// An action that may be committed.
pub(super) struct Evaluated<'w> {
    /// The stored row before.
    pub old: Option<Value>,
    /// What becomes of it.
    pub next: Next<'w>,
    /// Whether it is done because the item's time to live is over: its stream record says so.
    pub by_ttl: bool,
}

/// The item after an action.
pub(super) enum Next<'w> {
    /// As it was.
    Same,
    /// This body, out of the command.
    Given(&'w ItemBody),
    /// This body, computed.
    Made(ItemBody),
    /// None.
    Gone,
}

/// Why an action may not be committed.
pub(super) enum Refusal {
    /// A transaction that is not decided yet holds the item.
    Conflict,
    /// Its condition is false for this stored row.
    Condition(Option<Value>),
    /// It is wrong for this item; the text of a ValidationException.
    Invalid(String),
}

impl Applier<'_> {
    /// Reads the item once, checks the condition on its stored form, computes the new one. Counts the steps of its
    /// command, and the row that it holds from now on.
    pub(super) fn evaluate<'w>(
        &self,
        table: &TableDescriptor,
        write: &'w ItemWrite,
        steps: &Steps,
    ) -> Result<Result<Evaluated<'w>, Refusal>, Fault> {
        let old = self.get(&write.key)?;
        self.entry.work.hold(old.as_ref());
        self.entry.work.weigh(old.as_ref().map_or(0, |row| row.len()))?;
        let item = old.as_deref().map(ItemRef::parse).transpose()?;
        if let Some(condition) = &write.condition {
            match condition.eval(&item.map(Decoded::new), steps) {
                Ok(true) => {}
                Ok(false) => return Ok(Err(Refusal::Condition(old))),
                Err(OutOfSteps) => return Ok(Err(Refusal::Invalid(OUT_OF_STEPS.to_owned()))),
            }
        }
        let next = match &write.change {
            Change::Check => Next::Same,
            Change::Delete if item.is_none() => Next::Same,
            Change::Delete => Next::Gone,
            Change::Put(body) if item.is_some_and(|item| item.body() == body.as_bytes()) => Next::Same,
            Change::Put(body) => Next::Given(body),
            Change::Update(update) => match updated(table, &write.key, item, update)? {
                Ok(next) => next,
                Err(text) => return Ok(Err(Refusal::Invalid(text))),
            },
        };
        if self.entry.work.is_limited() {
            let old_bytes = old.as_ref().map_or(0, |row| row.len());
            self.entry.work.weigh(written_bytes(table, old_bytes, next.byte_len()))?;
        }
        Ok(Ok(Evaluated { old, next, by_ttl: false }))
    }
}

/// Bytes that replacing a row writes at the most: the new one once, and once for each index; both for the stream.
pub(super) fn written_bytes(table: &TableDescriptor, old: usize, new: usize) -> usize {
    let recorded = if table.live_stream().is_some() { old + new } else { 0 };
    new * (1 + table.maintained_indexes().count()) + recorded
}

impl Next<'_> {
    fn byte_len(&self) -> usize {
        match self {
            Next::Same | Next::Gone => 0,
            Next::Given(body) => body.as_bytes().len(),
            Next::Made(body) => body.as_bytes().len(),
        }
    }
}

fn updated<'w>(
    table: &TableDescriptor,
    key: &[u8],
    old: Option<ItemRef<'_>>,
    update: &Update,
) -> Result<Result<Next<'w>, String>, Fault> {
    if old.is_none() && update.writes_only_removes() {
        return Ok(Ok(Next::Same));
    }
    // Only what the update has to do with is made a tree of; the rest of the item is copied as it is stored.
    let names = update.attributes();
    let (mut item, rest_bytes) = match &old {
        Some(old) => {
            let part = old.part(&names)?;
            let rest = old.billed_bytes().checked_sub(item_bytes(&part));
            (part, rest.ok_or(Corrupt("the item is smaller than a part of it"))?)
        }
        None => (key_item(table, key)?, 0),
    };
    if let Err(error) = update.apply(&mut item) {
        return Ok(Err(error.text().to_owned()));
    }
    let billed_bytes = rest_bytes + item_bytes(&item);
    if let Err(text) = check(table, old.as_ref(), &item, billed_bytes)? {
        return Ok(Err(text));
    }
    let body = match &old {
        Some(old) => ItemBody::with_part(old, &names, &item, billed_bytes)?,
        None => ItemBody::encode_sized(&item, billed_bytes),
    };
    let same = old.is_some_and(|old| old.body() == body.as_bytes());
    Ok(Ok(if same { Next::Same } else { Next::Made(body) }))
}

/// The limits that an update can only break together with the item it meets. `item` is what it read or changed; what it
/// left alone was within them before.
fn check(
    table: &TableDescriptor,
    old: Option<&ItemRef<'_>>,
    item: &Item,
    billed_bytes: usize,
) -> Result<Result<(), String>, Corrupt> {
    if billed_bytes > ITEM_BYTES_MAX {
        return Ok(Err(messages::ITEM_TO_UPDATE_TOO_LARGE.to_owned()));
    }
    if item.values().any(|value| depth(value) >= NESTING_LEVELS_MAX) {
        return Ok(Err(messages::NESTED_TOO_DEEP.to_owned()));
    }
    for index in table.maintained_indexes() {
        for attribute in index.keys.attributes() {
            let Some(value) = item.get(&attribute.name) else { continue };
            // An item from before the index may hold a value that the index cannot: it may keep it, not write it.
            let kept = match old {
                Some(old) => old.attribute(&attribute.name)?.as_ref() == Some(value),
                None => false,
            };
            if !kept && let Err(text) = messages::index_key_after_update(index, attribute, value) {
                return Ok(Err(text));
            }
        }
    }
    Ok(Ok(()))
}

/// An item of nothing but the key that a row key holds: what an update starts from where there is no item.
fn key_item(table: &TableDescriptor, key: &[u8]) -> Result<Item, Fault> {
    let values = RowKey::parse(key)?.decode_parts()?;
    if values.len() != table.keys.len() {
        return Err(Fault::Invariant("a row key has one part for each key attribute"));
    }
    Ok(table.keys.attributes().map(|attribute| attribute.name.clone()).zip(values).collect())
}
