//! The target's side of a channel: what arrives, in order, each number once.

use super::{Applier, Fault, Outcome};
use crate::catalog::IndexState;
use crate::command::ApplyOutbox;
use crate::item::ItemRef;
use crate::keyspace::{RowKey, local};
use crate::outbox::{OutboxMutation, seen_to_bytes};

/// What became of one mutation.
enum Taken {
    /// Done, or of no use any more: the channel goes on.
    Yes,
    /// Its index is not known here yet: the channel waits.
    NotYet,
}

impl Applier<'_> {
    /// Applies the rows of a channel that this shard has not seen. The answer is how far it has come now: short of the
    /// command's end where there is a gap before it, or where an index is still to be installed here.
    pub(super) fn apply_outbox(&mut self, channel: &ApplyOutbox) -> Result<Outcome, Fault> {
        let seen_before = self.shard.channels.seen(channel.source);
        let mut seen = seen_before;
        for (sequence, mutation) in (channel.first..).zip(&channel.mutations) {
            if sequence <= seen {
                continue;
            }
            if sequence > seen + 1 {
                break;
            }
            match self.take(mutation)? {
                Taken::Yes => seen = sequence,
                Taken::NotYet => break,
            }
        }
        if seen > seen_before {
            self.shard.channels.seen.insert(channel.source, seen);
            self.put(local::channel_seen(self.shard.id, channel.source), seen_to_bytes(seen));
        }
        Ok(Outcome::OutboxApplied { through: seen })
    }

    fn take(&mut self, mutation: &OutboxMutation) -> Result<Taken, Fault> {
        if !self.shard.owns(RowKey::parse(&mutation.key)?.token()) {
            return Ok(Taken::NotYet);
        }
        // Every shard has a table before it takes its first write; one that is not here was deleted.
        let Some(table) = self.shard.tables.get(&mutation.table) else { return Ok(Taken::Yes) };
        match table.index_by_id(mutation.index()).map(|index| index.state) {
            None if table.schema_version < mutation.schema_version => return Ok(Taken::NotYet),
            None | Some(IndexState::Dropping) => return Ok(Taken::Yes),
            Some(IndexState::Writing | IndexState::Backfilling | IndexState::Active) => {}
        }
        let old = self.get(&mutation.key)?;
        let old_bytes = old.as_deref().map(billed_bytes).transpose()?;
        let new_bytes = mutation.row.as_deref().map(billed_bytes).transpose()?;
        self.count(mutation.index().0, old_bytes, new_bytes);
        match &mutation.row {
            Some(row) => self.put(mutation.key.clone(), row.clone()),
            None if old.is_some() => self.delete(mutation.key.clone()),
            None => {}
        }
        Ok(Taken::Yes)
    }
}

fn billed_bytes(row: &[u8]) -> Result<usize, Fault> {
    Ok(ItemRef::parse(row)?.billed_bytes())
}
