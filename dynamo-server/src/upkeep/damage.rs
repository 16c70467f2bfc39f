//! Damaged data: what the node does once a read, applying, a snapshot or a compaction has met a block that it cannot read.
//!
//! ```text
//!   a read, applying, a snapshot meets it ──▶ noted with its shard ──▶ remembered on the disk; no file is merged any more
//!   a merge of files (compaction) meets it ─▶ the store takes no writes: remembered; others lead what this node led; it ends
//!   start, with a note of a file ───────────▶ no file is merged: it takes writes again; the file is read once for whose it is
//! ```
//!
//! The store cannot get past damage that a compaction has met: RocksDB refuses every write from then on, until it is opened
//! again. So the node ends, in order, and says which file it was. Its supervisor starts it again, and since the note says so,
//! nothing is merged then: it serves what it can read, which is all but some blocks, takes writes, and gives up the shard that
//! has them where others can take over (`cluster/fitness.rs`). Without merges reads get slower and deleted data keep their room,
//! which is what a node can bear until it is replaced. In memory, and in simulations, no compaction meets anything.
//!
//! Turned down: RocksDB's option to go on after such an error (`paranoid_checks` off), because it also goes on after failed
//! flushes; to end without others leading first, which costs clients an election.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dynamo_engine::keyspace::owner;
use futures::future::join_all;
use ordered_kv::{Direction, KeyRange, StateStore, StoreError};
use shard_router::{ShardId, ShardMap};

use crate::env::{Env, PeriodicTask, Stores};
use crate::router::Router;

/// How often is looked. A look reads a few words of memory.
const LOOK: Duration = Duration::from_millis(200);

/// How long others may take to lead what this node leads, before it ends.
const HAND_OVER_MAX: Duration = Duration::from_secs(1);

/// Looks after damage.
pub(crate) struct DamageWatch<E: Env> {
    /// Says who leads, and hands over.
    router: Arc<Router<E>>,
    /// Where damage is met.
    stores: Arc<Stores>,
    /// Whether the state was told to merge no files.
    has_stopped_compacting: bool,
    /// Whether the file that a note of the node's names was looked through.
    has_located: bool,
    /// Whether the node was told to end.
    has_left: bool,
}

impl<E: Env> DamageWatch<E> {
    /// Of a node.
    pub fn new(router: Arc<Router<E>>, stores: Arc<Stores>) -> DamageWatch<E> {
        DamageWatch { router, stores, has_stopped_compacting: false, has_located: false, has_left: false }
    }

    /// Has what is known on the disk.
    async fn remember(&self) {
        let is_new = |note: &crate::env::DamageNote| !self.stores.damage.is_noted(note.shard);
        let new: Vec<_> = self.router.all_damage().filter(is_new).collect();
        for note in new {
            let notes = Arc::clone(&self.stores.damage);
            if let Err(error) = E::blocking(move || notes.add(note)).await {
                tracing::warn!(%error, "damage to this node's data is forgotten when it stops");
            }
        }
    }

    /// A damaged file is merged with no other: that would end the store's taking writes.
    async fn stop_compacting(&mut self) {
        if !self.has_stopped_compacting && self.stores.damage.name_a_table_file() {
            self.has_stopped_compacting = true;
            let state = Arc::clone(&self.stores.state);
            E::blocking(move || state.stop_compacting()).await;
            tracing::warn!(
                "a file of the state is damaged: files are merged no more, and deleted data keep their room"
            );
        }
    }

    /// Ends the node, which can write nothing of its state any more.
    async fn leave(&mut self, what: &str) {
        if self.has_left {
            return;
        }
        self.has_left = true;
        self.router.note_damage(None, what);
        self.remember().await;
        // Before the fault is raised: a node that has one answers no peer, and so does not hear who leads.
        let shards = self.router.shards.iter();
        join_all(shards.map(|shard| shard.group().hand_over(HAND_OVER_MAX))).await;
        self.router.fault.raise(format!(
            "the state takes no more writes, because damage was met while files were merged: {what}. Start the node again: it \
             merges no files then and serves what it can read, until it is replaced or restored from a backup"
        ));
    }

    /// Finds out whose records are damaged that a compaction has met, which knows nothing of shards.
    async fn locate(&mut self) {
        if self.has_located {
            return;
        }
        let notes = self.stores.damage.notes();
        let Some(note) = notes.into_iter().find(|note| note.shard.is_none() && note.table_file().is_some()) else {
            return;
        };
        self.has_located = true;
        let (state, map) = (Arc::clone(&self.stores.state), Arc::clone(&self.router.map));
        let found = E::background(move || {
            let shard = whose(&*state, note.table_file()?, &map)?;
            Some((shard, note.what))
        });
        if let Some((shard, what)) = found.await {
            self.router.note_damage(Some(shard), &what);
        }
    }
}

#[async_trait]
impl<E: Env> PeriodicTask for DamageWatch<E> {
    fn pause(&self) -> Duration {
        LOOK
    }

    async fn look(&mut self) {
        match self.stores.state.damage() {
            Some(what) => self.leave(&what).await,
            None => {
                self.remember().await;
                self.stop_compacting().await;
                self.locate().await;
            }
        }
    }
}

/// The shard that all damage in a file lies in, as far as that can be told: what can be read from both ends, up to the first
/// damage, belongs to the same one.
fn whose(state: &dyn StateStore, file: &str, map: &ShardMap) -> Option<ShardId> {
    let (first, last) = state.file_keys(file)?;
    let before = readable_up_to(state, &first, &last, Direction::Forward)?;
    let behind = readable_up_to(state, &first, &last, Direction::Backward)?;
    let shard = owner(&before, map)?;
    (owner(&behind, map) == Some(shard)).then_some(shard)
}

/// The last key before the first damage, from one end; that end itself where nothing lies before it. `None` where all can be read.
fn readable_up_to(state: &dyn StateStore, first: &[u8], last: &[u8], direction: Direction) -> Option<Vec<u8>> {
    let mut reached = match direction {
        Direction::Forward => first.to_vec(),
        Direction::Backward => last.to_vec(),
    };
    let behind_last = [last, &[0]].concat();
    let mut walk = || -> Result<(), StoreError> {
        let mut cursor = state.cursor(KeyRange::between(first, &behind_last), direction)?;
        while let Some((key, _)) = cursor.next()? {
            reached.clear();
            reached.extend_from_slice(key);
        }
        Ok(())
    };
    walk().is_err().then_some(reached)
}
