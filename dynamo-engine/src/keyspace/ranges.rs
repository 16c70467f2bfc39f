//! The one list of key ranges that hold a table's content on a shard.
//!
//! Snapshot, split, checksum and drop all walk this list, so that none of them can forget a space.

use shard_router::Token;

use super::{Space, successor};

/// A half-open range of row keys; an empty `end` means no upper bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowRange {
    /// First key inside.
    pub start: Vec<u8>,
    /// First key behind.
    pub end: Vec<u8>,
}

/// The ids under which a table has rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableIds {
    /// The table.
    pub table: u64,
    /// Its local indexes.
    pub local_indexes: Vec<u64>,
    /// Its global indexes.
    pub global_indexes: Vec<u64>,
}

/// Spaces whose rows stand under the table's id and go with it. Stream records do not: see
/// [`stream_range`](super::stream_range).
const TABLE_SPACES: [Space; 5] = [Space::Rows, Space::History, Space::Intents, Space::TtlQueue, Space::Tokens];

/// Every contiguous range that a table has on a shard owning the tokens `first..=last`, in key order.
pub fn table_ranges(ids: &TableIds, first: Token, last: Token) -> Vec<RowRange> {
    let table = TABLE_SPACES.iter().map(|space| (*space, ids.table));
    let local = ids.local_indexes.iter().map(|id| (Space::LocalIndex, *id));
    let global = ids.global_indexes.iter().map(|id| (Space::GlobalIndex, *id));
    let mut spaces: Vec<(Space, u64)> = table.chain(local).chain(global).collect();
    spaces.sort_unstable();
    spaces.into_iter().map(|(space, id)| id_range(space, id, first, last)).collect()
}

/// The rows of one table or index in one space with tokens `first..=last`.
pub fn id_range(space: Space, id: u64, first: Token, last: Token) -> RowRange {
    let bound = |token: Token| {
        let mut key = super::id_prefix(space, id);
        key.extend_from_slice(&token.0.to_be_bytes());
        key
    };
    RowRange { start: bound(first), end: successor(&bound(last)) }
}

#[cfg(test)]
mod tests {
    use super::super::{
        KeyPart, RowKey, global_index_key, intent_key, local_index_key, row_key, token_row_key, ttl_queue_key,
    };
    use super::*;

    #[test]
    fn every_kind_of_row_lies_in_exactly_one_range() {
        let ids = TableIds { table: 5, local_indexes: vec![6], global_indexes: vec![8, 7] };
        let ranges = table_ranges(&ids, Token(0), Token(u64::MAX));
        assert!(ranges.is_sorted_by(|a, b| a.end <= b.start), "in order, disjoint");
        let base = row_key(5, &[KeyPart::S("p")], &[KeyPart::S("s")]);
        let token = RowKey::parse(&base).unwrap().token();
        let rows = [
            local_index_key(6, token, &[KeyPart::S("p")], &[KeyPart::S("i")], &[KeyPart::S("s")]),
            global_index_key(7, &[KeyPart::S("i")], &[], RowKey::parse(&base).unwrap().parts()),
            global_index_key(8, &[KeyPart::S("i")], &[], RowKey::parse(&base).unwrap().parts()),
            token_row_key(5, "t"),
            ttl_queue_key(Token(0), 1_700_000_000_000, &base).unwrap(),
            intent_key(&base),
            base,
        ];
        for row in rows {
            assert_eq!(ranges.iter().filter(|range| range.start <= row && row < range.end).count(), 1);
        }
    }

    #[test]
    fn a_split_divides_the_ranges() {
        let whole = id_range(Space::Rows, 5, Token(0), Token(u64::MAX));
        let low = id_range(Space::Rows, 5, Token(0), Token(99));
        let high = id_range(Space::Rows, 5, Token(100), Token(u64::MAX));
        assert_eq!((&low.start, &low.end, &high.end), (&whole.start, &high.start, &whole.end));
    }
}
