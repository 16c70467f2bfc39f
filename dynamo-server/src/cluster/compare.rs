//! Comparing the replicas of the shards that this node leads, online and in the background.
//!
//! The leader arms every replica, has a no-op agreed on, and asks for the digests until all have told or their time is over;
//! what a replica does meanwhile stands in [`raft::comparison`](crate::raft). Each reads its rows slowly
//! ([`BYTES_PER_SECOND`]), one shard at a time, from a view of its own. What differs is a complaint of the node that
//! compared, until it compares the shard again or leads it no longer: which replicas, and whose rows.
//!
//! Off unless `NodeOptions::compare_replicas_every` says how often.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dynamo_engine::command::Command;
use futures::future::join_all;
use ordered_kv::StoreError;
use shard_router::ShardId;

use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::env::{Env, PeriodicTask, Tasks};
use crate::peer::Compare;
use crate::peer::compare::{CompareRequest, Question};
use crate::raft::{Digest, Mark, Progress, RangeReader};
use crate::router::{Called, Router};
use crate::shard::{Deadline, Shard, ShardError};

/// Rows that a node reads for comparisons in a second, in bytes: a gigabyte in about two minutes, beside which a disk does
/// nearly everything else that it could.
pub const BYTES_PER_SECOND: usize = 8 << 20;

/// Bytes that are read in one go.
const PIECE_BYTES: usize = 1 << 20;

/// How long a replica looks out for the entry.
const ARMED_FOR: Duration = Duration::from_secs(60);

/// How often replicas are asked how far they are, and for how long.
const ASK_EVERY: Duration = Duration::from_secs(1);
const ASK_FOR: Duration = Duration::from_secs(3_600);

/// How long one question, and the no-op, may take.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// The task that compares every shard led here.
pub(super) struct Comparing<E: Env> {
    /// What compares.
    pub comparison: Arc<Comparison<E>>,
    /// The time between two looks.
    pub every: Duration,
}

#[async_trait]
impl<E: Env> PeriodicTask for Comparing<E> {
    fn pause(&self) -> Duration {
        // Nodes that were started together do not read at the same time.
        self.every + self.every / 8 * (E::random() % 8) as u32 / 8
    }

    async fn look(&mut self) {
        let comparison = &self.comparison;
        for shard in &comparison.router.shards {
            let number = shard.id().0;
            if shard.group().lease().leading_term().is_none() {
                comparison.differences.lock().remove(&number);
                continue;
            }
            match comparison.compare(shard).await {
                Ok(verdict) => comparison.note(number, verdict),
                Err(error) => tracing::info!(shard = number, %error, "the replicas could not be compared"),
            }
        }
    }
}

/// What came of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// Replicas whose digests were compared.
    pub compared: usize,
    /// What differs; `None` where nothing does.
    pub difference: Option<String>,
}

/// Comparing replicas, as their leader and as one of them.
pub(crate) struct Comparison<E: Env> {
    /// The shards, and the way to their other replicas.
    router: Arc<Router<E>>,
    /// A digest is made beside the request that asked for it.
    tasks: Arc<Tasks<E>>,
    /// The place of the one shard that is read for a comparison.
    reading: Semaphore,
    /// What differs between the replicas of shards led here, by shard.
    differences: Mutex<BTreeMap<u32, String>>,
}

impl<E: Env> Comparison<E> {
    /// That of a node.
    pub(super) fn new(router: Arc<Router<E>>, tasks: Arc<Tasks<E>>) -> Comparison<E> {
        Comparison { router, tasks, reading: Semaphore::new(1), differences: Mutex::default() }
    }

    /// What differs, by shard.
    pub(crate) fn differences(&self) -> BTreeMap<u32, String> {
        self.differences.lock().clone()
    }

    /// Compares the replicas of a shard that this node leads.
    ///
    /// # Errors
    /// When nothing could be agreed on.
    pub(crate) async fn compare(self: &Arc<Self>, shard: &Arc<Shard<E>>) -> Result<Compared, ShardError> {
        let (id, members) = (E::random(), shard.group().members());
        let replicas: Vec<u64> = members.voters.keys().chain(members.learners.keys()).copied().collect();
        join_all(replicas.iter().map(|replica| {
            self.ask_replica(*replica, shard, CompareRequest { question: Question::Arm, comparison: id })
        }))
        .await;
        shard.sequencer().propose::<E>(Command::Noop, Deadline::after::<E>(ANSWER_MAX)).await?;
        let (mut digests, deadline) = (BTreeMap::new(), Deadline::after::<E>(ASK_FOR));
        let mut pending = replicas;
        while !pending.is_empty() && !deadline.is_over::<E>() && !self.tasks.is_stopping() {
            E::sleep(ASK_EVERY).await;
            let asked = pending.iter().map(|replica| {
                self.ask_replica(*replica, shard, CompareRequest { question: Question::Tell, comparison: id })
            });
            let told = join_all(asked).await;
            let mut still = Vec::new();
            for (replica, progress) in std::mem::take(&mut pending).into_iter().zip(told) {
                match progress {
                    Progress::Pending => still.push(replica),
                    Progress::Absent => {}
                    Progress::Done(digest) => drop(digests.insert(replica, digest)),
                }
            }
            pending = still;
        }
        Ok(verdict(&digests))
    }

    async fn ask_replica(self: &Arc<Self>, replica: u64, shard: &Arc<Shard<E>>, request: CompareRequest) -> Progress {
        if replica == self.router.me() {
            return self.take_part(shard.id(), request);
        }
        let deadline = Deadline::after::<E>(ANSWER_MAX);
        match self.router.call::<Compare>(replica, shard.id(), request, deadline).await {
            Called::Answer(progress) => progress,
            // Whoever does not answer is missed by others; here it is left out, once it is sure not to come.
            Called::Lost | Called::NotSent => Progress::Absent,
        }
    }

    /// Does what a leader asks of this replica.
    pub(crate) fn take_part(self: &Arc<Self>, shard: ShardId, request: CompareRequest) -> Progress {
        let CompareRequest { question, comparison: id } = request;
        let Ok(shard) = self.router.shard(shard) else { return Progress::Absent };
        let comparison = shard.group().published().comparison();
        if question == Question::Arm {
            comparison.arm(id);
            let (own, shard) = (Arc::clone(self), Arc::clone(shard));
            self.tasks.start(async move { own.digest(&shard, id).await });
        }
        comparison.progress(id)
    }

    /// Waits for the entry of a comparison and digests the shard as it is then.
    async fn digest(&self, shard: &Shard<E>, id: u64) {
        let comparison = shard.group().published().comparison();
        let result = match E::timeout(ARMED_FOR, comparison.wait_marked(id)).await {
            // Another one has begun.
            Some(None) => return,
            Some(Some(mark)) => self.read_slowly(mark).await.map_err(|error| {
                let what = error.to_string();
                if let StoreError::Corruption(_) = error {
                    shard.group().published().note_damage(what.clone());
                }
                what
            }),
            None => Err("the entry at which to compare was not applied in time".to_owned()),
        };
        comparison.finish(id, result);
    }

    async fn read_slowly(&self, mark: Mark) -> Result<Digest, StoreError> {
        let Ok(_place) = self.reading.acquire().await else {
            return Err(StoreError::Closed("the node stops".to_owned()));
        };
        let mut digest = Digest { index: mark.index, ranges: Vec::new() };
        for range in mark.ranges {
            let (mut reader, mut is_over) = (RangeReader::new(range), false);
            while !is_over {
                let view = Arc::clone(&mark.view);
                let read = move || {
                    let read = reader.read(&*view, PIECE_BYTES);
                    (reader, read)
                };
                let (back, read) = E::blocking(read).await;
                reader = back;
                let (bytes, ended) = read?;
                is_over = ended;
                E::sleep(Duration::from_secs_f64(bytes as f64 / BYTES_PER_SECOND as f64)).await;
            }
            digest.ranges.push(reader.finish());
        }
        Ok(digest)
    }

    pub(crate) fn note(&self, shard: u32, verdict: Compared) {
        let mut differences = self.differences.lock();
        match verdict.difference {
            None => {
                differences.remove(&shard);
                tracing::info!(shard, replicas = verdict.compared, "the replicas are equal");
            }
            Some(difference) => {
                tracing::error!(shard, %difference, "the replicas differ");
                differences.insert(shard, difference);
            }
        }
    }
}

/// Compares what replicas have told. A majority that agrees is believed; the others differ from it. Whoever digested at
/// another entry than most is left out: it was behind, and met the entry of an earlier comparison first.
pub(crate) fn verdict(told: &BTreeMap<u64, Result<Digest, String>>) -> Compared {
    let digests = told.iter().filter_map(|(node, result)| Some((*node, result.as_ref().ok()?)));
    let mut digests: Vec<(u64, &Digest)> = digests.collect();
    let at = |index: u64| digests.iter().filter(|(_, digest)| digest.index == index).count();
    let most_common = digests.iter().map(|(_, digest)| digest.index).max_by_key(|index| (at(*index), *index));
    digests.retain(|(_, digest)| Some(digest.index) == most_common);
    let agree = |digest: &Digest| digests.iter().filter(|(_, other)| *other == digest).count();
    let Some((_, believed)) = digests.iter().max_by_key(|(node, digest)| (agree(digest), u64::MAX - node)) else {
        return Compared { compared: 0, difference: None };
    };
    let differing: Vec<String> = digests
        .iter()
        .filter(|(_, digest)| digest != believed)
        .map(|(node, digest)| format!("node {node} in {}", first_difference(believed, digest)))
        .collect();
    debug_assert!(differing.len() < digests.len(), "what is believed differs from itself in nothing");
    let unread: Vec<String> = told
        .iter()
        .filter_map(|(node, result)| Some(format!("node {node} cannot be read: {}", result.as_ref().err()?)))
        .collect();
    let most = agree(believed);
    let believed_by: Vec<String> =
        digests.iter().filter(|(_, digest)| digest == believed).map(|(node, _)| node.to_string()).collect();
    let difference = (!differing.is_empty() || !unread.is_empty()).then(|| {
        let side = format!("{most} of {} agree (nodes {})", digests.len() + unread.len(), believed_by.join(", "));
        format!("at entry {}: {side}; {}", believed.index, [differing, unread].concat().join("; "))
    });
    Compared { compared: digests.len(), difference }
}

/// Where two digests differ first.
fn first_difference(one: &Digest, other: &Digest) -> String {
    let pairs = one.ranges.iter().zip(&other.ranges);
    let differing = pairs.into_iter().find(|(one, other)| one != other);
    match differing {
        Some((one, other)) if one.start == other.start => {
            format!("{}: {} rows there, {} here", place(&one.start), other.rows, one.rows)
        }
        _ => "the tables that it has".to_owned(),
    }
}

/// What lies behind the first key of a range.
fn place(start: &[u8]) -> String {
    let space = start.first().copied().unwrap_or(0);
    match start.get(1..9).and_then(|id| id.try_into().ok()) {
        Some(id) => format!("the rows of table or index {} (space {space:02x})", u64::from_be_bytes(id)),
        None => format!("the shard's own records (space {space:02x})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raft::RangeDigest;

    fn digest(crc: u32) -> Digest {
        let start = [&[0x10][..], &5_u64.to_be_bytes()].concat();
        Digest { index: 120, ranges: vec![RangeDigest { start, rows: 3, bytes: 30, crc }] }
    }

    #[test]
    fn the_minority_is_named_with_what_differs() {
        let told = |crcs: &[u32]| -> BTreeMap<u64, Result<Digest, String>> {
            (1..).zip(crcs).map(|(node, crc)| (node, Ok(digest(*crc)))).collect()
        };
        assert_eq!(verdict(&told(&[7, 7, 7])), Compared { compared: 3, difference: None });
        let mut one_behind = told(&[7, 7, 7]);
        one_behind.insert(2, Ok(Digest { index: 60, ..digest(9) }));
        assert_eq!(verdict(&one_behind), Compared { compared: 2, difference: None }, "it is no difference");
        one_behind.insert(3, Ok(digest(8)));
        assert!(verdict(&one_behind).difference.is_some_and(|text| text.contains("1 of 2 agree")));
        assert_eq!(verdict(&told(&[])), Compared { compared: 0, difference: None });
        let said = verdict(&told(&[8, 7, 7])).difference.unwrap();
        let expected = "at entry 120: 2 of 3 agree (nodes 2, 3); node 1 in the rows of table or index 5 (space 10): 3 rows \
                        there, 3 here";
        assert_eq!(said, expected);
        let said = verdict(&told(&[7, 8])).difference.unwrap();
        assert!(said.contains("1 of 2 agree (nodes 1)"), "{said}");
        let mut unread = told(&[7, 7]);
        unread.insert(3, Err("the disk".to_owned()));
        assert!(verdict(&unread).difference.unwrap().contains("node 3 cannot be read: the disk"));
    }
}
