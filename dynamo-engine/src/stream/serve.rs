//! Answering what is asked about a stream, from the rows of a data shard.

use ordered_kv::{Direction, KeyRange, Reader, Value};
use shard_router::ShardId;

use super::state::for_each_shard;
use super::{
    SequenceNumber, StreamId, StreamPolicy, StreamRecord, StreamRequest, StreamResponse, StreamShard, StreamShardId,
    StreamStart,
};
use crate::command::TendStreams;
use crate::fault::{Fault, ReadError};
use crate::item::Corrupt;
use crate::keyspace::{local, stream_record_sequence};

/// The most records of one answer, whatever is asked for.
const RECORDS_MAX: u32 = 1000;
/// And the most bytes, but for one record.
const BYTES_MAX: u64 = 1 << 20;

impl StreamRequest {
    /// Reads what is needed of `data_shard` through `reader`, which shows one moment of current state.
    ///
    /// # Errors
    /// The store's, and damaged rows; [`ReadError::TooLong`] where more than `inline_bytes_max` bytes would be read.
    pub fn serve(
        &self,
        data_shard: ShardId,
        reader: &dyn Reader,
        inline_bytes_max: usize,
    ) -> Result<StreamResponse, ReadError> {
        let shard = |stream, id| shard_of(reader, data_shard, stream, id);
        match *self {
            StreamRequest::Shards { stream } => {
                let mut shards = Vec::new();
                let prefix = local::stream_prefix(data_shard, stream);
                for_each_shard(reader, data_shard, &prefix, |shard| shards.push(shard)).map_err(damaged)?;
                Ok(StreamResponse::Shards(shards))
            }
            StreamRequest::Locate { stream, shard: id, start } => match shard(stream, id)? {
                Some(shard) => locate(reader, &shard, start, next_number(reader, data_shard)?),
                None => Ok(StreamResponse::NoShard),
            },
            StreamRequest::Records { stream, shard: id, from, limit, bytes_max } => match shard(stream, id)? {
                Some(shard) => records(reader, &shard, from, (limit, bytes_max), inline_bytes_max),
                None => Ok(StreamResponse::NoShard),
            },
        }
    }
}

fn shard_of(
    reader: &dyn Reader,
    data_shard: ShardId,
    stream: StreamId,
    id: StreamShardId,
) -> Result<Option<StreamShard>, ReadError> {
    let Some(row) = reader.get(&local::stream_shard(data_shard, stream, id))? else { return Ok(None) };
    let shard = StreamShard::from_bytes(stream, id, &row).map_err(|error| damaged(error.into()))?;
    Ok(Some(shard))
}

fn next_number(reader: &dyn Reader, data_shard: ShardId) -> Result<SequenceNumber, ReadError> {
    super::state::next_number(reader, data_shard).map_err(damaged)
}

/// Where a reader begins. A sealed shard gives no number more, so that what lies behind its last one is its end.
fn locate(
    reader: &dyn Reader,
    shard: &StreamShard,
    start: StreamStart,
    next: SequenceNumber,
) -> Result<StreamResponse, ReadError> {
    let end = shard.last.map_or(next, SequenceNumber::next);
    let from = match start {
        StreamStart::TrimHorizon => shard.horizon,
        StreamStart::Latest => end,
        StreamStart::At(number) | StreamStart::After(number) if number > end || number < shard.first.previous() => {
            return Ok(StreamResponse::OutOfRange);
        }
        StreamStart::At(number) => number,
        StreamStart::After(number) => number.next(),
        StreamStart::AtTime(ms) => first_written_at(reader, shard, ms, end)?,
    };
    Ok(if from < shard.horizon { StreamResponse::Trimmed } else { StreamResponse::Located(from) })
}

/// The lowest number from which on every record of `shard` below `end` was written in the millisecond `ms` or later; at
/// least the trim horizon. A search of at most 64 steps, since times never fall inside a stream shard.
///
/// # Errors
/// The store's, and damaged rows.
pub fn first_written_at(
    reader: &dyn Reader,
    shard: &StreamShard,
    ms: u64,
    end: SequenceNumber,
) -> Result<SequenceNumber, ReadError> {
    let (mut low, mut high) = (shard.horizon, end.max(shard.horizon));
    while low < high {
        let middle = SequenceNumber::new(low.count() + (high.count() - low.count()) / 2);
        match first_record(reader, shard, middle, high)? {
            Some((number, created_ms)) if created_ms < ms => low = number.next(),
            _ => high = middle,
        }
    }
    Ok(low)
}

impl StreamPolicy {
    /// The next steps about all streams of `data_shard`, read through `reader`, which shows one moment; `None` where nothing
    /// is due at `now_ms`.
    ///
    /// # Errors
    /// The store's, and damaged rows.
    pub fn look(
        &self,
        reader: &dyn Reader,
        data_shard: ShardId,
        now_ms: u64,
    ) -> Result<Option<TendStreams>, ReadError> {
        let mut shards = Vec::new();
        let prefix = local::streams_prefix(data_shard);
        for_each_shard(reader, data_shard, &prefix, |shard| shards.push(shard)).map_err(damaged)?;
        let next = next_number(reader, data_shard)?;
        let end = |shard: &StreamShard| shard.last.map_or(next, SequenceNumber::next);
        self.due(&shards, now_ms, |shard, since_ms| first_written_at(reader, shard, since_ms, end(shard)))
    }
}

/// Number and time of the first record from `from` on and below `end`.
fn first_record(
    reader: &dyn Reader,
    shard: &StreamShard,
    from: SequenceNumber,
    end: SequenceNumber,
) -> Result<Option<(SequenceNumber, u64)>, ReadError> {
    let range = shard.records_in(from, end);
    let mut cursor = reader.cursor(KeyRange::between(&range.start, &range.end), Direction::Forward)?;
    let Some((key, record)) = cursor.next()? else { return Ok(None) };
    Ok(Some((sequence(key)?, StreamRecord::created_ms(record)?)))
}

fn records(
    reader: &dyn Reader,
    shard: &StreamShard,
    from: SequenceNumber,
    (limit, bytes_max): (u32, u64),
    inline_bytes_max: usize,
) -> Result<StreamResponse, ReadError> {
    if from < shard.horizon {
        return Ok(StreamResponse::Trimmed);
    }
    let (limit, bytes_max) = (limit.clamp(1, RECORDS_MAX) as usize, bytes_max.min(BYTES_MAX));
    let range = shard.records_in(from, SequenceNumber::MAX);
    let mut cursor = reader.cursor(KeyRange::between(&range.start, &range.end), Direction::Forward)?;
    let (mut records, mut bytes, mut read) = (Vec::new(), 0, 0);
    let is_end = loop {
        if records.len() == limit {
            break false;
        }
        let Some((key, value)) = cursor.next()? else { break true };
        let number = sequence(key)?;
        bytes += StreamRecord::parse(number, value)?.size_bytes() as u64;
        if bytes > bytes_max && !records.is_empty() {
            break false;
        }
        read += value.len();
        if read > inline_bytes_max {
            return Err(ReadError::TooLong);
        }
        records.push((number, Value::copy_from_slice(value)));
    };
    let next = records.last().map_or(from, |(number, _)| number.next());
    Ok(StreamResponse::Records { records, next: (!is_end || shard.is_open()).then_some(next) })
}

fn sequence(key: &[u8]) -> Result<SequenceNumber, Corrupt> {
    stream_record_sequence(key).ok_or(Corrupt("the key of a stream record ends with its number"))
}

fn damaged(fault: Fault) -> ReadError {
    match fault {
        Fault::Store(error) => error.into(),
        _ => Corrupt("malformed row of a stream").into(),
    }
}
