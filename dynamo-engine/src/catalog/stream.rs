//! What streams there are: those of the tables, and those that have ended and are still kept.
//!
//! A stream ends when it is switched off or its table is deleted. The system group then writes an [`EndedStream`], which
//! stays until the retention has passed: ListStreams and DescribeStream need no table for it.

use super::{KeySchema, StreamView, TableDescriptor};
use crate::codec::{DecodeError, Record, from_row, to_row};
use crate::ids::StreamId;

const FORMAT: u8 = 1;

/// Where a stream is between its beginning and its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamStatus {
    /// Some shards do not write records yet.
    Enabling,
    /// Every change is recorded.
    Enabled,
    /// Some shards still write records.
    Disabling,
    /// Over; readable while it is kept.
    Disabled,
}

impl StreamStatus {
    /// As it is called on the wire.
    pub fn name(self) -> &'static str {
        match self {
            StreamStatus::Enabling => "ENABLING",
            StreamStatus::Enabled => "ENABLED",
            StreamStatus::Disabling => "DISABLING",
            StreamStatus::Disabled => "DISABLED",
        }
    }
}

/// A stream as ListStreams and DescribeStream show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamDescription {
    /// Which.
    pub id: StreamId,
    /// The name of its table, which may be another table's now.
    pub table_name: String,
    /// The table's key.
    pub keys: KeySchema,
    /// What its records carry.
    pub view: StreamView,
    /// Where it is.
    pub status: StreamStatus,
}

/// A stream that is over: the system group's record of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedStream {
    /// Which.
    pub id: StreamId,
    /// The name of its table.
    pub table_name: String,
    /// The table's key.
    pub keys: KeySchema,
    /// What its records carry.
    pub view: StreamView,
    /// When it ended, in milliseconds since the epoch.
    pub ended_ms: u64,
}

impl EndedStream {
    /// The stream of `table` that is on, as of its end.
    pub fn of(table: &TableDescriptor, ended_ms: u64) -> Option<EndedStream> {
        Some(EndedStream {
            id: table.stream_id()?,
            table_name: table.name.clone(),
            keys: table.keys.clone(),
            view: table.live_stream()?.view,
            ended_ms,
        })
    }

    /// The row's value; the stream's id stands in the key.
    pub fn to_bytes(&self) -> Vec<u8> {
        to_row(FORMAT, |out| {
            self.table_name.encode(out);
            self.keys.encode(out);
            self.view.encode(out);
            self.ended_ms.encode(out);
        })
    }

    /// Decodes the value of the row of that stream.
    ///
    /// # Errors
    /// Bytes that [`EndedStream::to_bytes`] cannot have written.
    pub fn from_bytes(id: StreamId, row: &[u8]) -> Result<EndedStream, DecodeError> {
        from_row(row, FORMAT, |input| {
            let (table_name, keys) = (Record::decode(input)?, Record::decode(input)?);
            Ok(EndedStream { id, table_name, keys, view: Record::decode(input)?, ended_ms: Record::decode(input)? })
        })
    }
}

impl TableDescriptor {
    /// The stream, when it is on.
    pub fn stream_id(&self) -> Option<StreamId> {
        self.live_stream().map(|stream| StreamId { table: self.id, since_ms: stream.since_ms })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::catalog::{Catalog, MemoryCatalog, TableId, TablePhase, TableStep, fixture};

    #[test]
    fn golden_bytes() {
        let ended = EndedStream {
            id: StreamId { table: TableId(7), since_ms: 5 },
            table_name: "t".to_owned(),
            keys: fixture::keys(("k", crate::catalog::KeyType::S), None),
            view: StreamView::OldImage,
            ended_ms: 300,
        };
        let bytes = [1, 1, b't', 1, 1, b'k', 1, 0, 3, 0xac, 2];
        assert_eq!(ended.to_bytes(), bytes);
        assert_eq!(EndedStream::from_bytes(ended.id, &bytes), Ok(ended.clone()));
        (0..bytes.len()).for_each(|end| assert!(EndedStream::from_bytes(ended.id, &bytes[..end]).is_err()));
    }

    #[test]
    fn a_stream_from_its_beginning_to_its_end() {
        let table = fixture::orders();
        let id = table.stream_id().unwrap();
        let status = |phase, table: &TableDescriptor, ended: Option<EndedStream>| {
            let mut catalog = MemoryCatalog::default();
            catalog.insert(Arc::new(table.clone()), phase);
            ended.into_iter().for_each(|ended| catalog.insert_ended_stream(Arc::new(ended)));
            let listed: Vec<StreamStatus> =
                catalog.streams(Some("orders")).iter().map(|stream| stream.status).collect();
            assert_eq!(listed, Vec::from_iter(catalog.stream(id).map(|stream| stream.status)));
            assert_eq!(catalog.streams(None).len(), listed.len());
            assert!(catalog.streams(Some("other")).is_empty());
            listed.first().copied()
        };
        assert_eq!(status(TablePhase::Creating, &table, None), Some(StreamStatus::Enabling));
        assert_eq!(status(TablePhase::Active, &table, None), Some(StreamStatus::Enabled));
        let mut pending = table.clone();
        pending.pending = vec![TableStep::Stream(Some(StreamView::NewImage))];
        assert_eq!(status(TablePhase::Changing, &pending, None), Some(StreamStatus::Enabling));
        let ended = EndedStream::of(&table, 9);
        assert_eq!(status(TablePhase::Deleting, &table, ended.clone()), Some(StreamStatus::Disabling));
        let mut off = table.clone();
        off.stream = off.stream.map(|stream| crate::catalog::StreamSettings { enabled: false, ..stream });
        assert_eq!(status(TablePhase::Active, &off, ended.clone()), Some(StreamStatus::Disabled));
        assert_eq!(status(TablePhase::Active, &off, None), None, "its time is over");
        off.pending = vec![TableStep::Stream(None)];
        assert_eq!(status(TablePhase::Changing, &off, ended), Some(StreamStatus::Disabling));
        assert_eq!(EndedStream::of(&off, 9), None);
    }

    #[test]
    fn streams_are_in_the_order_of_name_and_beginning() {
        let mut catalog = MemoryCatalog::new([fixture::orders()]);
        let ended = EndedStream::of(&fixture::orders(), 9).unwrap();
        for (name, table, since_ms) in [("zebras", 1, 1), ("orders", 2, 5), ("orders", 3, 4), ("ants", 4, 9)] {
            let id = StreamId { table: TableId(table), since_ms };
            catalog.insert_ended_stream(Arc::new(EndedStream { id, table_name: name.to_owned(), ..ended.clone() }));
        }
        let order: Vec<u64> = catalog.streams(None).iter().map(|stream| stream.id.table.0).collect();
        assert_eq!(order, [4, 3, 2, 7, 1]);
        assert_eq!(catalog.streams(Some("orders")).len(), 3);
    }
}
