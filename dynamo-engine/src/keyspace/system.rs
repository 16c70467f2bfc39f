//! Keys of the system group's catalog rows: `system · kind (1) · …`.

use super::Space;
use crate::ids::{StreamId, TableId};

const TABLE_BY_NAME: u8 = 0x01;
const NEXT_ID: u8 = 0x02;
const ROLLOUT: u8 = 0x03;
const ENDED_STREAM: u8 = 0x04;

/// The catalog row of a table: names are keyed (account, region, name); account and region are constant today and
/// stand for themselves as one zero byte.
pub fn table(name: &str) -> Vec<u8> {
    let mut key = tables_prefix();
    key.extend_from_slice(name.as_bytes());
    key
}

/// Prefix of all tables' catalog rows, which are in the order of the names' bytes.
pub fn tables_prefix() -> Vec<u8> {
    vec![Space::System as u8, TABLE_BY_NAME, 0x00]
}

/// The next table or index id to hand out.
pub fn next_id() -> Vec<u8> {
    vec![Space::System as u8, NEXT_ID]
}

/// What is on its way to the shards about one table.
pub fn rollout(table: u64) -> Vec<u8> {
    let mut key = rollouts_prefix();
    key.extend_from_slice(&table.to_be_bytes());
    key
}

/// Prefix of everything that is on its way to the shards, in the order of the tables' ids.
pub fn rollouts_prefix() -> Vec<u8> {
    vec![Space::System as u8, ROLLOUT]
}

/// A stream that is over and kept.
pub fn ended_stream(stream: StreamId) -> Vec<u8> {
    let mut key = ended_streams_prefix();
    key.extend_from_slice(&stream.table.0.to_be_bytes());
    key.extend_from_slice(&stream.since_ms.to_be_bytes());
    key
}

/// Prefix of all streams that are over and kept; what follows is table id and beginning.
pub fn ended_streams_prefix() -> Vec<u8> {
    vec![Space::System as u8, ENDED_STREAM]
}

/// The stream in what follows [`ended_streams_prefix`]; `None` where it is none.
pub fn parse_ended_stream(suffix: &[u8]) -> Option<StreamId> {
    let (table, since) = suffix.split_first_chunk::<8>()?;
    let since_ms = u64::from_be_bytes(since.try_into().ok()?);
    Some(StreamId { table: TableId(u64::from_be_bytes(*table)), since_ms })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_bytes() {
        assert_eq!(table("a.b"), [0x02, 0x01, 0x00, b'a', b'.', b'b']);
        assert_eq!(next_id(), [0x02, 0x02]);
        assert_eq!(rollout(258), [0x02, 0x03, 0, 0, 0, 0, 0, 0, 1, 2]);
        let stream = StreamId { table: TableId(258), since_ms: 3 };
        let row = ended_stream(stream);
        assert_eq!(row, [0x02, 0x04, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 3]);
        assert_eq!(parse_ended_stream(&row[2..]), Some(stream));
        assert_eq!(parse_ended_stream(&row[3..]), None);
    }
}
