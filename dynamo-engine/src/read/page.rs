//! Query and Scan: one page of rows, of the table or of an index.
//!
//! A page ends where the first of these is met: the end of what was asked for, `Limit` rows **evaluated**, or 1 MB
//! evaluated (the row that crosses the bound still counts). Evaluated means read, before the filter; so a page can be
//! empty and still have a LastEvaluatedKey. That key is the key of the last row evaluated, with the table's and the
//! index's attributes: no shard and no epoch, so the next page can start anywhere.
//!
//! ```text
//! rows of the range ─▶ evaluated (ScannedCount, bytes) ─filter─▶ Count ─▶ [fetch from the table] ─▶ shape ─▶ Items
//! ```
//!
//! A scan walks the ring in token order and takes the reader of each span as it gets there, so it can go on from one
//! shard into the next.

use dynamo_expression::Condition;
use dynamo_protocol::json::JsonWriter;
use ordered_kv::{Direction, KeyRange, Reader};
use shard_router::{Token, TokenRange};

use crate::capacity::{Consumed, Units};
use crate::item::ItemRef;
use crate::keyspace::id_range;
use crate::plan::source::Source;

use super::report::{CapacityReport, units};
use super::{Fence, ReadError, Shape, Views};

/// The most bytes evaluated for one page. The service's 1 MB.
const PAGE_BYTES_MAX: usize = 1024 * 1024;

/// A scan of at most so many rows counts as short.
const SHORT_ROWS_MAX: u64 = 100;

/// Room that a reply takes at first; it grows as rows need it.
const REPLY_BYTES_START: usize = 4096;

/// A planned Query or Scan.
#[derive(Clone, Debug)]
pub(crate) struct PageRead {
    /// The table or index.
    pub source: Source,
    /// Where in it.
    pub span: Span,
    /// Ascending or descending.
    pub direction: Direction,
    /// The most rows to evaluate.
    pub limit: Option<u64>,
    /// Which rows to return.
    pub filter: Option<Condition>,
    /// What to return of each; `None` counts only.
    pub shape: Option<Shape>,
    /// Whether the items behind local-index rows are read from the table.
    pub fetch: bool,
    /// Strongly consistent, so billed twice.
    pub consistent: bool,
    /// What to report of the capacity, and under which table name.
    pub report: CapacityReport,
}

/// The rows that a page may read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Span {
    /// Rows of one partition.
    Partition {
        /// Its token.
        token: Token,
        /// The first key inside.
        start: Vec<u8>,
        /// The first key behind.
        end: Vec<u8>,
    },
    /// Rows of a part of the ring.
    Tokens {
        /// The part that is left to read.
        span: TokenRange,
        /// Only rows behind this key.
        after: Option<Vec<u8>>,
    },
}

impl PageRead {
    pub(super) fn fence(&self) -> Fence {
        match &self.span {
            Span::Partition { token, .. } => Fence::Keys(vec![*token]),
            Span::Tokens { span, .. } => Fence::Ranges(vec![*span]),
        }
    }

    /// Whether the page is likely to be small: a query, or a scan of a few rows.
    pub(super) fn is_short(&self) -> bool {
        matches!(self.span, Span::Partition { .. }) || self.limit.is_some_and(|limit| limit <= SHORT_ROWS_MAX)
    }

    /// `bytes_max` bounds the bytes evaluated: beyond it the page is [`ReadError::TooLong`].
    pub(super) fn execute(&self, views: &dyn Views, out: &mut Vec<u8>, bytes_max: usize) -> Result<(), ReadError> {
        out.reserve(REPLY_BYTES_START);
        let mut page = Page::begin(self, out, bytes_max);
        match &self.span {
            Span::Partition { token, start, end } => page.walk(views.reader(*token), start, end)?,
            Span::Tokens { span, after } => page.walk_ring(views, *span, after.as_deref())?,
        }
        page.finish();
        Ok(())
    }
}

impl PageRead {
    /// What a page of `evaluated` bytes consumed, and `fetched` from the table behind a local index.
    fn consumed(&self, evaluated: usize, fetched: Units) -> Consumed {
        let mut consumed = self.report.tally();
        let units = units(evaluated, self.consistent);
        match self.source.index() {
            None => consumed.table = units,
            Some(index) => {
                consumed.table = fetched;
                let arms = if index.local { &mut consumed.local_indexes } else { &mut consumed.global_indexes };
                arms.insert(index.name.clone(), units);
            }
        }
        consumed
    }
}

/// A page while it is being filled.
struct Page<'a> {
    read: &'a PageRead,
    json: JsonWriter<'a>,
    /// What may be evaluated here; the page itself is bounded by [`PAGE_BYTES_MAX`].
    bytes_max: usize,
    evaluated_bytes: usize,
    scanned: u64,
    count: u64,
    fetched: Units,
    /// The JSON of the LastEvaluatedKey, once the page is full.
    last_key: Option<Vec<u8>>,
}

impl<'a> Page<'a> {
    fn begin(read: &'a PageRead, out: &'a mut Vec<u8>, bytes_max: usize) -> Page<'a> {
        let mut json = JsonWriter::new(out);
        json.begin_object();
        if read.shape.is_some() {
            json.key("Items").begin_array();
        }
        let fetched = Units::default();
        Page { read, json, bytes_max, evaluated_bytes: 0, scanned: 0, count: 0, fetched, last_key: None }
    }

    /// Walks a part of the ring, one reader's span after the other, until the page is full.
    fn walk_ring(&mut self, views: &dyn Views, span: TokenRange, after: Option<&[u8]>) -> Result<(), ReadError> {
        let mut first = span.first();
        loop {
            let last = views.last_token(first).min(span.last());
            let range = id_range(self.read.source.space(), self.read.source.id(), first, last);
            let start = match after {
                Some(after) => range.start.max(just_behind(after)),
                None => range.start,
            };
            self.walk(views.reader(first), &start, &range.end)?;
            if self.last_key.is_some() || last == span.last() {
                return Ok(());
            }
            first = Token(last.0 + 1);
        }
    }

    /// Evaluates the rows from `start` to `end` (empty: no bound) until the page is full.
    fn walk(&mut self, reader: &dyn Reader, start: &[u8], end: &[u8]) -> Result<(), ReadError> {
        if !end.is_empty() && start >= end {
            return Ok(());
        }
        let range = if end.is_empty() { KeyRange::from(start) } else { KeyRange::between(start, end) };
        let mut rows = reader.cursor(range, self.read.direction)?;
        while let Some((key, row)) = rows.next()? {
            let item = ItemRef::parse(row)?;
            self.evaluate(reader, key, &item)?;
            if self.is_full() {
                self.last_key = Some(self.read.source.key_json(&item)?);
                return Ok(());
            }
            if self.evaluated_bytes > self.bytes_max {
                return Err(ReadError::TooLong);
            }
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.evaluated_bytes > PAGE_BYTES_MAX || self.read.limit.is_some_and(|limit| self.scanned >= limit)
    }

    fn evaluate(&mut self, reader: &dyn Reader, row_key: &[u8], row: &ItemRef<'_>) -> Result<(), ReadError> {
        self.scanned += 1;
        self.evaluated_bytes += row.billed_bytes();
        if !self.read.fetch {
            return self.filter(row);
        }
        // The token of a local index's row is its item's, so the same reader has the item.
        let key = self.read.source.base_key(row_key, row)?;
        let Some(base) = reader.get(&key)? else {
            return Ok(());
        };
        let item = ItemRef::parse(&base)?;
        self.fetched += units(item.billed_bytes(), self.read.consistent);
        self.filter(&item)
    }

    fn filter(&mut self, item: &ItemRef<'_>) -> Result<(), ReadError> {
        if self.read.filter.as_ref().is_some_and(|filter| !filter.eval(item)) {
            return Ok(());
        }
        self.count += 1;
        if let Some(shape) = &self.read.shape {
            shape.write(item, &mut self.json)?;
        }
        Ok(())
    }

    fn finish(mut self) {
        let json = &mut self.json;
        if self.read.shape.is_some() {
            json.end_array();
        }
        json.key("Count").u64(self.count);
        json.key("ScannedCount").u64(self.scanned);
        if let Some(key) = &self.last_key {
            json.key("LastEvaluatedKey").raw(|out| out.extend_from_slice(key));
        }
        if self.read.report.is_wanted() {
            json.key("ConsumedCapacity");
            self.read.report.write(&self.read.consumed(self.evaluated_bytes, self.fetched), false, json);
        }
        json.end_object();
    }
}

/// The smallest key above `key`.
pub(crate) fn just_behind(key: &[u8]) -> Vec<u8> {
    let mut behind = Vec::with_capacity(key.len() + 1);
    behind.extend_from_slice(key);
    behind.push(0);
    behind
}
