//! What is asked of the leader of a data shard about a stream, and what it answers.
//!
//! ```text
//! request  stream · 01 shards
//!                 | 02 locate · stream shard · start
//!                 | 03 records · stream shard · from · count at most · bytes at most
//! start    01 horizon | 02 latest | 03 at · number | 04 after · number | 05 at time · ms
//! response 01 shards · count · (stream shard · length · row)*
//!          02 no such shard | 03 trimmed | 04 out of range | 05 located · number
//!          06 records · count · (number · length · record)* · next (option)
//! stream   table id · since ms              stream shard  opened ms · data shard
//! ```
//!
//! Integers are varints.

use ordered_kv::Value;

use super::{SequenceNumber, StreamId, StreamShard, StreamShardId};
use crate::codec::{DecodeError, Record, get_bytes, get_list, get_u8, put_bytes, put_list};
use crate::record;

/// What is asked of one data shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamRequest {
    /// All shards that the stream has there, open or sealed, as far as they are kept.
    Shards {
        /// The stream.
        stream: StreamId,
    },
    /// Where to begin.
    Locate {
        /// The stream.
        stream: StreamId,
        /// Its shard.
        shard: StreamShardId,
        /// Where in it.
        start: StreamStart,
    },
    /// Records from a place on.
    Records {
        /// The stream.
        stream: StreamId,
        /// Its shard.
        shard: StreamShardId,
        /// No record below it.
        from: SequenceNumber,
        /// The most records, at least 1.
        limit: u32,
        /// Bytes as [`SizeBytes`](super::StreamRecord::size_bytes) counts them: no record more once they would be exceeded,
        /// but one at least.
        bytes_max: u64,
    },
}

/// Where in a stream shard to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamStart {
    /// At the oldest record that there is.
    TrimHorizon,
    /// Behind the newest one.
    Latest,
    /// At the record with this number.
    At(SequenceNumber),
    /// Behind the record with this number.
    After(SequenceNumber),
    /// At the first record that was written in this millisecond since the epoch or later; at the end where none was.
    AtTime(u64),
}

/// What a data shard answers to a [`StreamRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamResponse {
    /// To [`StreamRequest::Shards`]: in the order of their ids.
    Shards(Vec<StreamShard>),
    /// There is no such shard: it never was, or its time is over.
    NoShard,
    /// What was asked for lies before the trim horizon.
    Trimmed,
    /// A number that the shard has not given to any record yet, or never will.
    OutOfRange,
    /// To [`StreamRequest::Locate`]: reading begins here.
    Located(SequenceNumber),
    /// To [`StreamRequest::Records`].
    Records {
        /// Numbers and bytes ([`StreamRecord::parse`](super::StreamRecord::parse)), in order.
        records: Vec<(SequenceNumber, Value)>,
        /// Where to read on; `None` when the shard is sealed and was read to its end.
        next: Option<SequenceNumber>,
    },
}

impl StreamRequest {
    /// The stream that it is about.
    pub fn stream(&self) -> StreamId {
        match self {
            StreamRequest::Shards { stream }
            | StreamRequest::Locate { stream, .. }
            | StreamRequest::Records { stream, .. } => *stream,
        }
    }
}

/// What every request begins with, and then which it is.
impl Record for StreamRequest {
    fn encode(&self, out: &mut Vec<u8>) {
        self.stream().encode(out);
        match self {
            StreamRequest::Shards { .. } => out.push(1),
            StreamRequest::Locate { shard, start, .. } => {
                out.push(2);
                shard.encode(out);
                start.encode(out);
            }
            StreamRequest::Records { shard, from, limit, bytes_max, .. } => {
                out.push(3);
                shard.encode(out);
                from.encode(out);
                limit.encode(out);
                bytes_max.encode(out);
            }
        }
    }

    fn decode(input: &mut &[u8]) -> Result<StreamRequest, DecodeError> {
        let stream = Record::decode(input)?;
        Ok(match get_u8(input)? {
            1 => StreamRequest::Shards { stream },
            2 => StreamRequest::Locate { stream, shard: Record::decode(input)?, start: Record::decode(input)? },
            3 => {
                let (shard, from) = (Record::decode(input)?, Record::decode(input)?);
                StreamRequest::Records {
                    stream,
                    shard,
                    from,
                    limit: Record::decode(input)?,
                    bytes_max: Record::decode(input)?,
                }
            }
            tag => return Err(DecodeError::Tag { what: "a request of a stream", tag }),
        })
    }
}

record! {
    enum StreamStart: "a start in a stream" {
        1 = TrimHorizon, 2 = Latest, 3 = At(number), 4 = After(number), 5 = AtTime(ms),
    }
}

impl StreamResponse {
    /// Appends the response's bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            StreamResponse::Shards(shards) => {
                out.push(1);
                put_list(out, shards, |out, shard| {
                    shard.stream.encode(out);
                    shard.id.encode(out);
                    put_bytes(out, &shard.to_bytes());
                });
            }
            StreamResponse::NoShard => out.push(2),
            StreamResponse::Trimmed => out.push(3),
            StreamResponse::OutOfRange => out.push(4),
            StreamResponse::Located(at) => {
                out.push(5);
                at.encode(out);
            }
            StreamResponse::Records { records, next } => {
                out.push(6);
                records.encode(out);
                next.encode(out);
            }
        }
    }

    /// Takes a response off the front of `input`, which is a part of `message`: the records stay where they are.
    ///
    /// # Errors
    /// Bytes that [`StreamResponse::encode`] cannot have written.
    pub fn decode(message: &Value, input: &mut &[u8]) -> Result<StreamResponse, DecodeError> {
        Ok(match get_u8(input)? {
            1 => StreamResponse::Shards(get_list(input, |input| {
                let (stream, id) = Record::decode(input)?;
                StreamShard::from_bytes(stream, id, get_bytes(input)?)
            })?),
            2 => StreamResponse::NoShard,
            3 => StreamResponse::Trimmed,
            4 => StreamResponse::OutOfRange,
            5 => StreamResponse::Located(Record::decode(input)?),
            6 => StreamResponse::Records {
                records: get_list(input, |input| Ok((Record::decode(input)?, message.slice_ref(get_bytes(input)?))))?,
                next: Record::decode(input)?,
            },
            tag => return Err(DecodeError::Tag { what: "a response of a stream", tag }),
        })
    }

    /// Roughly its bytes.
    pub fn weight(&self) -> usize {
        match self {
            StreamResponse::Shards(shards) => shards.len() * 64,
            StreamResponse::Records { records, .. } => records.iter().map(|(_, record)| 16 + record.len()).sum(),
            _ => 16,
        }
    }
}

#[cfg(test)]
mod tests {
    use shard_router::{ShardId, Token};

    use crate::catalog::TableId;

    use super::*;

    const STREAM: StreamId = StreamId { table: TableId(7), since_ms: 300 };
    const SHARD: StreamShardId = StreamShardId { created_ms: 301, data_shard: ShardId(2) };

    fn requests() -> Vec<StreamRequest> {
        let number = SequenceNumber::new(9);
        let starts = [
            StreamStart::TrimHorizon,
            StreamStart::Latest,
            StreamStart::At(number),
            StreamStart::After(number),
            StreamStart::AtTime(300),
        ];
        let mut requests = vec![
            StreamRequest::Shards { stream: STREAM },
            StreamRequest::Records { stream: STREAM, shard: SHARD, from: number, limit: 1000, bytes_max: 1 << 20 },
        ];
        requests.extend(starts.map(|start| StreamRequest::Locate { stream: STREAM, shard: SHARD, start }));
        requests
    }

    #[test]
    fn golden_bytes() {
        let mut out = Vec::new();
        requests()[1].encode(&mut out);
        assert_eq!(out, [7, 0xac, 2, 3, 0xad, 2, 2, 9, 0xe8, 7, 0x80, 0x80, 0x40]);
        let response = StreamResponse::Records {
            records: vec![(SequenceNumber::new(9), Value::from_static(b"r"))],
            next: Some(SequenceNumber::new(10)),
        };
        let mut out = Vec::new();
        response.encode(&mut out);
        assert_eq!(out, [6, 1, 9, 1, b'r', 1, 10]);
    }

    #[test]
    fn requests_and_responses_come_back() {
        for request in requests() {
            let mut out = Vec::new();
            request.encode(&mut out);
            let mut input = &out[..];
            assert_eq!((StreamRequest::decode(&mut input), input), (Ok(request), &[][..]));
            (0..out.len()).for_each(|end| assert!(StreamRequest::decode(&mut &out[..end]).is_err()));
        }
        let shard = StreamShard::open(STREAM, SHARD, Some(SHARD), SequenceNumber::new(1), Token(0));
        for response in [
            StreamResponse::Shards(vec![shard]),
            StreamResponse::NoShard,
            StreamResponse::Trimmed,
            StreamResponse::OutOfRange,
            StreamResponse::Located(SequenceNumber::new(4)),
            StreamResponse::Records { records: vec![(SequenceNumber::new(9), Value::from_static(b"r"))], next: None },
        ] {
            let mut out = Vec::new();
            response.encode(&mut out);
            let message = Value::from(out);
            let mut input = &message[..];
            assert_eq!((StreamResponse::decode(&message, &mut input), input), (Ok(response), &[][..]));
            for end in 0..message.len() {
                let cut = message.slice(..end);
                assert!(StreamResponse::decode(&cut, &mut &cut[..]).is_err());
            }
        }
    }
}
