//! The bytes of needs and supplies.
//!
//! ```text
//! need    format (1) = 01 · count · (table · version)* · wants
//! wants   01 keys · bytes · count · key*
//!         02 page · start · end · backward · rows (option) · bytes · fetch
//!         03 cut · count · key*
//!         04 marks · count · key*
//!         05 stream · need, see `stream::need`
//! supply  format (1) = 01 · answer
//! answer  00 stale
//!         01 rows · count · row (option)*
//!         02 page · is end · count · (key · row)* · count · (key · item (option))*
//!         03 cut · count · row (option)* · count · mark*
//!         04 marks · count · mark*
//!         05 stream · supply, see `stream::need`
//! mark    version (8, BE) · there 01, locked 02 (1)
//! ```
//!
//! Integers are varints where no width is given; keys and rows carry their length. Rows of a supply are not copied out of
//! the message that brought them.

use hlc::Timestamp;
use ordered_kv::{Direction, Value};

use super::need::KEYS_MAX;
use super::{Mark, Need, PageNeed, Supply, Wants};
use crate::catalog::TableId;
use crate::codec::{
    DecodeError, finish, get_bool, get_bytes, get_list, get_option, get_u8, get_u32, get_u64, put_bool, put_bytes,
    put_list, put_option, put_u64,
};
use crate::read::TableVersion;
use crate::stream::{StreamNeed, StreamSupply};

/// The first byte of a need and of a supply.
const FORMAT: u8 = 1;

const KEYS: u8 = 0x01;
const PAGE: u8 = 0x02;
const CUT: u8 = 0x03;
const MARKS: u8 = 0x04;
const STREAM: u8 = 0x05;

const STALE: u8 = 0x00;
const ROWS: u8 = 0x01;

const IS_THERE: u8 = 0x01;
const IS_LOCKED: u8 = 0x02;

impl Need {
    /// Appends the need's bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(FORMAT);
        put_list(out, &self.tables, |out, table| {
            put_u64(out, table.id.0);
            put_u64(out, u64::from(table.version));
        });
        match &self.wants {
            Wants::Keys { keys, bytes_max } => {
                out.push(KEYS);
                put_u64(out, *bytes_max);
                put_keys(out, keys);
            }
            Wants::Page(page) => {
                out.push(PAGE);
                page.encode(out);
            }
            Wants::Cut(keys) => {
                out.push(CUT);
                put_keys(out, keys);
            }
            Wants::Marks(keys) => {
                out.push(MARKS);
                put_keys(out, keys);
            }
            Wants::Stream(need) => {
                out.push(STREAM);
                need.encode(out);
            }
        }
    }

    /// The need that these bytes are.
    ///
    /// # Errors
    /// [`DecodeError`] where they are not exactly one need of a known format.
    pub fn decode(mut input: &[u8]) -> Result<Need, DecodeError> {
        let input = &mut input;
        get_format(input)?;
        let tables =
            get_list(input, |input| Ok(TableVersion { id: TableId(get_u64(input)?), version: get_u32(input)? }))?;
        let wants = match get_u8(input)? {
            KEYS => {
                let bytes_max = get_u64(input)?;
                Wants::Keys { keys: get_keys(input)?, bytes_max }
            }
            PAGE => Wants::Page(PageNeed::decode(input)?),
            CUT => Wants::Cut(get_keys(input)?),
            MARKS => Wants::Marks(get_keys(input)?),
            STREAM => Wants::Stream(StreamNeed::decode(input)?),
            tag => return Err(DecodeError::Tag { what: "wants", tag }),
        };
        finish(input)?;
        Ok(Need { tables, wants })
    }
}

impl PageNeed {
    fn encode(&self, out: &mut Vec<u8>) {
        put_bytes(out, &self.start);
        put_bytes(out, &self.end);
        put_bool(out, self.direction == Direction::Backward);
        put_option(out, self.rows_max.as_ref(), |out, rows| put_u64(out, *rows));
        put_u64(out, self.bytes_max);
        put_bool(out, self.fetch);
    }

    fn decode(input: &mut &[u8]) -> Result<PageNeed, DecodeError> {
        Ok(PageNeed {
            start: get_bytes(input)?.to_vec(),
            end: get_bytes(input)?.to_vec(),
            direction: if get_bool(input)? { Direction::Backward } else { Direction::Forward },
            rows_max: get_option(input, get_u64)?,
            bytes_max: get_u64(input)?,
            fetch: get_bool(input)?,
        })
    }
}

impl Supply {
    /// Appends the supply's bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.reserve(self.weight());
        out.push(FORMAT);
        match self {
            Supply::Stale => out.push(STALE),
            Supply::Rows(rows) => {
                out.push(ROWS);
                put_list(out, rows, put_row);
            }
            Supply::Page { rows, items, is_end } => {
                out.push(PAGE);
                put_bool(out, *is_end);
                put_list(out, rows, |out, (key, row)| {
                    put_bytes(out, key);
                    put_bytes(out, row);
                });
                put_list(out, items, |out, (key, item)| {
                    put_bytes(out, key);
                    put_row(out, item);
                });
            }
            Supply::Cut { rows, marks } => {
                out.push(CUT);
                put_list(out, rows, put_row);
                put_list(out, marks, put_mark);
            }
            Supply::Marks(marks) => {
                out.push(MARKS);
                put_list(out, marks, put_mark);
            }
            Supply::Stream(supply) => {
                out.push(STREAM);
                supply.encode(out);
            }
        }
    }

    /// The supply that these bytes are; its rows stay where they are.
    ///
    /// # Errors
    /// [`DecodeError`] where they are not exactly one supply of a known format.
    pub fn decode(message: &Value) -> Result<Supply, DecodeError> {
        let mut input = &message[..];
        let input = &mut input;
        get_format(input)?;
        let supply = match get_u8(input)? {
            STALE => Supply::Stale,
            ROWS => Supply::Rows(get_list(input, |input| get_row(message, input))?),
            PAGE => {
                let is_end = get_bool(input)?;
                let rows = get_list(input, |input| Ok((get_slice(message, input)?, get_slice(message, input)?)))?;
                let items = get_list(input, |input| Ok((get_slice(message, input)?, get_row(message, input)?)))?;
                Supply::Page { rows, items, is_end }
            }
            CUT => {
                let rows = get_list(input, |input| get_row(message, input))?;
                Supply::Cut { rows, marks: get_list(input, get_mark)? }
            }
            MARKS => Supply::Marks(get_list(input, get_mark)?),
            STREAM => Supply::Stream(StreamSupply::decode(message, input)?),
            tag => return Err(DecodeError::Tag { what: "supply", tag }),
        };
        finish(input)?;
        Ok(supply)
    }

    /// Roughly its bytes.
    fn weight(&self) -> usize {
        let row = |row: &Option<Value>| 8 + row.as_ref().map_or(0, Value::len);
        let rows = |rows: &[Option<Value>]| rows.iter().map(row).sum::<usize>();
        16 + match self {
            Supply::Stale => 0,
            Supply::Rows(found) => rows(found),
            Supply::Page { rows, items, .. } => {
                let rows: usize = rows.iter().map(|(key, row)| 16 + key.len() + row.len()).sum();
                rows + items.iter().map(|(key, item)| 8 + key.len() + row(item)).sum::<usize>()
            }
            Supply::Cut { rows: found, marks } => rows(found) + 9 * marks.len(),
            Supply::Marks(marks) => 9 * marks.len(),
            Supply::Stream(supply) => supply.weight(),
        }
    }
}

fn get_format(input: &mut &[u8]) -> Result<(), DecodeError> {
    match get_u8(input)? {
        FORMAT => Ok(()),
        format => Err(DecodeError::Format(format)),
    }
}

fn put_keys(out: &mut Vec<u8>, keys: &[Vec<u8>]) {
    put_list(out, keys, |out, key| put_bytes(out, key));
}

fn get_keys(input: &mut &[u8]) -> Result<Vec<Vec<u8>>, DecodeError> {
    let keys = get_list(input, |input| Ok(get_bytes(input)?.to_vec()))?;
    if keys.len() > KEYS_MAX { Err(DecodeError::TooLarge) } else { Ok(keys) }
}

fn put_row(out: &mut Vec<u8>, row: &Option<Value>) {
    put_option(out, row.as_ref(), |out, row| put_bytes(out, row));
}

fn get_row(message: &Value, input: &mut &[u8]) -> Result<Option<Value>, DecodeError> {
    get_option(input, |input| get_slice(message, input))
}

/// Bytes of the message, shared with it.
fn get_slice(message: &Value, input: &mut &[u8]) -> Result<Value, DecodeError> {
    let length = get_bytes(input)?.len();
    let end = message.len() - input.len();
    Ok(message.slice(end - length..end))
}

fn put_mark(out: &mut Vec<u8>, mark: &Mark) {
    out.extend_from_slice(&mark.version.0.to_be_bytes());
    let there = if mark.is_there { IS_THERE } else { 0 };
    let locked = if mark.is_locked { IS_LOCKED } else { 0 };
    out.push(there | locked);
}

fn get_mark(input: &mut &[u8]) -> Result<Mark, DecodeError> {
    let (version, rest) = input.split_first_chunk::<8>().ok_or(DecodeError::Truncated)?;
    *input = rest;
    let flags = get_u8(input)?;
    if flags & !(IS_THERE | IS_LOCKED) != 0 {
        return Err(DecodeError::Tag { what: "mark", tag: flags });
    }
    Ok(Mark {
        version: Timestamp(u64::from_be_bytes(*version)),
        is_there: flags & IS_THERE != 0,
        is_locked: flags & IS_LOCKED != 0,
    })
}
