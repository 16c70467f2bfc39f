//! How many items a table or an index has on the shard, and their bytes: what DescribeTable shows.

use ordered_kv::Reader;
use shard_router::ShardId;

use super::Fault;
use crate::codec::{DecodeError, get_u8, get_u64, put_u64};
use crate::keyspace::local;

const STATS_FORMAT: u8 = 1;

/// Counters of one table or index on one shard, exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Items.
    pub count: u64,
    /// Their billed bytes.
    pub bytes: u64,
}

impl Stats {
    /// Counts the change of one item from `old` to `new` billed bytes.
    ///
    /// Sizes come from stored rows, so a counter below what it loses means a damaged row; it saturates rather than
    /// stop a shard over a statistic.
    pub(super) fn change(&mut self, old: Option<usize>, new: Option<usize>) {
        self.count = self.count.saturating_add(u64::from(new.is_some())).saturating_sub(u64::from(old.is_some()));
        let (old, new) = (old.unwrap_or(0) as u64, new.unwrap_or(0) as u64);
        self.bytes = self.bytes.saturating_add(new).saturating_sub(old);
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = vec![STATS_FORMAT];
        put_u64(&mut out, self.count);
        put_u64(&mut out, self.bytes);
        out
    }

    pub(super) fn decode(mut bytes: &[u8]) -> Result<Stats, DecodeError> {
        let input = &mut bytes;
        match get_u8(input)? {
            STATS_FORMAT => Ok(Stats { count: get_u64(input)?, bytes: get_u64(input)? }),
            format => Err(DecodeError::Format(format)),
        }
    }
}

/// The counters of the table or index `id` as stored by `shard`; zero where it never had an item.
///
/// # Errors
/// A [`Fault`] of the store.
pub fn read_stats(reader: &dyn Reader, shard: ShardId, id: u64) -> Result<Stats, Fault> {
    match reader.get(&local::stats(shard, id))? {
        Some(row) => Ok(Stats::decode(&row)?),
        None => Ok(Stats::default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counting_and_bytes() {
        let mut stats = Stats::default();
        stats.change(None, Some(300));
        stats.change(None, Some(5));
        stats.change(Some(300), Some(200));
        stats.change(Some(5), None);
        assert_eq!(stats, Stats { count: 1, bytes: 200 });
        assert_eq!(stats.encode(), [1, 1, 200, 1]);
        assert_eq!(Stats::decode(&stats.encode()), Ok(stats));
    }
}
