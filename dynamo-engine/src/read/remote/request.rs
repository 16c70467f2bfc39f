//! What is asked of a shard.

use ordered_kv::Direction;

use crate::keyspace::ItemKey;
use crate::read::TableVersion;
use crate::stream::StreamRequest;

/// The most keys of one request, and the most ranges; both BatchGetItem and TransactGetItems take 100 keys, and a PartiQL
/// statement 50 ranges.
pub(super) const KEYS_MAX: usize = 100;

/// What the leader of a shard is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchRequest {
    /// The tables that the rows belong to, as the plan knows them; sorted, without duplicates.
    pub tables: Vec<TableVersion>,
    /// Which rows.
    pub selector: Selector,
}

/// Which rows are wanted, and what of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// The rows under these keys, up to and with the one that crosses the bound.
    Keys {
        /// Row keys, in the order in which the plan looks at them.
        keys: Vec<Vec<u8>>,
        /// Bytes as billed.
        bytes_max: u64,
    },
    /// Rows of ranges.
    Page(PageRequest),
    /// The rows under these keys with their marks.
    Cut(Vec<Vec<u8>>),
    /// The marks of these keys.
    Marks(Vec<Vec<u8>>),
    /// Something of a stream.
    Stream(StreamRequest),
}

/// A range of rows by their keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowRange {
    /// The first key inside.
    pub start: Vec<u8>,
    /// The first key behind; empty where there is no bound.
    pub end: Vec<u8>,
}

/// Rows of ranges, until one of the bounds is met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// One after the other; they do not overlap.
    pub ranges: Vec<RowRange>,
    /// From which end of each.
    pub direction: Direction,
    /// The most rows.
    pub rows_max: Option<u64>,
    /// Bytes as billed; the row that crosses the bound still belongs to the page.
    pub bytes_max: u64,
    /// Whether the rows are a local index's and the items behind them are wanted, too.
    pub fetch: bool,
}

impl RowRange {
    /// Whether no key is inside, whatever there is.
    pub(super) fn is_empty(&self) -> bool {
        !self.end.is_empty() && self.start >= self.end
    }

    /// Whether the key is inside.
    pub(super) fn contains(&self, key: &[u8]) -> bool {
        key >= &self.start[..] && (self.end.is_empty() || key < &self.end[..])
    }
}

impl PageRequest {
    /// Whether the row with this key, which is wanted, comes behind all rows of `range`.
    pub(super) fn is_behind(&self, key: &[u8], range: &RowRange) -> bool {
        let of_key = self.ranges.iter().position(|range| range.contains(key));
        let of_range = self.ranges.iter().position(|other| other == range);
        of_key > of_range
    }
}

impl FetchRequest {
    /// The marks of the same keys once more: the second round of a transaction.
    pub fn second_round(&self) -> FetchRequest {
        FetchRequest { tables: self.tables.clone(), selector: Selector::Marks(self.keys().to_vec()) }
    }

    /// Whether everything must be read from one moment, so that a snapshot has to be taken.
    pub fn needs_view(&self) -> bool {
        match &self.selector {
            Selector::Keys { .. } => false,
            Selector::Page(page) => page.fetch,
            Selector::Cut(_) | Selector::Marks(_) | Selector::Stream(_) => true,
        }
    }

    /// How many keys or ranges it has.
    pub(super) fn parts(&self) -> usize {
        match &self.selector {
            Selector::Page(page) => page.ranges.len(),
            _ => self.keys().len(),
        }
    }

    /// The keys, where single rows are wanted.
    pub fn keys(&self) -> &[Vec<u8>] {
        match &self.selector {
            Selector::Keys { keys, .. } | Selector::Cut(keys) | Selector::Marks(keys) => keys,
            Selector::Page(_) | Selector::Stream(_) => &[],
        }
    }
}

/// Wants the rows of `keys`.
pub(in crate::read) fn keys<'a>(keys: impl IntoIterator<Item = &'a ItemKey>, bytes_max: usize) -> Selector {
    Selector::Keys { keys: keys.into_iter().map(|key| key.row.clone()).collect(), bytes_max: bytes_max as u64 }
}
