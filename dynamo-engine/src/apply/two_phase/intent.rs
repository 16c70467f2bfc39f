//! The lock on one item.

use shard_router::Token;

use crate::codec::{DecodeError, Record, from_row, to_row};
use crate::command::TransactionId;
use crate::item::ItemBody;
use crate::record;

const FORMAT: u8 = 1;

/// What stands under a locked item's key in the intents space.
#[derive(Clone, Debug, PartialEq)]
pub struct Intent {
    /// Who holds the item.
    pub id: TransactionId,
    /// Where to ask what was decided.
    pub record_token: Token,
    /// What becomes of the item if the transaction commits.
    pub change: Prospect,
}

/// The item after a commit.
#[derive(Clone, Debug, PartialEq)]
pub enum Prospect {
    /// As it is: it was only checked, or the write changes nothing.
    Keep,
    /// This.
    Put(ItemBody),
    /// None.
    Delete,
}

impl Intent {
    /// The bytes of the row.
    pub fn to_bytes(&self) -> Vec<u8> {
        to_row(FORMAT, |out| self.encode(out))
    }

    /// The intent that these bytes are.
    ///
    /// # Errors
    /// [`DecodeError`] where they are none.
    pub fn from_bytes(row: &[u8]) -> Result<Intent, DecodeError> {
        from_row(row, FORMAT, Intent::decode)
    }
}

record! {
    struct Intent { id, record_token, change }
    enum Prospect: "intent" { 0x00 = Keep, 0x01 = Put(body), 0x02 = Delete }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dynamo_protocol::value::Item;

    #[test]
    fn golden_bytes() {
        let head = [&[1][..], &[0; 15], &[7], &[0, 0, 0, 0, 0, 0, 1, 2]].concat();
        let body = ItemBody::encode(&Item::new());
        let length = [body.as_bytes().len() as u8];
        for (change, tail) in [
            (Prospect::Keep, vec![0]),
            (Prospect::Delete, vec![2]),
            (Prospect::Put(body.clone()), [&[1], &length[..], body.as_bytes()].concat()),
        ] {
            let intent = Intent { id: TransactionId(7), record_token: Token(258), change };
            let bytes = intent.to_bytes();
            assert_eq!(bytes, [&head[..], &tail].concat());
            assert_eq!(Intent::from_bytes(&bytes), Ok(intent));
            assert!(Intent::from_bytes(&bytes[..bytes.len() - 1]).is_err());
        }
    }
}
