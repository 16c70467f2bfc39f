//! Stored items: their form is [`dynamo_protocol::stored`]'s; here is what the database adds to it.
//!
//! A plan encodes the *body* ([`ItemBody`], from JSON without a tree); apply puts the header with the commit timestamp in
//! front, so a PutItem's attributes are encoded once and copied from then on. Index rows are items, too: the projected
//! attributes under the index key.

mod attributes;

use dynamo_protocol::stored;
use hlc::Timestamp;

pub use attributes::Decoded;
pub use dynamo_protocol::stored::{Corrupt, ItemBody, ItemRef, ValueRef};

use crate::codec::{DecodeError, Record, get_bytes, put_bytes};

/// The row of `body` as committed at `timestamp`.
pub fn stored(body: &ItemBody, timestamp: Timestamp) -> Vec<u8> {
    stored_item(&body.view(), timestamp)
}

/// The row of an item that is looked at, as committed at `timestamp`.
pub fn stored_item(item: &ItemRef<'_>, timestamp: Timestamp) -> Vec<u8> {
    stored::row(item, timestamp.0)
}

/// When a stored item was committed.
pub fn committed_at(item: &ItemRef<'_>) -> Timestamp {
    Timestamp(item.timestamp())
}

impl Record for ItemBody {
    fn encode(&self, out: &mut Vec<u8>) {
        put_bytes(out, self.as_bytes());
    }

    fn decode(input: &mut &[u8]) -> Result<ItemBody, DecodeError> {
        ItemBody::from_bytes(get_bytes(input)?.to_vec()).map_err(|_| DecodeError::Malformed("item"))
    }
}
