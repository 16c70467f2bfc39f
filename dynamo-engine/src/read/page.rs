//! Query and Scan: one page of rows, of the table or of an index.
//!
//! A page ends where the first of these is met: the end of what was asked for, `Limit` rows **evaluated**, or 1 MB
//! evaluated (the row that crosses the bound still counts; so do items fetched from the table behind a local index, or
//! a page of small index rows could bring gigabytes). Evaluated means read, before the filter; so a page can be
//! empty and still have a LastEvaluatedKey. A filter or projection that takes very much work ([`PAGE_STEPS_MAX`]) ends
//! the page, too. That key is the key of the last row evaluated, with the table's and the
//! index's attributes: no shard and no epoch, so the next page can start anywhere.
//!
//! ```text
//! rows of the range ─▶ evaluated (ScannedCount, bytes) ─filter─▶ Count ─▶ [fetch from the table] ─▶ shape ─▶ Items
//! ```
//!
//! A scan walks the ring in token order and takes the reader of each span as it gets there, so it can go on from one
//! shard into the next. Where a span's view is not there yet, it says so and can be resumed behind the last whole span:
//! all that it carries is a [`PageState`] and what was written so far. So the shards behind the end of a page need not
//! be asked, and one of them that is ill cannot fail it.

use std::borrow::Cow;

use dynamo_expression::{Condition, OutOfSteps, Steps};
use dynamo_protocol::json::{JsonWriter, Room};
use ordered_kv::{Direction, KeyRange, Reader};
use shard_router::{Token, TokenRange};

use crate::capacity::{Consumed, Units};
use crate::cost::{INLINE_STEPS_MAX, PAGE_STEPS_MAX, ROW_STEPS_MAX, STEPS_BETWEEN_QUESTIONS};
use crate::item::{Decoded, ItemRef};
use crate::keyspace::id_range;

use super::report::{CapacityReport, units};
use super::source::{Source, base_key};
use super::{ReadError, ReadSet, Shape, Views};

/// The most bytes evaluated for one page. The service's 1 MB.
pub(crate) const PAGE_BYTES_MAX: usize = 1024 * 1024;
/// The most bytes that a page evaluates without leaving the calling thread.
pub(super) const INLINE_BYTES_MAX: usize = 64 * 1024;

/// A scan of at most so many rows counts as short.
const SHORT_ROWS_MAX: u64 = 100;

/// Room that a reply takes at first; then what the page is likely to come to.
const REPLY_BYTES_START: usize = 4096;

/// What a reply may come to without leaving the calling thread.
const INLINE_REPLY_BYTES_MAX: usize = 256 << 10;

/// Room for such a reply.
#[derive(Debug)]
struct InlineRoom;

impl Room for InlineRoom {
    fn grow(&self, bytes: usize) -> bool {
        bytes <= INLINE_REPLY_BYTES_MAX
    }

    fn settle(&self, _: usize) {}
}

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
    /// The most bytes to evaluate; the row that crosses the bound still belongs to the page.
    pub bytes_max: usize,
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
    /// What is written.
    pub style: PageStyle,
}

/// What a page writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PageStyle {
    /// The reply of a Query or a Scan.
    Reply,
    /// Only the array of the rows: a part of a PartiQL statement's reply.
    Items,
}

/// How far an execution came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// To its end.
    Done,
    /// To where the view of the shard that owns this token is missing.
    Needs(Token),
}

/// How far an execution may go at a time.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// Bytes evaluated; past it, it is [`ReadError::TooLong`].
    bytes_max: usize,
    /// Steps of filter and projection; as well.
    steps_max: u64,
    /// Whether anybody still waits for it; where not, it is [`ReadError::Abandoned`].
    is_wanted: &'a dyn Fn() -> bool,
    /// Where the reply gets its room from, once it is large.
    room: Option<&'a dyn Room>,
    /// What it means that there is none: that it is too long for the calling thread, or that it cannot be made now.
    is_inline: bool,
}

impl<'a> Run<'a> {
    /// To the end, as long as somebody waits for it: that is asked every now and then while a page is made. Past it, it
    /// is [`ReadError::Abandoned`].
    pub fn while_wanted(is_wanted: &'a dyn Fn() -> bool) -> Run<'a> {
        Run { is_wanted, ..Run::WHOLE }
    }

    /// The same, with a reply that has room of its own.
    pub(super) fn in_room(self, room: &'a dyn Room) -> Run<'a> {
        Run { room: Some(room), is_inline: false, ..self }
    }

    /// A writer that appends to `out` where there is room.
    pub(super) fn writer(&self, out: &'a mut Vec<u8>) -> JsonWriter<'a> {
        JsonWriter::new(out).asking(self.room)
    }

    /// What came of a read, in the words of this run.
    pub(super) fn told<T>(&self, result: Result<T, ReadError>) -> Result<T, ReadError> {
        match result {
            Err(ReadError::NoRoom) if self.is_inline => Err(ReadError::TooLong),
            result => result,
        }
    }
}

impl Run<'_> {
    /// Bytes that may be evaluated.
    pub(super) fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// Steps for the filters of what is no page, all of them together.
    pub(super) fn steps(&self) -> Steps {
        Steps::new(self.steps_max.min(ROW_STEPS_MAX))
    }

    /// What it means that these were not enough.
    pub(super) fn out_of_steps(&self) -> ReadError {
        if self.steps_max < ROW_STEPS_MAX { ReadError::TooLong } else { ReadError::out_of_steps(OutOfSteps) }
    }
}

impl Run<'static> {
    /// To the end.
    pub const WHOLE: Run<'static> =
        Run { bytes_max: usize::MAX, steps_max: u64::MAX, is_wanted: &|| true, room: None, is_inline: false };
    /// Where nothing may take long: [`ReadError::TooLong`] once 64 KB were evaluated or the reply has 256 KB, which is some tens of
    /// microseconds. The caller then begins anew where blocking is allowed.
    pub const INLINE: Run<'static> = Run {
        bytes_max: INLINE_BYTES_MAX,
        steps_max: INLINE_STEPS_MAX,
        is_wanted: &|| true,
        room: Some(&InlineRoom),
        is_inline: true,
    };
}

/// Rows of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PartitionSpan {
    /// Its token.
    pub token: Token,
    /// The first key inside.
    pub start: Vec<u8>,
    /// The first key behind; empty where there is no bound.
    pub end: Vec<u8>,
}

/// The rows that a page may read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Span {
    /// Rows of partitions, one after the other; a Query has one, a PartiQL statement may name several.
    Partitions(Vec<PartitionSpan>),
    /// Rows of a part of the ring.
    Tokens {
        /// The part that is left to read.
        span: TokenRange,
        /// Only rows behind this key.
        after: Option<Vec<u8>>,
    },
}

impl PageRead {
    /// What is left to read of the page.
    pub(super) fn read_set(&self, state: &PageState) -> ReadSet {
        match &self.span {
            Span::Partitions(partitions) => {
                ReadSet::keys(partitions.iter().skip(state.partition).map(|partition| partition.token))
            }
            Span::Tokens { span, .. } => ReadSet::Ranges(vec![rest(*span, state)]),
        }
    }

    /// The ranges of rows that the owner of these parts of the ring has of what is left, by their first key and the first
    /// one behind (empty: no bound); of a scan, in the first part.
    pub(super) fn ranges_left(&self, state: &PageState, parts: &[TokenRange]) -> Vec<(Vec<u8>, Vec<u8>)> {
        match &self.span {
            Span::Partitions(partitions) => {
                let is_inside = |token| parts.iter().any(|part| part.contains(token));
                let left = partitions.iter().skip(state.partition).filter(|partition| is_inside(partition.token));
                left.map(|left| (left.start.clone(), left.end.clone())).collect()
            }
            Span::Tokens { span, .. } => {
                let rest = rest(*span, state);
                let part = parts.first().and_then(|first| first.intersection(&rest)).unwrap_or(rest);
                vec![self.part(part.first(), part.last())]
            }
        }
    }

    /// The bytes that the page may still read; the row that crosses the bound belongs to it.
    pub(super) fn bytes_left(&self, state: &PageState) -> usize {
        self.bytes_max.saturating_sub(state.bytes())
    }

    /// The most rows that are left to evaluate.
    pub(super) fn rows_left(&self, state: &PageState) -> Option<u64> {
        self.limit.map(|limit| limit.saturating_sub(state.scanned))
    }

    /// Whether the page is likely to be small: a query, or a scan of a few rows.
    pub(super) fn is_short(&self) -> bool {
        matches!(self.span, Span::Partitions(_)) || self.limit.is_some_and(|limit| limit <= SHORT_ROWS_MAX)
    }

    /// Fills the page from where `state` is, one reader's span after the other, as far as `run` allows. After an error or a missing view `state` is as it was behind
    /// the last whole span.
    pub(super) fn advance(
        &self,
        state: &mut PageState,
        views: &dyn Views,
        out: &mut Vec<u8>,
        run: Run<'_>,
    ) -> Result<Step, ReadError> {
        self.begin(state, out);
        let run = Run {
            bytes_max: state.bytes().saturating_add(run.bytes_max),
            steps_max: state.steps.saturating_add(run.steps_max),
            ..run
        };
        loop {
            let stretch = match self.stretch(state, views) {
                Ok(stretch) => stretch,
                Err(token) => return Ok(Step::Needs(token)),
            };
            let json = JsonWriter::resume(out).asking(run.room);
            let mut page = Page { read: self, json, run, asked_at: state.work(), state: state.clone() };
            page.walk(stretch.reader, &stretch.start, &stretch.end)?;
            if page.state.last_key.is_some() || stretch.is_last {
                *state = page.finish();
                state.validate(self.limit);
                return Ok(Step::Done);
            }
            *state = page.state;
            state.written = Some(out.len());
            match &self.span {
                Span::Partitions(_) => self.end_partition(state),
                Span::Tokens { .. } => state.next = stretch.next,
            }
            state.validate(self.limit);
        }
    }

    /// What one reader has of the page next; the token whose reader is missing.
    fn stretch<'v>(&self, state: &PageState, views: &'v dyn Views) -> Result<Stretch<'_, 'v>, Token> {
        match &self.span {
            Span::Partitions(partitions) => {
                let Some(partition) = partitions.get(state.partition) else { return Err(Token(0)) };
                let reader = views.reader(partition.token).ok_or(partition.token)?;
                let (start, end) = (Cow::Borrowed(&partition.start[..]), Cow::Borrowed(&partition.end[..]));
                Ok(Stretch { reader, start, end, is_last: state.partition + 1 == partitions.len(), next: None })
            }
            Span::Tokens { span, .. } => {
                let first = state.next.unwrap_or(span.first());
                let reader = views.reader(first).ok_or(first)?;
                let last = views.last_token(first).min(span.last());
                let (start, end) = self.part(first, last);
                let (start, end) = (Cow::Owned(start), Cow::Owned(end));
                Ok(Stretch { reader, start, end, is_last: last == span.last(), next: last.next() })
            }
        }
    }

    /// Goes on with the next partition. Each is billed by itself, as a query would be.
    fn end_partition(&self, state: &mut PageState) {
        state.partition += 1;
        state.settled += units(state.evaluated_bytes - state.settled_bytes, self.consistent);
        state.settled_bytes = state.evaluated_bytes;
    }

    /// Writes what stands in front of the rows, or drops what a failed attempt left behind the last whole span.
    fn begin(&self, state: &mut PageState, out: &mut Vec<u8>) {
        if let Some(written) = state.written {
            out.truncate(written);
            return;
        }
        out.reserve(REPLY_BYTES_START);
        let mut json = JsonWriter::new(out);
        match self.style {
            PageStyle::Items => {
                json.begin_array();
            }
            PageStyle::Reply => {
                json.begin_object();
                if self.shape.is_some() {
                    json.key("Items").begin_array();
                }
            }
        }
        state.written = Some(out.len());
    }

    /// The rows of a scan that have these tokens: the first key inside and the first one behind (empty: no bound).
    fn part(&self, first: Token, last: Token) -> (Vec<u8>, Vec<u8>) {
        let range = id_range(self.source.space(), self.source.id(), first, last);
        let start = match &self.span {
            Span::Tokens { after: Some(after), .. } => range.start.max(just_behind(after)),
            _ => range.start,
        };
        (start, range.end)
    }
}

/// The part of the ring that is left to read.
fn rest(whole: TokenRange, state: &PageState) -> TokenRange {
    state.next.and_then(|next| TokenRange::new(next, whole.last())).unwrap_or(whole)
}

/// Rows that one reader has without a gap.
struct Stretch<'p, 'v> {
    /// Who has them.
    reader: &'v dyn Reader,
    /// The first key inside.
    start: Cow<'p, [u8]>,
    /// The first key behind; empty where there is no bound.
    end: Cow<'p, [u8]>,
    /// Whether they are the last of the page.
    is_last: bool,
    /// Where the next one begins, of a scan.
    next: Option<Token>,
}

impl PageRead {
    /// What the page consumed.
    pub(super) fn consumed(&self, state: &PageState) -> Consumed {
        let mut consumed = self.report.tally();
        let mut units = units(state.evaluated_bytes - state.settled_bytes, self.consistent);
        units += state.settled;
        match self.source.index() {
            None => consumed.table = units,
            Some(index) => {
                consumed.table = state.fetched;
                let arms = if index.local { &mut consumed.local_indexes } else { &mut consumed.global_indexes };
                arms.insert(index.name.clone(), units);
            }
        }
        consumed
    }
}

/// How far a page has come: behind some whole spans.
#[derive(Clone, Debug, Default)]
pub(super) struct PageState {
    /// Where the next span begins; `None` at the start.
    next: Option<Token>,
    /// Which partition is read, from 0.
    pub(super) partition: usize,
    /// What the partitions before it cost, and how many bytes that were.
    settled: Units,
    /// Bytes as billed of the partitions before it.
    settled_bytes: usize,
    /// How much was written by then; `None` before anything was.
    written: Option<usize>,
    /// Bytes as billed of the rows that were looked at.
    pub(super) evaluated_bytes: usize,
    /// Bytes of the items fetched from the table behind a local index.
    fetched_bytes: usize,
    /// Rows that were looked at.
    pub(super) scanned: u64,
    /// Rows that the filter let through.
    count: u64,
    /// Steps of filter and projection.
    steps: u64,
    /// What the items behind a local index's rows cost.
    pub(super) fetched: Units,
    /// The JSON of the LastEvaluatedKey, once the page is full.
    pub(super) last_key: Option<Vec<u8>>,
}

impl PageState {
    /// Checks how the fields must relate; called in debug builds behind every span.
    fn validate(&self, limit: Option<u64>) {
        debug_assert!(self.count <= self.scanned, "only rows that were looked at are returned");
        debug_assert!(
            limit.is_none_or(|limit| self.scanned <= limit),
            "no more rows are looked at than were asked for"
        );
        debug_assert!(self.fetched_bytes == 0 || self.scanned > 0, "an item is fetched for a row");
        debug_assert!(self.written.is_some(), "what stands in front of the rows is written");
    }

    /// How much was written behind the last whole span.
    pub(super) fn written(&self) -> usize {
        self.written.unwrap_or(0)
    }

    /// What the page has read so far.
    pub(super) fn bytes(&self) -> usize {
        self.evaluated_bytes + self.fetched_bytes
    }

    /// What it has done so far: bytes and steps.
    fn work(&self) -> u64 {
        self.steps + self.bytes() as u64
    }
}

/// A page while a span of it is being read.
struct Page<'a> {
    /// The plan.
    read: &'a PageRead,
    /// Where rows are written.
    json: JsonWriter<'a>,
    /// What may be done here, counted from the page's beginning; the page itself is bounded by
    /// [`PageRead::bytes_max`].
    run: Run<'a>,
    /// The work when it was last asked whether the page is wanted.
    asked_at: u64,
    /// How far it has come.
    state: PageState,
}

impl Page<'_> {
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
                self.state.last_key = Some(self.read.source.key_json(&item)?);
                return Ok(());
            }
            if self.state.bytes() > self.run.bytes_max {
                return Err(ReadError::TooLong);
            }
            self.check_wanted()?;
        }
        Ok(())
    }

    fn check_wanted(&mut self) -> Result<(), ReadError> {
        let work = self.state.work();
        if work - self.asked_at < STEPS_BETWEEN_QUESTIONS {
            return Ok(());
        }
        self.asked_at = work;
        if (self.run.is_wanted)() { Ok(()) } else { Err(ReadError::Abandoned) }
    }

    fn is_full(&self) -> bool {
        self.state.bytes() > self.read.bytes_max
            || self.state.steps > PAGE_STEPS_MAX
            || self.read.limit.is_some_and(|limit| self.state.scanned >= limit)
    }

    fn evaluate(&mut self, reader: &dyn Reader, row_key: &[u8], row: &ItemRef<'_>) -> Result<(), ReadError> {
        self.state.scanned += 1;
        self.state.evaluated_bytes += row.billed_bytes();
        if !self.read.fetch {
            return self.filter(row);
        }
        // The token of a local index's row is its item's, so the same reader has the item.
        let key = base_key(&self.read.source.table, row_key, row)?;
        let Some(base) = reader.get(&key)? else {
            return Ok(());
        };
        let item = ItemRef::parse(&base)?;
        self.state.fetched_bytes += item.billed_bytes();
        self.state.fetched += units(item.billed_bytes(), self.read.consistent);
        self.filter(&item)
    }

    fn filter(&mut self, item: &ItemRef<'_>) -> Result<(), ReadError> {
        let left = self.run.steps_max - self.state.steps;
        let budget = left.min(ROW_STEPS_MAX);
        let steps = Steps::new(budget);
        let result = self.filter_counted(item, &steps);
        self.state.steps += budget - steps.left();
        match result {
            // Not the row's budget but the thread's is used up.
            Err(ReadError::Client(_)) if left < ROW_STEPS_MAX => Err(ReadError::TooLong),
            result => result,
        }
    }

    fn filter_counted(&mut self, item: &ItemRef<'_>, steps: &Steps) -> Result<(), ReadError> {
        if let Some(filter) = &self.read.filter
            && !filter.eval(&Decoded::new(*item), steps).map_err(ReadError::out_of_steps)?
        {
            return Ok(());
        }
        self.state.count += 1;
        if let Some(shape) = &self.read.shape {
            let before = self.json.len();
            shape.write_counted(item, &mut self.json, steps)?;
            self.make_room(self.json.len() - before);
        }
        Ok(())
    }

    /// Sees to room for the rest of the page, where there is none for two more rows of `row_bytes`. The more rows were seen,
    /// the further their average is trusted; so a page of a megabyte is moved two or three times, and touches no memory that
    /// it does not need.
    fn make_room(&mut self, row_bytes: usize) {
        if self.json.spare() >= 2 * row_bytes {
            return;
        }
        let written = self.json.len();
        let (scanned, count) = (saturated(self.state.scanned), saturated(self.state.count));
        let bytes_left = self.read.bytes_max.min(self.run.bytes_max).saturating_sub(self.state.bytes());
        let rest = |left: usize, done: usize| written.saturating_mul(left) / done.max(1);
        let by_bytes = rest(bytes_left, self.state.bytes());
        let by_rows = rest(self.read.rows_left(&self.state).map_or(usize::MAX, saturated), scanned);
        let likely = by_bytes.min(by_rows).min(written.saturating_mul(count));
        // Rows differ, and the last one crosses the bound.
        self.json.reserve(likely + likely / 16 + 2 * row_bytes);
    }

    fn finish(mut self) -> PageState {
        let json = &mut self.json;
        if self.read.style == PageStyle::Items {
            json.end_array();
            return self.state;
        }
        if self.read.shape.is_some() {
            json.end_array();
        }
        json.key("Count").u64(self.state.count);
        json.key("ScannedCount").u64(self.state.scanned);
        if let Some(key) = &self.state.last_key {
            json.key("LastEvaluatedKey").raw(|out| out.extend_from_slice(key));
        }
        if self.read.report.is_wanted() {
            json.key("ConsumedCapacity");
            let consumed = self.read.consumed(&self.state);
            self.read.report.write(&consumed, false, json);
        }
        json.end_object();
        self.state
    }
}

fn saturated(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// The smallest key above `key`.
pub(crate) fn just_behind(key: &[u8]) -> Vec<u8> {
    let mut behind = Vec::with_capacity(key.len() + 1);
    behind.extend_from_slice(key);
    behind.push(0);
    behind
}
