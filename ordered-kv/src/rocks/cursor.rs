//! A cursor over one of RocksDB's iterators.

use rocksdb::{DB, DBRawIteratorWithThreadMode, ReadOptions};

use super::fault::convert;
use crate::{Cursor, Direction, KeyRange, StoreError};

pub(super) struct RocksCursor<'a> {
    iterator: DBRawIteratorWithThreadMode<'a, DB>,
    direction: Direction,
    at: Position,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Position {
    /// Nothing was asked yet.
    Before,
    /// On the pair that was given last.
    On,
    /// At the end, or spent by an error.
    After,
}

impl<'a> RocksCursor<'a> {
    /// A cursor with the tier and the snapshot of `options`; the bounds come from `range`.
    pub(super) fn new(db: &'a DB, mut options: ReadOptions, range: &KeyRange<'_>, direction: Direction) -> Self {
        if let Some(lower) = range.lower() {
            options.set_iterate_lower_bound(lower.into_owned());
        }
        if let Some(upper) = range.upper() {
            options.set_iterate_upper_bound(upper.into_owned());
        }
        options.set_background_purge_on_iterator_cleanup(true);
        // RocksDB is not asked with bounds that cross each other.
        let at = if range.is_empty() { Position::After } else { Position::Before };
        RocksCursor { iterator: db.raw_iterator_opt(options), direction, at }
    }

    fn step(&mut self) {
        match (self.at, self.direction) {
            (Position::Before, Direction::Forward) => self.iterator.seek_to_first(),
            (Position::Before, Direction::Backward) => self.iterator.seek_to_last(),
            (Position::On, Direction::Forward) => self.iterator.next(),
            (Position::On, Direction::Backward) => self.iterator.prev(),
            (Position::After, _) => {}
        }
    }
}

impl Cursor for RocksCursor<'_> {
    fn next(&mut self) -> Result<Option<(&[u8], &[u8])>, StoreError> {
        if self.at == Position::After {
            return Ok(None);
        }
        self.step();
        match self.iterator.item() {
            Some(pair) => {
                self.at = Position::On;
                Ok(Some(pair))
            }
            None => {
                self.at = Position::After;
                self.iterator.status().map(|()| None).map_err(convert)
            }
        }
    }
}
