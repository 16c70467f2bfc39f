//! What is asked of a shard.

use ordered_kv::Direction;

use crate::keyspace::ItemKey;
use crate::read::TableVersion;
use crate::stream::StreamRequest;

/// The most keys of one request; both BatchGetItem and TransactGetItems take 100.
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
    /// Rows of a range.
    Page(PageRequest),
    /// The rows under these keys with their marks.
    Cut(Vec<Vec<u8>>),
    /// The marks of these keys.
    Marks(Vec<Vec<u8>>),
    /// Something of a stream.
    Stream(StreamRequest),
}

/// Rows of a range, until one of the bounds is met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// The first key inside.
    pub start: Vec<u8>,
    /// The first key behind; empty where there is no bound.
    pub end: Vec<u8>,
    /// From which end.
    pub direction: Direction,
    /// The most rows.
    pub rows_max: Option<u64>,
    /// Bytes as billed; the row that crosses the bound still belongs to the page.
    pub bytes_max: u64,
    /// Whether the rows are a local index's and the items behind them are wanted, too.
    pub fetch: bool,
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
