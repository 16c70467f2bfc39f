//! An execution that can stop for a view that is missing and go on once it is there.
//!
//! On one shard a plan is executed in one go ([`ReadPlan::execute`]). Over several shards the caller asks what is needed
//! next, gets it (from the local store, or from the node that leads a shard), and advances:
//!
//! ```text
//! loop: rest() ─▶ guard and fetch the first shards of it ─▶ advance(views) ─▶ Needs(token): more shards, behind it
//!                                                               └──▶ Done: body
//! ```
//!
//! A page that is full is done, whatever was fetched behind its end; a page that goes on needs nothing again of the
//! spans that it has read. So no view is kept while others are fetched.

use std::sync::Arc;

use dynamo_protocol::json::Room;
use shard_router::TokenRange;

use super::page::{PageState, Run};
use super::remote::{self, FetchRequest, Selector};
use super::{Kind, ReadError, ReadPlan, ReadSet, Step, Views};
use crate::capacity::Consumed;

/// What a page has read.
#[derive(Clone, Debug)]
pub struct PageResult {
    /// What it wrote: for a part of a statement's answer the JSON array of its rows.
    pub items: Vec<u8>,
    /// What that costs.
    pub consumed: Consumed,
    /// The partition that it came to, from 0, of those that it was to read.
    pub partition: usize,
    /// The JSON of the key behind which the next page begins; `None` where there is no more.
    pub last_key: Option<Vec<u8>>,
}

/// A plan that is being executed, with what it has so far.
#[derive(Clone, Debug)]
pub struct Execution {
    /// What is executed.
    plan: ReadPlan,
    /// The reply as far as it is written.
    body: Vec<u8>,
    /// How far a page has come.
    page: PageState,
    /// Where the reply gets its room from, once it is large.
    room: Option<Arc<dyn Room>>,
}

impl Execution {
    /// Begins.
    pub fn new(plan: ReadPlan) -> Execution {
        Execution { plan, body: Vec::new(), page: PageState::default(), room: None }
    }

    /// The plan.
    pub fn plan(&self) -> &ReadPlan {
        &self.plan
    }

    /// From now on the reply asks for its room here.
    pub fn give_room(&mut self, room: Arc<dyn Room>) {
        self.room = Some(room);
    }

    /// Whether the reply has room to ask for.
    pub fn has_room(&self) -> bool {
        self.room.is_some()
    }

    /// Memory of the reply as far as it is written, in bytes.
    pub fn reply_bytes(&self) -> usize {
        self.body.capacity()
    }

    /// What is yet to be read.
    pub fn rest(&self) -> ReadSet {
        match &self.plan.kind {
            Kind::Page(read) => read.read_set(&self.page),
            _ => self.plan.read_set(),
        }
    }

    /// What the owner of these parts of the ring must send. For a page, one part inside what is yet to be read; the
    /// page's bounds are those of this moment, so that what is fetched lasts at least until the page is full.
    pub fn fetch_request(&self, parts: &[TokenRange]) -> FetchRequest {
        let is_inside = |token| parts.iter().any(|part| part.contains(token));
        let selector = match &self.plan.kind {
            Kind::Point(read) => remote::keys([&read.key], usize::MAX),
            Kind::Batch(read) => {
                remote::keys(read.keys().filter(|key| is_inside(key.token)), super::batch::REPLY_BYTES_MAX)
            }
            Kind::Statement(read) => {
                let keys = read.gets().map(|get| &get.key).filter(|key| is_inside(key.token));
                remote::keys(keys, usize::MAX)
            }
            Kind::Transact(read) => Selector::Cut(
                read.items.iter().filter(|item| is_inside(item.key.token)).map(|item| item.key.row.clone()).collect(),
            ),
            Kind::Page(read) => {
                let ranges = read.ranges_left(&self.page, parts).into_iter();
                Selector::Page(remote::PageRequest {
                    ranges: ranges.map(|(start, end)| remote::RowRange { start, end }).collect(),
                    direction: read.direction,
                    rows_max: read.rows_left(&self.page),
                    bytes_max: read.bytes_left(&self.page) as u64,
                    fetch: read.fetch,
                })
            }
        };
        FetchRequest { tables: self.plan.table_versions(is_inside), selector }
    }

    /// For a transaction, which of its items have row keys that are `held`, in the order of the request.
    pub fn items_held(&self, held: impl Fn(&[u8]) -> bool) -> Vec<bool> {
        match &self.plan.kind {
            Kind::Transact(read) => read.items.iter().map(|item| held(&item.key.row)).collect(),
            Kind::Point(_) | Kind::Batch(_) | Kind::Page(_) | Kind::Statement(_) => Vec::new(),
        }
    }

    /// Goes on as far as the views reach and `run` allows.
    ///
    /// # Errors
    /// See [`ReadError`]. The execution is then where it was before, and can be advanced once more.
    pub fn advance(&mut self, views: &dyn Views, run: Run<'_>) -> Result<Step, ReadError> {
        let room = self.room.clone();
        let run = room.as_deref().map_or(run, |room| run.in_room(room));
        let result = run.told(self.go_on(views, run));
        if result.is_err() {
            // It may wait for a place elsewhere, and counts for nothing meanwhile: some rows may have been written.
            self.body.truncate(self.page.written());
            self.body.shrink_to_fit();
        }
        if let Some(room) = room {
            room.settle(self.body.capacity());
        }
        result
    }

    fn go_on(&mut self, views: &dyn Views, run: Run<'_>) -> Result<Step, ReadError> {
        if let Kind::Page(read) = &self.plan.kind {
            return read.advance(&mut self.page, views, &mut self.body, run);
        }
        self.body.clear();
        match self.plan.execute(views, &mut self.body, run) {
            Ok(()) => Ok(Step::Done),
            Err(ReadError::Missing(token)) => Ok(Step::Needs(token)),
            Err(error) => Err(error),
        }
    }

    /// What a page has read, once it is done; nothing for other plans.
    pub fn into_page(self) -> Option<PageResult> {
        let Kind::Page(read) = &self.plan.kind else { return None };
        Some(PageResult {
            consumed: read.consumed(&self.page),
            partition: self.page.partition,
            last_key: self.page.last_key,
            items: self.body,
        })
    }

    /// The reply's JSON body, once it is done.
    pub fn into_body(self) -> Vec<u8> {
        self.body
    }

    /// The room of the reply, to be kept as long as the reply.
    pub fn room(&self) -> Option<Arc<dyn Room>> {
        self.room.clone()
    }
}

impl ReadPlan {
    /// Runs the plan in one go, as far as `run` allows, and appends the reply's JSON body to `out`.
    ///
    /// # Errors
    /// See [`ReadError`]. What was appended by then is of no use.
    pub fn execute(&self, views: &dyn Views, out: &mut Vec<u8>, run: Run<'_>) -> Result<(), ReadError> {
        run.told(match &self.kind {
            Kind::Point(read) => read.execute(views, out, run),
            Kind::Batch(read) => read.execute(views, out, run),
            Kind::Page(read) => match read.advance(&mut PageState::default(), views, out, run) {
                Ok(Step::Done) => Ok(()),
                Ok(Step::Needs(token)) => Err(ReadError::Missing(token)),
                Err(error) => Err(error),
            },
            Kind::Transact(read) => read.execute(views, out, run),
            Kind::Statement(read) => read.execute(views, out, run),
        })
    }
}
