//! The target's side of a lane: what arrives, in order, each number once.

use super::{Applier, Fault, Outcome};
use crate::catalog::IndexState;
use crate::command::ApplyLane;
use crate::item::ItemRef;
use crate::keyspace::{RowKey, local};
use crate::lane::{LaneMutation, seen_to_bytes};

/// What became of one mutation.
enum Taken {
    /// Done, or of no use any more: the lane goes on.
    Yes,
    /// Its index is not known here yet: the lane waits.
    NotYet,
}

impl Applier<'_> {
    /// Applies the rows of a lane that this shard has not seen. The answer is how far it has come now: short of the
    /// command's end where there is a gap before it, or where an index is still to be installed here.
    pub(super) fn apply_lane(&mut self, lane: &ApplyLane) -> Result<Outcome, Fault> {
        let seen_before = self.shard.lanes.seen(lane.source);
        let mut seen = seen_before;
        for (sequence, mutation) in (lane.first..).zip(&lane.mutations) {
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
            self.shard.lanes.seen.insert(lane.source, seen);
            self.put(local::lane_seen(self.shard.id, lane.source), seen_to_bytes(seen));
        }
        Ok(Outcome::LaneApplied { through: seen })
    }

    fn take(&mut self, mutation: &LaneMutation) -> Result<Taken, Fault> {
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
