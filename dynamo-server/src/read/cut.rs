//! TransactGetItems over several shards: one cut by two rounds.
//!
//! All shards are checked and read at once, each item with its mark (version, lock). Then the marks are read again. Where
//! none has changed and nothing was locked, every value that the first round saw was still there when the second began,
//! so all of them were there together: a consistent cut (design §6, after *Distributed Transactions at Scale in Amazon
//! DynamoDB*, §4.3). Otherwise a write was under way and both rounds are repeated, a few times; then the client hears
//! of the conflict, item by item, as from DynamoDB.
//!
//! A node that leads all the shards needs one round: one view of its store shows all of them at one moment, and what no
//! transaction holds there is a cut. That is so only if the node still led all of them when it took the view: of a shard that
//! has got another leader meanwhile it shows an older state than of the others, and the items are no cut. So the leases are
//! checked once more after the view.

use std::collections::BTreeSet;
use std::time::Duration;

use dynamo_engine::read::remote::{FetchRequest, FetchResponse, Fetched, Mark, is_steady};
use dynamo_engine::read::{Execution, ReadError};
use dynamo_engine::reply;
use futures::future::try_join_all;

use super::run::{Serving, Sources};
use super::{Part, Reader};
use crate::env::Env;
use crate::guard::{Handler, ReadFailure};
use crate::shard::Deadline;

/// How often both rounds are tried. Items that change faster than two messages take are in conflict.
const ATTEMPTS_MAX: u32 = 6;

/// How long to wait after the first failed attempt, and twice as long after each further one: in all 31 times as long.
const PAUSE: Duration = Duration::from_millis(3);

impl<E: Env> Reader<E> {
    pub(super) async fn read_cut(
        &self,
        handler: Handler,
        read: Execution,
        parts: &[Part<'_, E>],
        deadline: Deadline,
    ) -> Result<Execution, ReadFailure> {
        let requests: Vec<FetchRequest> = parts.iter().map(|part| read.fetch_request(&part.tokens)).collect();
        let again: Vec<FetchRequest> = requests.iter().map(FetchRequest::second_round).collect();
        if let Some(responses) = self.cut_here(handler, &read, parts, &requests, deadline).await? {
            return self.finish_cut(read, parts, requests, responses, deadline).await;
        }
        let mut unsteady: BTreeSet<Vec<u8>> = BTreeSet::new();
        for attempt in 0..ATTEMPTS_MAX {
            if attempt > 0 {
                let pause = PAUSE * 2_u32.pow(attempt - 1);
                if deadline.remaining::<E>() <= pause {
                    break;
                }
                E::sleep(pause).await;
            }
            let first = self.round(handler, parts, &requests, deadline).await?;
            let second = self.round(handler, parts, &again, deadline).await?;
            unsteady = changed(&requests, &first, &second);
            if unsteady.is_empty() {
                return self.finish_cut(read, parts, requests, first, deadline).await;
            }
        }
        Err(ReadError::Client(reply::transact_get_conflict(&read.items_held(|row| unsteady.contains(row)))).into())
    }

    /// The cut from one view, where this node leads every shard with a lease before and behind it, and nothing is locked.
    async fn cut_here(
        &self,
        handler: Handler,
        read: &Execution,
        parts: &[Part<'_, E>],
        requests: &[FetchRequest],
        deadline: Deadline,
    ) -> Result<Option<Vec<FetchResponse>>, ReadFailure> {
        // Before any of them is looked at more closely: one that is led elsewhere decides.
        if !parts.iter().all(|part| self.router.guard.holds(handler, part.shard)) {
            return Ok(None);
        }
        let mut terms = Vec::with_capacity(parts.len());
        let mut servings = Vec::with_capacity(parts.len());
        for (part, request) in parts.iter().zip(requests) {
            terms.push(part.shard.group().lease().leading_term());
            if !self.is_open(handler, read.plan(), part.shard, part.epoch).await? {
                return Ok(None);
            }
            servings.push(Serving::new(part.shard, request.clone()));
        }
        let responses = self.runner.serve_together(servings, deadline).await?;
        let is_led = |(part, term): (&Part<'_, E>, &Option<u64>)| {
            // The same term and a lease: nobody else has led in between.
            part.shard.has_lease() && part.shard.group().lease().leading_term() == *term
        };
        let is_free = |response: &FetchResponse| !response_is_held(response);
        let is_cut = parts.iter().zip(&terms).all(is_led) && responses.iter().all(is_free);
        Ok(is_cut.then_some(responses))
    }

    async fn finish_cut(
        &self,
        read: Execution,
        parts: &[Part<'_, E>],
        requests: Vec<FetchRequest>,
        responses: Vec<FetchResponse>,
        deadline: Deadline,
    ) -> Result<Execution, ReadFailure> {
        debug_assert_eq!(requests.len(), parts.len(), "each part has its request");
        debug_assert_eq!(responses.len(), parts.len(), "each part has its answer");
        let mut sources = Vec::with_capacity(parts.len());
        for ((part, request), response) in parts.iter().zip(requests).zip(responses) {
            let fetched = Fetched::new(request, response).map_err(|error| super::mismatch(part.shard, &error))?;
            sources.push((part.tokens.clone(), Some(fetched)));
        }
        Ok(super::whole(self.runner.advance(read, Sources::Parts(sources), deadline).await?))
    }

    /// Asks every shard, all at the same time.
    async fn round(
        &self,
        handler: Handler,
        parts: &[Part<'_, E>],
        requests: &[FetchRequest],
        deadline: Deadline,
    ) -> Result<Vec<FetchResponse>, ReadFailure> {
        let mut asked = Vec::with_capacity(parts.len());
        for (part, request) in parts.iter().zip(requests) {
            asked.push(self.fetch(handler, part, request, deadline));
        }
        try_join_all(asked).await
    }
}

/// The keys that were locked, or not the same in both rounds. Marks that are missing are no proof of anything.
fn changed(requests: &[FetchRequest], first: &[FetchResponse], second: &[FetchResponse]) -> BTreeSet<Vec<u8>> {
    let mut changed = BTreeSet::new();
    for ((request, first), second) in requests.iter().zip(first).zip(second) {
        let (first, second) = (marks(first), marks(second));
        for (at, key) in request.keys().iter().enumerate() {
            match (first.get(at), second.get(at)) {
                (Some(first), Some(second)) if is_steady(first, second) => {}
                _ => drop(changed.insert(key.clone())),
            }
        }
    }
    changed
}

/// Whether anything of it is locked, or may be.
fn response_is_held(response: &FetchResponse) -> bool {
    let marks = marks(response);
    marks.is_empty() || marks.iter().any(|mark| mark.is_locked)
}

fn marks(response: &FetchResponse) -> &[Mark] {
    match response {
        FetchResponse::Cut { marks, .. } | FetchResponse::Marks(marks) => marks,
        FetchResponse::Stale | FetchResponse::Rows(_) | FetchResponse::Page { .. } | FetchResponse::Stream(_) => &[],
    }
}
