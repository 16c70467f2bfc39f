//! The lock on one item.

use shard_router::Token;

use crate::codec::{DecodeError, finish, get_bytes, get_u8, put_bytes};
use crate::command::TransactionId;
use crate::command::two_phase_codec::{get_token, put_token};
use crate::item::ItemBody;

const FORMAT: u8 = 1;
const KEEP: u8 = 0x00;
const PUT: u8 = 0x01;
const DELETE: u8 = 0x02;

/// What stands under a locked item's key in the intents space.
#[derive(Clone, Debug, PartialEq)]
pub struct Intent {
    /// Who holds the item.
    pub id: TransactionId,
    /// Where to ask what was decided.
    pub home: Token,
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
        let mut out = vec![FORMAT];
        self.id.encode(&mut out);
        put_token(&mut out, self.home);
        match &self.change {
            Prospect::Keep => out.push(KEEP),
            Prospect::Put(body) => {
                out.push(PUT);
                put_bytes(&mut out, body.as_bytes());
            }
            Prospect::Delete => out.push(DELETE),
        }
        out
    }

    /// The intent that these bytes are.
    ///
    /// # Errors
    /// [`DecodeError`] where they are none.
    pub fn from_bytes(mut row: &[u8]) -> Result<Intent, DecodeError> {
        let input = &mut row;
        match get_u8(input)? {
            FORMAT => {}
            format => return Err(DecodeError::Format(format)),
        }
        let id = TransactionId::decode(input)?;
        let home = get_token(input)?;
        let change = match get_u8(input)? {
            KEEP => Prospect::Keep,
            PUT => Prospect::Put(
                ItemBody::from_bytes(get_bytes(input)?.to_vec()).map_err(|_| DecodeError::Malformed("item"))?,
            ),
            DELETE => Prospect::Delete,
            tag => return Err(DecodeError::Tag { what: "intent", tag }),
        };
        finish(input)?;
        Ok(Intent { id, home, change })
    }
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
            let intent = Intent { id: TransactionId(7), home: Token(258), change };
            let bytes = intent.to_bytes();
            assert_eq!(bytes, [&head[..], &tail].concat());
            assert_eq!(Intent::from_bytes(&bytes), Ok(intent));
            assert!(Intent::from_bytes(&bytes[..bytes.len() - 1]).is_err());
        }
    }
}
