//! Executes read plans.
//!
//! A [`ReadPlan`] is all that is left of a read request once it was checked against the catalog: which rows, what to
//! keep of them, how to write the reply. It was made by pure code ([`crate::plan`]), names exactly the tokens it
//! reads ([`ReadPlan::read_set`]), and is executed over [`Views`] that the caller took **after** it confirmed its lease
//! for those shards. Executing validates nothing again; it can only fail where the store does, or where the answer
//! itself is an error that depends on data.
//!
//! ```text
//! request ─plan─▶ ReadPlan ─read_set()─▶ guard: lease, locks, views ─execute()─▶ JSON body
//! ```
//!
//! Rows go from their stored form straight into the response buffer: no tree is built for a row that is returned
//! whole, and a filter decodes only the attributes it names. So a page costs one cursor step, one filter and one copy
//! per row.
//!
//! - `point`: GetItem, one read of the newest state.
//! - `batch`: BatchGetItem.
//! - `transact`: TransactGetItems, over one cut.
//! - `page`: Query and Scan, one page.
//! - `statement`: PartiQL's reads of single items; its other reads are pages.
//! - [`Execution`]: the same over several shards, some of them on other nodes.
//! - [`remote`]: what one node asks another for, so that it can execute its plan there and here.

mod batch;
mod execution;
mod page;
mod point;
mod read_set;
pub mod remote;
mod report;
mod row;
mod source;
mod statement;
mod transact;
mod transaction;

use std::fmt;
use std::sync::Arc;

use dynamo_protocol::limits::{ITEM_BYTES_MAX, TRANSACTION_BYTES_MAX};

use shard_router::Token;

use crate::catalog::{TableDescriptor, TableId};

pub use crate::fault::ReadError;
pub(crate) use batch::{BatchRead, TableRead};
pub use execution::{Execution, PageResult};
use page::PageState;
pub(crate) use page::{PAGE_BYTES_MAX, PageRead, PageStyle, PartitionSpan, Span, just_behind};
pub use page::{Run, Step};
pub(crate) use point::PointRead;
pub use read_set::{ReadSet, ShardViews, Views};
pub(crate) use report::CapacityReport;
pub(crate) use row::Shape;
pub(crate) use source::Source;
pub(crate) use statement::{StatementGet, StatementRead, StatementSlot, StatementStyle};
pub(crate) use transact::{TransactItem, TransactRead};
pub use transaction::{deletions_high, intent_at};

/// A read, ready to run; see the module.
#[derive(Clone, Debug)]
pub struct ReadPlan {
    /// Of which operation, with what it needs.
    kind: Kind,
}

/// Which operation a plan is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadKind {
    /// GetItem.
    GetItem,
    /// BatchGetItem.
    BatchGetItem,
    /// Query.
    Query,
    /// Scan.
    Scan,
    /// TransactGetItems, and ExecuteTransaction that reads.
    TransactGetItems,
    /// ExecuteStatement.
    ExecuteStatement,
    /// BatchExecuteStatement.
    BatchExecuteStatement,
}

/// How a plan finds what it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// So many items, by their keys.
    Items(usize),
    /// So many ranges of rows, each in one partition.
    Ranges(usize),
    /// Every row of a table or an index.
    Scan,
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Access::Items(count) => write!(f, "items: {count}"),
            Access::Ranges(count) => write!(f, "ranges: {count}"),
            Access::Scan => f.write_str("scan"),
        }
    }
}

/// A table as a plan knows it, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TableVersion {
    /// Which table.
    pub id: TableId,
    /// The version of its description.
    pub version: u32,
}

#[derive(Clone, Debug)]
enum Kind {
    Point(PointRead),
    Batch(BatchRead),
    Page(Box<PageRead>),
    Transact(TransactRead),
    Statement(StatementRead),
}

impl ReadPlan {
    /// Which operation it is of.
    pub fn kind(&self) -> ReadKind {
        match &self.kind {
            Kind::Point(_) => ReadKind::GetItem,
            Kind::Batch(_) => ReadKind::BatchGetItem,
            Kind::Page(read) if read.style == PageStyle::Items => ReadKind::ExecuteStatement,
            Kind::Page(read) => match read.span {
                Span::Partitions(_) => ReadKind::Query,
                Span::Tokens { .. } => ReadKind::Scan,
            },
            Kind::Transact(_) => ReadKind::TransactGetItems,
            Kind::Statement(read) => match read.style {
                StatementStyle::Items => ReadKind::ExecuteStatement,
                StatementStyle::Responses => ReadKind::BatchExecuteStatement,
            },
        }
    }

    /// How it finds what it reads.
    pub fn access(&self) -> Access {
        match &self.kind {
            Kind::Point(_) => Access::Items(1),
            Kind::Batch(read) => Access::Items(read.keys().count()),
            Kind::Transact(read) => Access::Items(read.items.len()),
            Kind::Statement(read) => Access::Items(read.gets().count()),
            Kind::Page(read) => match &read.span {
                Span::Partitions(partitions) => Access::Ranges(partitions.len()),
                Span::Tokens { .. } => Access::Scan,
            },
        }
    }

    /// The tokens that this plan reads, no more and no fewer.
    pub fn read_set(&self) -> ReadSet {
        match &self.kind {
            Kind::Point(read) => ReadSet::Keys(vec![read.key.token]),
            Kind::Batch(read) => ReadSet::keys(read.keys().map(|key| key.token)),
            Kind::Page(read) => read.read_set(&PageState::default()),
            Kind::Transact(read) => ReadSet::keys(read.items.iter().map(|item| item.key.token)),
            Kind::Statement(read) => ReadSet::keys(read.gets().map(|get| get.key.token)),
        }
    }

    /// Whether all reads must come from one moment, so that a snapshot has to be taken. A single point read looks at
    /// the newest applied state; a batch promises no common moment, each key being a read of its own; a page is one
    /// cursor, which shows one moment by itself, unless it also fetches items from the table.
    pub fn needs_view(&self) -> bool {
        match &self.kind {
            Kind::Point(_) | Kind::Batch(_) | Kind::Statement(_) => false,
            Kind::Page(read) => read.fetch,
            Kind::Transact(_) => true,
        }
    }

    /// Whether it is worth running the plan on the store's memory-only tier without leaving the calling thread, with
    /// [`Run::INLINE`]. Only a scan without a small limit is not.
    pub fn is_short(&self) -> bool {
        match &self.kind {
            Kind::Page(read) => read.is_short(),
            _ => true,
        }
    }

    /// How many bytes the reply may come to, about, whatever is found: what is set aside for it before anything is read.
    /// Text of bytes is longer by a third, most else is shorter than its JSON by as much.
    pub fn reply_bytes_max(&self) -> usize {
        let of_items = |items: usize, most: usize| 2 * items.saturating_mul(ITEM_BYTES_MAX).min(most);
        match &self.kind {
            Kind::Point(_) => of_items(1, usize::MAX),
            Kind::Batch(read) => of_items(read.keys().count(), batch::REPLY_BYTES_MAX),
            Kind::Transact(read) => of_items(read.items.len(), TRANSACTION_BYTES_MAX),
            Kind::Statement(read) => of_items(read.gets().count(), usize::MAX),
            Kind::Page(read) => {
                let rows = read.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
                of_items(rows, page::PAGE_BYTES_MAX + ITEM_BYTES_MAX)
            }
        }
    }

    /// Whether the client asked for strongly consistent reads (in a batch: for at least one table).
    pub fn is_consistent(&self) -> bool {
        match &self.kind {
            Kind::Point(read) => read.consistent,
            Kind::Batch(read) => read.tables.iter().any(|table| table.consistent),
            Kind::Page(read) => read.consistent,
            Kind::Transact(_) => true,
            Kind::Statement(read) => read.gets().any(|get| get.consistent),
        }
    }

    /// The tables as this plan knows them: the guard compares their versions with those installed in the shards that
    /// it reads, and plans again where they differ.
    pub fn tables(&self) -> Vec<&Arc<TableDescriptor>> {
        match &self.kind {
            Kind::Point(read) => vec![&read.table],
            Kind::Batch(read) => read.tables.iter().map(|table| &table.table).collect(),
            Kind::Page(read) => vec![&read.source.table],
            Kind::Transact(read) => read.items.iter().map(|item| &item.table).collect(),
            Kind::Statement(read) => read.gets().map(|get| &get.table).collect(),
        }
    }

    /// The versions of the tables of which it reads something at tokens that are `wanted`, each once.
    fn table_versions(&self, wanted: impl Fn(Token) -> bool) -> Vec<TableVersion> {
        let tables: Vec<&Arc<TableDescriptor>> = match &self.kind {
            Kind::Point(read) => vec![&read.table],
            Kind::Page(read) => vec![&read.source.table],
            Kind::Batch(read) => {
                let is_read = |table: &&TableRead| table.keys.iter().any(|key| wanted(key.token));
                read.tables.iter().filter(is_read).map(|table| &table.table).collect()
            }
            Kind::Transact(read) => {
                read.items.iter().filter(|item| wanted(item.key.token)).map(|item| &item.table).collect()
            }
            Kind::Statement(read) => read.gets().filter(|get| wanted(get.key.token)).map(|get| &get.table).collect(),
        };
        let mut versions: Vec<TableVersion> =
            tables.into_iter().map(|table| TableVersion { id: table.id, version: table.schema_version }).collect();
        versions.sort_unstable();
        versions.dedup();
        versions
    }
}

impl From<PointRead> for ReadPlan {
    fn from(read: PointRead) -> Self {
        ReadPlan { kind: Kind::Point(read) }
    }
}

impl From<BatchRead> for ReadPlan {
    fn from(read: BatchRead) -> Self {
        ReadPlan { kind: Kind::Batch(read) }
    }
}

impl From<PageRead> for ReadPlan {
    fn from(read: PageRead) -> Self {
        ReadPlan { kind: Kind::Page(Box::new(read)) }
    }
}

impl From<TransactRead> for ReadPlan {
    fn from(read: TransactRead) -> Self {
        ReadPlan { kind: Kind::Transact(read) }
    }
}

impl From<StatementRead> for ReadPlan {
    fn from(read: StatementRead) -> Self {
        ReadPlan { kind: Kind::Statement(read) }
    }
}
