//! A cursor that owns its map.
//!
//! A cursor on the newest state must not hold the store's lock, and an iterator that borrows from a map beside it
//! cannot be written without `unsafe`. So it owns a clone of the map and fetches the pairs in chunks, small at first
//! (most cursors are short), then doubling up to [`CHUNK_MAX`].

use std::ops::Bound;

use bytes::Bytes;

use super::map::Map;
use crate::{Cursor, Direction, KeyRange, StoreError, Value};

const CHUNK_FIRST: usize = 8;
/// Pairs fetched at a time at most; a pair is 64 bytes here, its bytes are shared.
const CHUNK_MAX: usize = 256;

pub(super) struct MapCursor {
    map: Map,
    /// What is left to fetch; `None` at the end.
    rest: Option<(Bound<Bytes>, Bound<Bytes>)>,
    direction: Direction,
    chunk: Vec<(Bytes, Value)>,
    /// The pair of the chunk that the next step gives.
    at: usize,
    chunk_size: usize,
}

impl MapCursor {
    pub(super) fn new(map: Map, range: &KeyRange<'_>, direction: Direction) -> MapCursor {
        let (start, end) = range.as_bounds();
        let rest = (!range.is_empty()).then(|| (start.map(Bytes::copy_from_slice), end.map(Bytes::copy_from_slice)));
        MapCursor { map, rest, direction, chunk: Vec::new(), at: 0, chunk_size: CHUNK_FIRST }
    }

    fn refill(&mut self) {
        self.chunk.clear();
        self.at = 0;
        let Some((start, end)) = &self.rest else { return };
        let iter = self.map.range::<_, [u8]>((as_slice(start), as_slice(end)));
        let owned = |(key, value): (&Bytes, &Value)| (key.clone(), value.clone());
        match self.direction {
            Direction::Forward => self.chunk.extend(iter.take(self.chunk_size).map(owned)),
            Direction::Backward => self.chunk.extend(iter.rev().take(self.chunk_size).map(owned)),
        }
        self.shrink_rest();
        self.chunk_size = (self.chunk_size * 2).min(CHUNK_MAX);
    }

    fn shrink_rest(&mut self) {
        let last = match self.chunk.last() {
            Some((key, _)) if self.chunk.len() == self.chunk_size => key.clone(),
            _ => {
                self.rest = None;
                return;
            }
        };
        if let Some((start, end)) = &mut self.rest {
            match self.direction {
                Direction::Forward => *start = Bound::Excluded(last),
                Direction::Backward => *end = Bound::Excluded(last),
            }
            if KeyRange::new(as_slice(start), as_slice(end)).is_empty() {
                self.rest = None;
            }
        }
    }
}

impl Cursor for MapCursor {
    fn next(&mut self) -> Result<Option<(&[u8], &[u8])>, StoreError> {
        if self.at == self.chunk.len() {
            self.refill();
        }
        let pair = self.chunk.get(self.at);
        self.at += usize::from(pair.is_some());
        Ok(pair.map(|(key, value)| (&key[..], &value[..])))
    }
}

fn as_slice(bound: &Bound<Bytes>) -> Bound<&[u8]> {
    bound.as_ref().map(|key| &key[..])
}
