//! What a shard supplied, and reading it.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use ordered_kv::{Cursor, Direction, KeyRange, Reader, StoreError, Value};

use super::{Mark, Need, PageNeed, Wants};
use crate::stream::StreamSupply;

/// What the leader of a shard answers to a [`Need`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Supply {
    /// A table is not installed there as the plan knows it: plan again.
    Stale,
    /// Rows of the wanted keys, in their order; fewer than keys where the bound was met.
    Rows(Vec<Option<Value>>),
    /// Rows of the wanted range.
    Page {
        /// Keys and rows, in the wanted direction.
        rows: Vec<(Value, Value)>,
        /// The items behind the rows, where they were wanted: as many as there are rows.
        items: Vec<(Value, Option<Value>)>,
        /// Whether the range has no more rows.
        is_end: bool,
    },
    /// Rows of the wanted keys with their marks.
    Cut {
        /// As in [`Supply::Rows`].
        rows: Vec<Option<Value>>,
        /// One for each key.
        marks: Vec<Mark>,
    },
    /// Marks of the wanted keys, one for each.
    Marks(Vec<Mark>),
    /// What was wanted of a stream.
    Stream(StreamSupply),
}

/// The answer does not fit the question: a fault of the node that answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the supply does not fit the need")]
pub struct MisfitError;

/// A supply as a reader for the plan that needed it.
///
/// It has the rows that were asked for and knows nothing else: to look for anything else is an error, never "no such
/// row".
#[derive(Clone, Debug)]
pub struct Supplied {
    /// By key; `None` is known not to be there.
    rows: BTreeMap<Value, Option<Value>>,
    page: Option<SuppliedPage>,
}

#[derive(Clone, Debug)]
struct SuppliedPage {
    need: PageNeed,
    /// In the wanted direction.
    rows: Vec<(Value, Value)>,
    is_end: bool,
}

impl Supplied {
    /// Puts the answer to the question.
    ///
    /// # Errors
    /// Where it is not an answer to this question; nothing of it may be believed then. A stale answer and one without
    /// rows are no answer here either.
    pub fn new(need: Need, supply: Supply) -> Result<Supplied, MisfitError> {
        match (need.wants, supply) {
            (Wants::Keys { keys, .. } | Wants::Cut(keys), Supply::Rows(rows) | Supply::Cut { rows, .. }) => {
                if rows.len() > keys.len() {
                    return Err(MisfitError);
                }
                let rows = keys.into_iter().map(Value::from).zip(rows).collect();
                Ok(Supplied { rows, page: None })
            }
            (Wants::Page(need), Supply::Page { rows, items, is_end }) => {
                check_page(&need, &rows, &items)?;
                let rows = SuppliedPage { need, rows, is_end };
                Ok(Supplied { rows: items.into_iter().collect(), page: Some(rows) })
            }
            _ => Err(MisfitError),
        }
    }
}

/// The rows are of the range, in order, and each has its item where items were wanted.
fn check_page(need: &PageNeed, rows: &[(Value, Value)], items: &[(Value, Option<Value>)]) -> Result<(), MisfitError> {
    let wanted = match need.direction {
        Direction::Forward => Ordering::Less,
        Direction::Backward => Ordering::Greater,
    };
    let is_inside = |key: &Value| key[..] >= need.start[..] && (need.end.is_empty() || key[..] < need.end[..]);
    let is_sound = rows.iter().all(|(key, _)| is_inside(key))
        && rows.windows(2).all(|pair| pair[0].0.cmp(&pair[1].0) == wanted)
        && items.len() == if need.fetch { rows.len() } else { 0 };
    if is_sound { Ok(()) } else { Err(MisfitError) }
}

/// The plan looked for something that it had not asked for. Cannot happen while a need is made of the plan itself.
fn not_supplied() -> StoreError {
    StoreError::Misuse("a plan read what it had not asked for".to_owned())
}

impl Reader for Supplied {
    fn get(&self, key: &[u8]) -> Result<Option<Value>, StoreError> {
        self.rows.get(key).cloned().ok_or_else(not_supplied)
    }

    fn cursor(&self, range: KeyRange<'_>, direction: Direction) -> Result<Box<dyn Cursor + '_>, StoreError> {
        let page = self.page.as_ref().ok_or_else(not_supplied)?;
        let starts_inside = range.lower().is_some_and(|start| start[..] >= page.need.start[..]);
        let ends_inside = page.need.end.is_empty() || range.upper().is_some_and(|end| end[..] <= page.need.end[..]);
        if direction != page.need.direction || !starts_inside || !ends_inside {
            return Err(not_supplied());
        }
        let rows: Vec<_> = page.rows.iter().filter(|(key, _)| range.contains(key)).collect();
        Ok(Box::new(SuppliedCursor { rows: rows.into_iter(), is_end: page.is_end }))
    }
}

struct SuppliedCursor<'a> {
    rows: std::vec::IntoIter<&'a (Value, Value)>,
    is_end: bool,
}

impl Cursor for SuppliedCursor<'_> {
    fn next(&mut self) -> Result<Option<(&[u8], &[u8])>, StoreError> {
        match self.rows.next() {
            Some((key, row)) => Ok(Some((key, row))),
            None if self.is_end => Ok(None),
            None => Err(not_supplied()),
        }
    }
}
