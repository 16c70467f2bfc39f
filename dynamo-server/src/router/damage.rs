//! Records that the store cannot read back: whose they are, and who hears of it (see `cluster/fitness.rs`).

use std::fmt::Display;

use shard_router::ShardId;

use super::Router;
use crate::env::{DamageNote, Env};

impl<E: Env> Router<E> {
    /// What cannot be read of the state, and nobody knows of which shard.
    pub(crate) fn damage(&self) -> Option<&str> {
        self.damage.get().map(String::as_str)
    }

    /// Everything that is known to be damaged, by shard, as far as that is known.
    pub(crate) fn all_damage(&self) -> impl Iterator<Item = DamageNote> {
        let of_shards = self.shards.iter().filter_map(|shard| {
            let what = shard.group().published().damage()?;
            Some(DamageNote { shard: Some(shard.id().0), what: what.to_owned() })
        });
        of_shards.chain(self.damage().map(|what| DamageNote { shard: None, what: what.to_owned() }))
    }

    /// A task in the background cannot read what it has to of a shard. Damage is the shard's; a disk that does not answer is the
    /// node's, which stops.
    pub(crate) fn background_read_failed(&self, shard: ShardId, what: &dyn Display, is_damage: bool) {
        match is_damage {
            true => self.note_damage(Some(shard), &what.to_string()),
            false => self.fault.raise(format!("shard {}: {what}", shard.0)),
        }
    }

    /// Notes that records cannot be read, of this shard if it is known.
    pub(crate) fn note_damage(&self, shard: Option<ShardId>, what: &str) {
        match shard.and_then(|shard| self.shard(shard).ok()) {
            Some(shard) => shard.group().published().note_damage(what),
            None if self.damage.set(what.to_owned()).is_ok() => {
                tracing::error!(
                    what,
                    "records of some shard cannot be read on this node: cluster status says what to do"
                );
            }
            None => {}
        }
    }
}
