//! The sender's side of a snapshot: chunks read from one frozen view.
//!
//! openraft hands over a pin; only now is a view of the store opened, and what it says is applied is what is sent, which
//! may be more than the pin. Writes go on meanwhile. Between two chunks nothing but the last key is remembered, so a slow
//! peer costs a view and nothing else.
//!
//! One message is under way at a time. One that gets no answer is sent again, at the pace of the transfer ([`Patience`]):
//! the replica counts the chunks that it has, and remembers which snapshot it installs or has installed last, so a copy
//! does nothing. So neither a lost message nor a connection that breaks begins the transfer anew. What stalls for
//! [`STALL_MAX`] is given up, and openraft begins again later, with a newer view.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dynamo_engine::keyspace::RowRange;
use ordered_kv::{Direction, KeyRange, StoreError, View};

use super::message::{Refusal, SnapshotAnswer, SnapshotMessage, SnapshotPart, put_row};
use super::patience::Patience;
use super::{SnapshotPin, content};
use crate::env::{Env, TransportError};
use crate::raft::machine::applied::StateError;
use crate::raft::machine::recovered::RecoveredState;
use crate::raft::transport::connection::Connection;
use crate::raft::types::{SnapshotMeta, Vote};

/// How long nothing may move before the transfer is given up.
const STALL_MAX: Duration = Duration::from_secs(15);

/// How long nothing may move after the last message: the replica's disk writes everything through before it answers.
const INSTALL_MAX: Duration = Duration::from_secs(70);

/// How long a refused or unanswered message rests, at first.
const REST: Duration = Duration::from_millis(50);

/// And at most: a replica that installs for long is asked once a second.
const REST_MAX: Duration = Duration::from_secs(1);

/// Why a snapshot was not sent. openraft tries again.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The state here cannot be read.
    #[error("the state cannot be read for a snapshot: {0}")]
    State(#[from] StateError),
    /// No leader may send what a later one has written.
    #[error("the state is newer than the leadership")]
    Deposed,
    /// The peer is away, or too slow.
    #[error("a snapshot stalls: {0}")]
    Stalled(String),
    /// The peer refuses a message.
    #[error("a snapshot is refused: {0}")]
    Refused(#[from] Refusal),
    /// The peer says something else than it should.
    #[error("a peer's answer to a snapshot cannot be read")]
    Answer,
}

impl From<StoreError> for SendError {
    fn from(error: StoreError) -> Self {
        SendError::State(StateError::Store(error))
    }
}

/// The rows of a shard in one view, chunk by chunk.
pub(in crate::raft) struct Source {
    /// One moment of the store.
    view: View,
    /// What the snapshot is of.
    pub(in crate::raft) meta: SnapshotMeta,
    /// The shard's content, in key order.
    pub(in crate::raft) ranges: Vec<RowRange>,
    /// The range that is being read.
    range: usize,
    /// The key from which it goes on; `None` at its beginning.
    from: Option<Vec<u8>>,
    /// Bytes after which a chunk is complete.
    chunk_bytes: usize,
}

impl Source {
    /// Opens a view of the pinned shard.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(in crate::raft) fn open(pin: &SnapshotPin, chunk_bytes: usize) -> Result<Source, StateError> {
        let view = pin.store.view();
        let RecoveredState { shard, applied, membership, .. } =
            RecoveredState::read(&*view, pin.shard, Arc::clone(&pin.map))?;
        let meta = SnapshotMeta { last_log_id: applied, last_membership: membership };
        Ok(Source { view, meta, ranges: content(&shard), range: 0, from: None, chunk_bytes })
    }

    /// The next rows and their number, none at the end.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(in crate::raft) fn next_chunk(&mut self) -> Result<(Vec<u8>, u64), StoreError> {
        let (mut rows, mut count) = (Vec::new(), 0);
        while let Some(range) = self.ranges.get(self.range) {
            let start = self.from.as_ref().unwrap_or(&range.start);
            let mut cursor = self.view.cursor(KeyRange::between(start, &range.end), Direction::Forward)?;
            let mut full_at = None;
            while let Some((key, value)) = cursor.next()? {
                put_row(&mut rows, key, value);
                count += 1;
                if rows.len() >= self.chunk_bytes {
                    full_at = Some([key, &[0]].concat());
                    break;
                }
            }
            drop(cursor);
            match full_at {
                Some(next) => {
                    self.from = Some(next);
                    break;
                }
                None => (self.range, self.from) = (self.range + 1, None),
            }
        }
        debug_assert_eq!(count == 0, rows.is_empty(), "an empty chunk is the end");
        debug_assert!(self.from.is_none() || self.range < self.ranges.len(), "who goes on does so inside a range");
        Ok((rows, count))
    }
}

/// Sends the pinned shard as it is now; gives the vote that the peer answers with.
///
/// # Errors
/// [`SendError`].
pub(in crate::raft) async fn send<E: Env>(
    connection: &Connection<E>,
    vote: Vote,
    pin: SnapshotPin,
) -> Result<Vote, SendError> {
    let mut source = E::in_place(|| Source::open(&pin, connection.chunk_bytes))?;
    let term = source.meta.last_log_id.map_or(0, |last| last.committed_leader_id().term);
    if term > vote.leader_id.term {
        return Err(SendError::Deposed);
    }
    let transfer = E::random();
    let message = |part| SnapshotMessage { vote, transfer, part };
    let mut patience = Patience::new();
    let begin = SnapshotPart::Begin { meta: source.meta.clone(), ranges: source.ranges.clone() };
    match ask(connection, &message(begin), &mut patience, STALL_MAX).await? {
        SnapshotAnswer::Next(0) => {}
        SnapshotAnswer::Done(vote) => return Ok(vote),
        _ => return Err(SendError::Answer),
    }
    let (mut number, mut total) = (0, 0);
    loop {
        let (rows, count) = E::in_place(|| source.next_chunk())?;
        if count == 0 {
            break;
        }
        total += count;
        let chunk = SnapshotPart::Chunk { number, rows: Bytes::from(rows) };
        match ask(connection, &message(chunk), &mut patience, STALL_MAX).await? {
            SnapshotAnswer::Next(next) if next == number + 1 => number = next,
            SnapshotAnswer::Done(vote) => return Ok(vote),
            _ => return Err(SendError::Answer),
        }
    }
    let last = source.meta.last_log_id;
    // A view keeps old data alive; installing needs it no longer.
    drop(source);
    let end = SnapshotPart::End { chunks: number, rows: total };
    match ask(connection, &message(end), &mut patience, INSTALL_MAX).await? {
        SnapshotAnswer::Done(vote) => {
            tracing::info!(peer = connection.peer, ?last, chunks = number, rows = total, "a snapshot is installed");
            Ok(vote)
        }
        _ => Err(SendError::Answer),
    }
}

/// Sends a message until it is answered, or nothing has moved for as long as `stall_max`.
async fn ask<E: Env>(
    connection: &Connection<E>,
    message: &SnapshotMessage,
    patience: &mut Patience,
    stall_max: Duration,
) -> Result<SnapshotAnswer, SendError> {
    let began_ns = E::monotonic_ns();
    let (mut is_first, mut rest) = (true, REST);
    loop {
        let stalled = match connection.ask_snapshot(message, patience.wait()).await {
            Ok(bytes) => match SnapshotAnswer::decode(&bytes).map_err(|_| SendError::Answer)? {
                // Damaged on the way, or not done yet: the same bytes once more.
                SnapshotAnswer::Refused(refusal @ (Refusal::Busy | Refusal::Checksum)) => refusal.to_string(),
                SnapshotAnswer::Refused(refusal) => return Err(refusal.into()),
                answer => {
                    if is_first {
                        patience.answered(Duration::from_nanos(E::monotonic_ns() - began_ns));
                    }
                    return Ok(answer);
                }
            },
            Err(error) => {
                // A peer that is off refuses at once, which says nothing about the pace.
                if error == TransportError::TimedOut {
                    patience.missed();
                }
                error.to_string()
            }
        };
        if E::monotonic_ns() - began_ns > stall_max.as_nanos() as u64 {
            return Err(SendError::Stalled(stalled));
        }
        E::sleep(rest).await;
        (is_first, rest) = (false, (rest * 2).min(REST_MAX));
    }
}
