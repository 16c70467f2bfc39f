//! The shard's replicated scalars, mirrored in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use hlc::Timestamp;
use ordered_kv::Reader;
use shard_router::{ShardId, ShardMap, Token, TokenRange};

use super::Fault;
use super::two_phase::Locks;
use crate::catalog::{EndedStream, MemoryCatalog, Rollout, Stats, TableDescriptor, TableId, TablePhase, shared};
use crate::codec::{DecodeError, Record, from_row, to_row};
use crate::keyspace::{for_each_row, local, system};
use crate::outbox::{OutboxChannel, OutboxChannels, seen_from_bytes};
use crate::stream::{StreamId, Streams};

const CLOCK_FORMAT: u8 = 1;
const ERA_FORMAT: u8 = 1;

/// The shard that decides about the catalog.
const SYSTEM_SHARD: ShardId = ShardId(0);

/// Everything that apply needs at hand for each command. It is a pure function of the shard's rows: loading it from
/// the store gives the same value as keeping it up to date does, and a test compares the two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardState {
    /// The shard.
    pub id: ShardId,
    /// Who owns which part of the ring. The same on every replica: it is fixed when a cluster is founded.
    pub map: Arc<ShardMap>,
    /// Descriptors installed in this shard.
    pub tables: BTreeMap<TableId, Arc<TableDescriptor>>,
    /// What is on its way to the other shards; empty but in the system group.
    pub rollouts: BTreeMap<TableId, Rollout>,
    /// How many tables have been deleted, as far as this shard has heard of it; see [`Rollout`].
    pub era: u64,
    /// No timestamp at or above it has been promised.
    pub ceiling: Timestamp,
    /// The highest timestamp applied.
    pub high_water: Timestamp,
    /// Counters of tables and indexes; both kinds of id come from one counter.
    pub(super) stats: BTreeMap<u64, Stats>,
    /// The clock by which ClientRequestToken rows expire, in milliseconds; `None` before the first of them.
    pub(super) token_clock_ms: Option<u64>,
    /// When the oldest ClientRequestToken row expires, on that clock; `None` where there is none.
    pub(super) token_expires_ms: Option<u64>,
    /// Transactions that are prepared here, and decisions recorded here.
    pub locks: Locks,
    /// The highest commit timestamp of a deleted item: the version of every item that is not there.
    pub deletions_high: Timestamp,
    /// How far the channels have come that bring index entries to other shards, and theirs to this one.
    pub channels: OutboxChannels,
    /// The shards of streams that are kept here.
    pub streams: Streams,
    /// Streams that are over and kept; empty but in the system group.
    pub ended_streams: BTreeMap<StreamId, Arc<EndedStream>>,
}

impl ShardState {
    /// The state of a shard of `map` that has no rows yet.
    pub fn new(id: ShardId, map: Arc<ShardMap>) -> ShardState {
        ShardState {
            id,
            map,
            tables: BTreeMap::new(),
            rollouts: BTreeMap::new(),
            era: 0,
            ceiling: Timestamp::ZERO,
            high_water: Timestamp::ZERO,
            stats: BTreeMap::new(),
            token_clock_ms: None,
            token_expires_ms: None,
            locks: Locks::default(),
            deletions_high: Timestamp::ZERO,
            channels: OutboxChannels::default(),
            streams: Streams::default(),
            ended_streams: BTreeMap::new(),
        }
    }

    /// Reads the state out of the shard's rows, at start or after a snapshot.
    ///
    /// # Errors
    /// A [`Fault`] of the store or a damaged record.
    pub fn load(reader: &dyn Reader, id: ShardId, map: Arc<ShardMap>) -> Result<ShardState, Fault> {
        let mut state = ShardState::new(id, map);
        if let Some(row) = reader.get(&local::clock(id))? {
            (state.ceiling, state.high_water) = decode_clock(&row)?;
        }
        for_each_row::<Fault>(reader, &local::installed_prefix(id), |_, row| {
            let table = TableDescriptor::from_bytes(row)?;
            state.tables.insert(table.id, shared(table));
            Ok(true)
        })?;
        if let Some(row) = reader.get(&local::era(id))? {
            state.era = decode_era(&row)?;
        }
        if id == SYSTEM_SHARD {
            for_each_row::<Fault>(reader, &system::rollouts_prefix(), |_, row| {
                let rollout = Rollout::from_bytes(row)?;
                state.rollouts.insert(rollout.table.id, rollout);
                Ok(true)
            })?;
        }
        if id == SYSTEM_SHARD {
            for_each_row::<Fault>(reader, &system::ended_streams_prefix(), |suffix, row| {
                let stream =
                    system::parse_ended_stream(suffix).ok_or(Fault::Invariant("a stream that is over has an id"))?;
                state.ended_streams.insert(stream, Arc::new(EndedStream::from_bytes(stream, row)?));
                Ok(true)
            })?;
        }
        for_each_row::<Fault>(reader, &local::stats_prefix(id), |suffix, row| {
            let stats_id = suffix.try_into().map_err(|_| Fault::Invariant("a statistics key ends with an id"))?;
            state.stats.insert(u64::from_be_bytes(stats_id), Stats::from_bytes(row)?);
            Ok(true)
        })?;
        if let Some(row) = reader.get(&local::token_clock(id))? {
            state.token_clock_ms = Some(from_row(&row, CLOCK_FORMAT, u64::decode)?);
        }
        for_each_row::<Fault>(reader, &local::token_queue_prefix(id), |suffix, _| {
            let expires = suffix.first_chunk().ok_or(Fault::Invariant("a token queue key begins with its time"))?;
            state.token_expires_ms = Some(u64::from_be_bytes(*expires));
            Ok(false)
        })?;
        state.locks = Locks::load(reader, id)?;
        state.deletions_high = read_deletions(reader, id)?;
        for_each_row::<Fault>(reader, &local::channel_prefix(id), |suffix, row| {
            state.channels.out.insert(shard_id(suffix)?, OutboxChannel::from_bytes(row)?);
            Ok(true)
        })?;
        for_each_row::<Fault>(reader, &local::channel_seen_prefix(id), |suffix, row| {
            state.channels.seen.insert(shard_id(suffix)?, seen_from_bytes(row)?);
            Ok(true)
        })?;
        state.streams = Streams::load(reader, id)?;
        Ok(state)
    }

    /// Whether any ClientRequestToken is remembered.
    pub fn has_client_tokens(&self) -> bool {
        self.token_expires_ms.is_some()
    }

    /// Whether `token` is this shard's.
    pub fn owns(&self, token: Token) -> bool {
        self.map.locate(token).0 == self.id
    }

    /// The shard that owns `token`.
    pub fn owner(&self, token: Token) -> ShardId {
        self.map.locate(token).0
    }

    /// Where the expiry queue for an item at `token` stands; see [`crate::keyspace::ttl_queue_key`].
    pub fn ttl_place(&self, token: Token) -> Token {
        self.map.range_of(token).first()
    }

    /// The parts of the ring that are this shard's, in order.
    pub fn ranges(&self) -> Vec<TokenRange> {
        self.map.ranges(self.id)
    }

    /// Whether this shard owns the whole ring.
    pub fn is_alone(&self) -> bool {
        self.map.shards().len() == 1
    }

    /// The shard's tables for those who plan and drive: those that are installed, and in the system group the phase of
    /// each and those that are being deleted.
    pub fn catalog(&self) -> MemoryCatalog {
        let mut catalog = MemoryCatalog::of_era(self.era);
        for table in self.tables.values() {
            catalog.insert(Arc::clone(table), TablePhase::Active);
        }
        for rollout in self.rollouts.values() {
            debug_assert_eq!(
                self.tables.get(&rollout.table.id),
                (rollout.phase != TablePhase::Deleting).then_some(&rollout.table),
                "the system group's own shard is the first to install and to forget"
            );
            catalog.insert(Arc::clone(&rollout.table), rollout.phase);
        }
        self.ended_streams.values().for_each(|stream| catalog.insert_ended_stream(Arc::clone(stream)));
        catalog
    }

    /// Up to this timestamp, inclusively, the shard's rows are complete: no prepared transaction can add any.
    pub fn resolved(&self) -> Timestamp {
        match self.locks.oldest() {
            Some(oldest) => oldest.previous().unwrap_or(Timestamp::ZERO),
            None => self.high_water,
        }
    }

    /// The counters of a table or an index; zero for one without items.
    pub fn stats(&self, id: u64) -> Stats {
        self.stats.get(&id).copied().unwrap_or_default()
    }

    pub(super) fn encode_era(&self) -> Vec<u8> {
        to_row(ERA_FORMAT, |out| self.era.encode(out))
    }

    pub(super) fn encode_clock(&self) -> Vec<u8> {
        to_row(CLOCK_FORMAT, |out| {
            self.ceiling.encode(out);
            self.high_water.encode(out);
        })
    }
}

fn decode_era(row: &[u8]) -> Result<u64, DecodeError> {
    from_row(row, ERA_FORMAT, u64::decode)
}

fn shard_id(suffix: &[u8]) -> Result<ShardId, Fault> {
    let id = suffix.try_into().map_err(|_| Fault::Invariant("a channel's key ends with a shard"))?;
    Ok(ShardId(u32::from_be_bytes(id)))
}

fn decode_clock(row: &[u8]) -> Result<(Timestamp, Timestamp), DecodeError> {
    from_row(row, CLOCK_FORMAT, |input| Ok((Timestamp::decode(input)?, Timestamp::decode(input)?)))
}

/// The highest commit timestamp of a deleted item, as the row says that applying writes with the deletions.
pub(crate) fn read_deletions(reader: &dyn Reader, shard: ShardId) -> Result<Timestamp, Fault> {
    let Some(row) = reader.get(&local::deletions(shard))? else { return Ok(Timestamp::ZERO) };
    Ok(from_row(&row, CLOCK_FORMAT, Timestamp::decode)?)
}

pub(super) fn encode_token_clock(clock_ms: u64) -> Vec<u8> {
    to_row(CLOCK_FORMAT, |out| clock_ms.encode(out))
}

pub(super) fn encode_deletions(high: Timestamp) -> Vec<u8> {
    to_row(CLOCK_FORMAT, |out| high.encode(out))
}
