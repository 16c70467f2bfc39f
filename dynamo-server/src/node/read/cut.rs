//! TransactGetItems over several shards: one cut by two rounds.
//!
//! All shards are fenced and read at once, each item with its mark (version, lock). Then the marks are read again. Where
//! none has changed and nothing was locked, every value that the first round saw was still there when the second began,
//! so all of them were there together: a consistent cut (design §6, after *Distributed Transactions at Scale in Amazon
//! DynamoDB*, §4.3). Otherwise a write was under way and both rounds are repeated, a few times; then the client hears
//! of the conflict, item by item, as from DynamoDB.

use std::collections::BTreeSet;
use std::time::Duration;

use dynamo_engine::read::remote::{Mark, Need, Supplied, Supply, is_steady};
use dynamo_engine::read::{Execution, ReadError};
use dynamo_engine::reply;
use futures::future::try_join_all;

use super::Part;
use super::run::Sources;
use crate::env::Env;
use crate::guard::{Handler, ReadFailure};
use crate::node::Node;
use crate::shard::Deadline;

/// How often both rounds are tried. Items that change faster than two messages take are in conflict.
const ATTEMPTS_MAX: u32 = 6;

/// How long to wait after the first failed attempt, and twice as long after each further one: in all 31 times as long.
const PAUSE: Duration = Duration::from_millis(3);

impl<E: Env> Node<E> {
    pub(super) async fn read_cut(
        &self,
        handler: Handler,
        read: Execution,
        parts: &[Part<'_, E>],
        deadline: Deadline,
    ) -> Result<Vec<u8>, ReadFailure> {
        let needs: Vec<Need> = parts.iter().map(|part| read.need(&part.tokens)).collect();
        let again: Vec<Need> = needs.iter().map(Need::second_round).collect();
        let mut unsteady: BTreeSet<Vec<u8>> = BTreeSet::new();
        for attempt in 0..ATTEMPTS_MAX {
            if attempt > 0 {
                let pause = PAUSE * 2_u32.pow(attempt - 1);
                if deadline.remaining::<E>() <= pause {
                    break;
                }
                E::sleep(pause).await;
            }
            let first = self.round(handler, parts, &needs, deadline).await?;
            let second = self.round(handler, parts, &again, deadline).await?;
            unsteady = changed(&needs, &first, &second);
            if unsteady.is_empty() {
                let mut sources = Vec::with_capacity(parts.len());
                for ((part, need), supply) in parts.iter().zip(needs).zip(first) {
                    let supplied = Supplied::new(need, supply).map_err(|error| super::misfit(part.shard, &error))?;
                    sources.push((part.tokens.clone(), Some(supplied)));
                }
                let (read, _) = self.advance(read, Sources::Parts(sources), deadline).await?;
                return Ok(read.into_body());
            }
        }
        Err(ReadError::Client(reply::transact_get_conflict(&read.items_held(|row| unsteady.contains(row)))).into())
    }

    /// Asks every shard, all at the same time.
    async fn round(
        &self,
        handler: Handler,
        parts: &[Part<'_, E>],
        needs: &[Need],
        deadline: Deadline,
    ) -> Result<Vec<Supply>, ReadFailure> {
        let mut asked = Vec::with_capacity(parts.len());
        for (part, need) in parts.iter().zip(needs) {
            asked.push(self.supply(handler, part, need, deadline));
        }
        try_join_all(asked).await
    }
}

/// The keys that were locked, or not the same in both rounds. Marks that are missing are no proof of anything.
fn changed(needs: &[Need], first: &[Supply], second: &[Supply]) -> BTreeSet<Vec<u8>> {
    let mut changed = BTreeSet::new();
    for ((need, first), second) in needs.iter().zip(first).zip(second) {
        let (first, second) = (marks(first), marks(second));
        for (at, key) in need.keys().iter().enumerate() {
            match (first.get(at), second.get(at)) {
                (Some(first), Some(second)) if is_steady(first, second) => {}
                _ => drop(changed.insert(key.clone())),
            }
        }
    }
    changed
}

fn marks(supply: &Supply) -> &[Mark] {
    match supply {
        Supply::Cut { marks, .. } | Supply::Marks(marks) => marks,
        Supply::Stale | Supply::Rows(_) | Supply::Page { .. } => &[],
    }
}
