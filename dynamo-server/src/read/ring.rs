//! Scans: a page that goes on from shard to shard in the order of the ring.
//!
//! A page asks the owner of its first token; if it is not full then, the next two at the same time, then four, up to
//! eight. Their answers are read in the order of the ring, so an owner behind the end of the page is not waited for and its
//! error is ignored: only the owner that the page has arrived at can fail it.
//!
//! Spans that this node leads and whose leases let through at once are read together, without asking anybody: where it
//! leads everything, as a node that is alone does, a page is one run over the store.

use std::sync::Arc;

use dynamo_engine::read::remote::{FetchRequest, Fetched};
use dynamo_engine::read::{Execution, Step};
use futures::StreamExt;
use futures::stream::FuturesOrdered;
use shard_router::{Owner, TokenRange};

use super::Reader;
use super::run::Sources;
use crate::env::Env;
use crate::guard::{Handler, ReadFailure};
use crate::shard::{Deadline, ShardError};

/// Spans that are asked at once. Each may bring a page of 1 MB and one row.
const SPANS_AT_ONCE_MAX: usize = 8;

impl<E: Env> Reader<E> {
    pub(super) async fn read_ring(
        &self,
        handler: Handler,
        mut read: Execution,
        span: TokenRange,
        deadline: Deadline,
    ) -> Result<Execution, ReadFailure> {
        let map = Arc::clone(&self.router.map);
        let mut owners = map.owners(span).peekable();
        let mut asked = FuturesOrdered::new();
        let mut at_once = 1;
        loop {
            if asked.is_empty() {
                let mut open = Vec::new();
                while let Some(owner) = owners.peek() {
                    let shard = self.router.shard(owner.shard)?;
                    if !self.is_open(handler, read.plan(), shard, owner.epoch).await? {
                        break;
                    }
                    debug_assert!(
                        open.last().is_none_or(|before: &TokenRange| before.last() < owner.range.first()),
                        "owners come in the order of the ring"
                    );
                    open.push(owner.range);
                    owners.next();
                }
                if !open.is_empty() {
                    let (advanced, step) =
                        self.runner.advance(read, Sources::Parts(vec![(open, None)]), deadline).await?;
                    if step == Step::Done {
                        return Ok(advanced);
                    }
                    read = advanced;
                }
            }
            while asked.len() < at_once {
                let Some(owner) = owners.next() else { break };
                asked.push_back(self.span_of(handler, owner, read.fetch_request(&[owner.range]), deadline));
            }
            debug_assert!(asked.len() <= SPANS_AT_ONCE_MAX, "few shards are asked at the same time");
            // The owners cover the span, so the page is done with the last of them at the latest.
            let Some((range, source)) = asked.next().await else { return Err(ShardError::NotConfirmed.into()) };
            let sources = Sources::Parts(vec![(vec![range], source?)]);
            let (advanced, step) = self.runner.advance(read, sources, deadline).await?;
            if step == Step::Done {
                return Ok(advanced);
            }
            read = advanced;
            at_once = (2 * at_once).min(SPANS_AT_ONCE_MAX);
        }
    }

    /// A span, and what it is read from.
    async fn span_of(
        &self,
        handler: Handler,
        owner: Owner,
        request: FetchRequest,
        deadline: Deadline,
    ) -> (TokenRange, Result<Option<Fetched>, ReadFailure>) {
        let source = match self.router.shard(owner.shard) {
            Ok(shard) => self.obtain(handler, shard, owner.epoch, request, deadline).await,
            Err(error) => Err(error.into()),
        };
        (owner.range, source)
    }
}
