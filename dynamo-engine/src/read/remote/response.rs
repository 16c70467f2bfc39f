//! What was fetched of a shard, as a reader.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use ordered_kv::{Cursor, Direction, KeyRange, Reader, StoreError, Value};

use super::{FetchRequest, Mark, PageRequest, RowRange, Selector};
use crate::stream::StreamResponse;

/// What the leader of a shard answers to a [`FetchRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchResponse {
    /// A table is not installed there as the plan knows it: plan again.
    Stale,
    /// Rows of the wanted keys, in their order; fewer than keys where the bound was met.
    Rows(Vec<Option<Value>>),
    /// Rows of the wanted ranges, one after the other.
    Page {
        /// Keys and rows, in the wanted direction.
        rows: Vec<(Value, Value)>,
        /// The items behind the rows, where they were wanted: as many as there are rows.
        items: Vec<(Value, Option<Value>)>,
        /// Whether the ranges have no more rows.
        is_end: bool,
    },
    /// Rows of the wanted keys with their marks.
    Cut {
        /// As in [`FetchResponse::Rows`].
        rows: Vec<Option<Value>>,
        /// One for each key.
        marks: Vec<Mark>,
    },
    /// Marks of the wanted keys, one for each.
    Marks(Vec<Mark>),
    /// What was wanted of a stream.
    Stream(StreamResponse),
}

/// The answer does not fit the question: a fault of the node that answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the response does not fit the request")]
pub struct MismatchError;

/// A response as a reader for the plan that asked.
///
/// It has the rows that were asked for and knows nothing else: to look for anything else is an error, never "no such
/// row".
#[derive(Clone, Debug)]
pub struct Fetched {
    /// By key; `None` is known not to be there.
    rows: BTreeMap<Value, Option<Value>>,
    /// Rows of ranges, where a page was asked for.
    page: Option<FetchedPage>,
}

#[derive(Clone, Debug)]
struct FetchedPage {
    /// What was asked for.
    request: PageRequest,
    /// In the wanted direction.
    rows: Vec<(Value, Value)>,
    /// Whether the ranges have no rows behind these.
    is_end: bool,
}

impl Fetched {
    /// Puts the answer to the question.
    ///
    /// # Errors
    /// Where it is not an answer to this question; nothing of it may be used then. A stale answer and one without
    /// rows are no answer here either.
    pub fn new(request: FetchRequest, response: FetchResponse) -> Result<Fetched, MismatchError> {
        match (request.selector, response) {
            (
                Selector::Keys { keys, .. } | Selector::Cut(keys),
                FetchResponse::Rows(rows) | FetchResponse::Cut { rows, .. },
            ) => {
                if rows.len() > keys.len() {
                    return Err(MismatchError);
                }
                let rows = keys.into_iter().map(Value::from).zip(rows).collect();
                Ok(Fetched { rows, page: None })
            }
            (Selector::Page(request), FetchResponse::Page { rows, items, is_end }) => {
                check_page(&request, &rows, &items)?;
                let rows = FetchedPage { request, rows, is_end };
                Ok(Fetched { rows: items.into_iter().collect(), page: Some(rows) })
            }
            _ => Err(MismatchError),
        }
    }
}

/// The rows are of the ranges, in order, and each has its item where items were wanted.
fn check_page(
    request: &PageRequest,
    rows: &[(Value, Value)],
    items: &[(Value, Option<Value>)],
) -> Result<(), MismatchError> {
    let wanted = match request.direction {
        Direction::Forward => Ordering::Less,
        Direction::Backward => Ordering::Greater,
    };
    let mut left = rows;
    for range in &request.ranges {
        let inside = left.iter().position(|(key, _)| !range.contains(key)).unwrap_or(left.len());
        let (these, others) = left.split_at(inside);
        if !these.windows(2).all(|pair| pair[0].0.cmp(&pair[1].0) == wanted) {
            return Err(MismatchError);
        }
        left = others;
    }
    let is_sound = left.is_empty() && items.len() == if request.fetch { rows.len() } else { 0 };
    if is_sound { Ok(()) } else { Err(MismatchError) }
}

/// The plan looked for something that it had not asked for. Cannot happen while a request is made of the plan itself.
fn not_fetched() -> StoreError {
    StoreError::Misuse("a plan read what it had not asked for".to_owned())
}

impl Reader for Fetched {
    fn get(&self, key: &[u8]) -> Result<Option<Value>, StoreError> {
        self.rows.get(key).cloned().ok_or_else(not_fetched)
    }

    fn cursor(&self, range: KeyRange<'_>, direction: Direction) -> Result<Box<dyn Cursor + '_>, StoreError> {
        let page = self.page.as_ref().ok_or_else(not_fetched)?;
        let lies_in = |whole: &&RowRange| {
            range.lower().is_some_and(|start| start[..] >= whole.start[..])
                && (whole.end.is_empty() || range.upper().is_some_and(|end| end[..] <= whole.end[..]))
        };
        let whole = page.request.ranges.iter().find(lies_in).filter(|_| direction == page.request.direction);
        let whole = whole.ok_or_else(not_fetched)?;
        // A range that is not the last one with rows was read to its end.
        let is_end = page.is_end || page.rows.last().is_some_and(|(key, _)| page.request.is_behind(key, whole));
        let rows: Vec<_> = page.rows.iter().filter(|(key, _)| range.contains(key)).collect();
        Ok(Box::new(SuppliedCursor { rows: rows.into_iter(), is_end }))
    }
}

struct SuppliedCursor<'a> {
    /// What is left, in the direction of the cursor.
    rows: std::vec::IntoIter<&'a (Value, Value)>,
    /// Whether the range ends with the last of them; otherwise looking further is an error.
    is_end: bool,
}

impl Cursor for SuppliedCursor<'_> {
    fn next(&mut self) -> Result<Option<(&[u8], &[u8])>, StoreError> {
        match self.rows.next() {
            Some((key, row)) => Ok(Some((key, row))),
            None if self.is_end => Ok(None),
            None => Err(not_fetched()),
        }
    }
}
