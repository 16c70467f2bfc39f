//! What a shard knows of a transaction that is prepared on it.

use hlc::Timestamp;
use shard_router::Token;

use crate::catalog::TableId;
use crate::codec::{DecodeError, Record, from_row, to_row};
use crate::command::codec::with_table;
use crate::command::{ClientToken, TransactionId};
use crate::keyspace::RowKey;

const FORMAT: u8 = 1;

/// A prepared transaction: held by the shard until it is resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreparedTransaction {
    /// The transaction.
    pub id: TransactionId,
    /// The token whose shard holds the decision.
    pub record_token: Token,
    /// When it was prepared here; names this prepare in the decision.
    pub ts: Timestamp,
    /// After this, in milliseconds since the epoch, the transaction's prepares are refused everywhere.
    pub deadline_ms: u64,
    /// The client's token; only on the record shard.
    pub client_token: Option<ClientToken>,
    /// The items' keys, in the order of the request; none at a record shard without items. Each is locked, except where
    /// its table has gone since.
    pub keys: Vec<Vec<u8>>,
}

impl PreparedTransaction {
    /// The bytes of the row, which has the id in its key.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        to_row(FORMAT, |out| {
            self.record_token.encode(out);
            self.ts.encode(out);
            self.deadline_ms.encode(out);
            self.client_token.encode(out);
            self.keys.encode(out);
        })
    }

    pub(super) fn from_bytes(id: TransactionId, row: &[u8]) -> Result<PreparedTransaction, DecodeError> {
        from_row(row, FORMAT, |input| {
            let (record_token, ts, deadline_ms) =
                (Record::decode(input)?, Record::decode(input)?, Record::decode(input)?);
            let (client_token, keys) = (Record::decode(input)?, Vec::<Vec<u8>>::decode(input)?);
            let first = keys.first().and_then(|key| RowKey::parse(key).ok());
            let client_token = with_table(client_token, first.map(|key| TableId(key.id())));
            Ok(PreparedTransaction { id, record_token, ts, deadline_ms, client_token, keys })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::{KeyPart, row_key};

    #[test]
    fn golden_bytes() {
        let key = row_key(7, &[KeyPart::S("p")], &[]);
        let mut prepared = PreparedTransaction {
            id: TransactionId(9),
            record_token: Token(1),
            ts: Timestamp(2),
            deadline_ms: 300,
            client_token: Some(ClientToken { token: "t".to_owned(), request_hash: 5, table: TableId(300) }),
            keys: vec![key.clone(), vec![0x10, 2]],
        };
        let head = [1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0xAC, 2];
        let token = [1, b't', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5];
        let keys = [&[2, key.len() as u8][..], &key, &[2, 0x10, 2]].concat();
        let bytes = prepared.to_bytes();
        assert_eq!(bytes, [&head[..], &[2], &token, &[0xAC, 2], &keys].concat());
        assert_eq!(PreparedTransaction::from_bytes(TransactionId(9), &bytes), Ok(prepared.clone()));
        // The first form of a client's token.
        prepared.client_token.as_mut().unwrap().table = TableId(7);
        let bytes = [&head[..], &[1], &token, &keys].concat();
        assert_eq!(PreparedTransaction::from_bytes(TransactionId(9), &bytes), Ok(prepared));
    }
}
