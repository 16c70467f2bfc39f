//! What there is to do about a shard's expiry queues, read from its state.

use dynamo_engine::apply::is_ttl_queue_filled;
use dynamo_engine::catalog::{TableDescriptor, TableId, TablePhase};
use dynamo_engine::command::{EXPIRE_ITEMS_MAX, Expiring};
use dynamo_engine::keyspace::{KeyDecodeError, local, parse_ttl_queue, ttl_queue_range};
use dynamo_engine::ttl;
use ordered_kv::{Direction, KeyRange, Reader, StoreError};
use shard_router::{ShardId, TokenRange};

/// Items that one command deletes.
const EXPIRE_ITEMS: usize = 128;

const _: () = assert!(EXPIRE_ITEMS <= EXPIRE_ITEMS_MAX);

/// A table with time to live.
#[derive(Clone, Debug)]
pub struct Queue {
    /// The table.
    table: TableId,
    /// The attribute with the second in which an item expires.
    attribute: String,
}

impl Queue {
    /// The queue of a table, where it has one and serves.
    pub fn of(table: &TableDescriptor, phase: TablePhase) -> Option<Queue> {
        let attribute = table.ttl_attribute().filter(|_| phase.serves_data())?;
        Some(Queue { table: table.id, attribute: attribute.to_owned() })
    }
}

/// What there is to do.
#[derive(Debug, Default)]
pub struct Found {
    /// A queue that is not filled, and its attribute.
    pub fill: Option<(TableId, String)>,
    /// Items that are due, of one table, with its attribute.
    pub expire: Option<(TableId, String, Vec<Expiring>)>,
    /// The queue row of the last of them; empty where there are none.
    pub last: Vec<u8>,
    /// When the first of them expired.
    pub first_due_ms: Option<u64>,
}

/// Why a queue cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("a queue row is damaged: {0}")]
    Key(#[from] KeyDecodeError),
}

impl QueueError {
    /// Whether something that was stored has changed, rather than the disk not answering.
    pub fn is_damage(&self) -> bool {
        matches!(self, QueueError::Store(StoreError::Corruption(_)) | QueueError::Key(_))
    }
}

/// Looks at the queues of a shard that owns `places`: for the first that is not filled, and for what is due at `now_ms`
/// behind the queue row `after`. Without a time nothing is due.
pub fn find(
    reader: &dyn Reader,
    shard: ShardId,
    places: &[TokenRange],
    queues: &[Queue],
    now_ms: Option<u64>,
    after: &[u8],
) -> Result<Found, QueueError> {
    let mut found = Found::default();
    for Queue { table, attribute } in queues {
        let record = reader.get(&local::ttl_fill(shard, table.0))?;
        if !is_ttl_queue_filled(record.as_deref()) {
            found.fill = Some((*table, attribute.clone()));
            break;
        }
    }
    let Some(now_ms) = now_ms else { return Ok(found) };
    // In the order of their rows, which is that of a sweep.
    let mut queues: Vec<&Queue> = queues.iter().collect();
    queues.sort_by_key(|queue| queue.table);
    for (queue, place) in queues.into_iter().flat_map(|queue| places.iter().map(move |place| (queue, place))) {
        let mut range = ttl_queue_range(queue.table.0, place.first(), ttl::due(now_ms));
        if range.end.as_slice() <= after {
            continue;
        }
        range.start = range.start.max([after, &[0]].concat());
        let mut rows = reader.cursor(KeyRange::between(&range.start, &range.end), Direction::Forward)?;
        let mut items = Vec::new();
        while items.len() < EXPIRE_ITEMS
            && let Some((key, _)) = rows.next()?
        {
            let (expiry_ms, item) = parse_ttl_queue(key)?;
            debug_assert!(expiry_ms <= now_ms, "only what is due is deleted");
            debug_assert!(key > after, "a sweep goes on where it was");
            found.first_due_ms.get_or_insert(expiry_ms);
            found.last = key.to_vec();
            items.push(Expiring { expiry_ms, key: item });
        }
        if !items.is_empty() {
            found.expire = Some((queue.table, queue.attribute.clone(), items));
            return Ok(found);
        }
    }
    Ok(found)
}
