//! What a shard knows of a transaction that is prepared on it.

use hlc::Timestamp;
use shard_router::Token;

use crate::catalog::TableId;
use crate::codec::{
    DecodeError, finish, get_bytes, get_list, get_timestamp, get_u8, get_u64, put_bytes, put_list, put_timestamp,
    put_u64,
};
use crate::command::codec::{get_client_token, put_client_token, with_table};
use crate::command::two_phase_codec::{get_token, put_token};
use crate::command::{ClientToken, TransactionId};
use crate::keyspace::RowKey;

const FORMAT: u8 = 1;

/// A prepared transaction: held by the shard until it is resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreparedTransaction {
    /// The transaction.
    pub id: TransactionId,
    /// The token whose shard holds the decision.
    pub home: Token,
    /// When it was prepared here; names this prepare in the decision.
    pub ts: Timestamp,
    /// After this, in milliseconds since the epoch, the transaction's prepares are refused everywhere.
    pub deadline_ms: u64,
    /// The client's token; only at home.
    pub client_token: Option<ClientToken>,
    /// The items' keys, in the order of the request; none at a home without items. Each is locked, except where its
    /// table has gone since.
    pub keys: Vec<Vec<u8>>,
}

impl PreparedTransaction {
    /// The bytes of the row, which has the id in its key.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![FORMAT];
        put_token(&mut out, self.home);
        put_timestamp(&mut out, self.ts);
        put_u64(&mut out, self.deadline_ms);
        put_client_token(&mut out, self.client_token.as_ref());
        put_list(&mut out, &self.keys, |out, key| put_bytes(out, key));
        out
    }

    pub(super) fn from_bytes(id: TransactionId, mut row: &[u8]) -> Result<PreparedTransaction, DecodeError> {
        let input = &mut row;
        match get_u8(input)? {
            FORMAT => {}
            format => return Err(DecodeError::Format(format)),
        }
        let mut prepared = PreparedTransaction {
            id,
            home: get_token(input)?,
            ts: get_timestamp(input)?,
            deadline_ms: get_u64(input)?,
            client_token: get_client_token(input)?,
            keys: get_list(input, |input| Ok(get_bytes(input)?.to_vec()))?,
        };
        finish(input)?;
        let first = prepared.keys.first().and_then(|key| RowKey::parse(key).ok());
        prepared.client_token = with_table(prepared.client_token, first.map(|key| TableId(key.id())));
        Ok(prepared)
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
            home: Token(1),
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
