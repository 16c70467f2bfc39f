//! The numbers that stand for tables and indexes in keys and commands.

/// A table. Allocated by apply from one replicated counter, never used twice: a table that is created again under its
/// old name has another id, so rows and commands of the old one can never be taken for the new one's. The default, 0, is
/// no table's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableId(pub u64);

/// An index, from the same counter as [`TableId`]; no index has the number of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IndexId(pub u64);
