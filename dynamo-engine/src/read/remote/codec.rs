//! The bytes of requests and responses.
//!
//! ```text
//! request   format (1) = 01 · count · (table · version)* · selector
//! selector  01 keys · bytes · count · key*
//!           02 page · start · end · backward · rows (option) · bytes · fetch
//!           03 cut · count · key*
//!           04 marks · count · key*
//!           05 stream · request, see `stream::request`
//! response  format (1) = 01 · answer
//! answer    00 stale
//!           01 rows · count · row (option)*
//!           02 page · is end · count · (key · row)* · count · (key · item (option))*
//!           03 cut · count · row (option)* · count · mark*
//!           04 marks · count · mark*
//!           05 stream · response, see `stream::request`
//! mark      version (8, BE) · there 01, locked 02 (1)
//! ```
//!
//! Integers are varints where no width is given; keys and rows carry their length. Rows of a response are not copied out of
//! the message that brought them.

use hlc::Timestamp;
use ordered_kv::{Direction, Value};

use super::request::KEYS_MAX;
use super::{FetchRequest, FetchResponse, Mark, PageRequest, Selector};
use crate::catalog::TableId;
use crate::codec::{
    DecodeError, finish, get_bool, get_bytes, get_list, get_option, get_u8, get_u32, get_u64, put_bool, put_bytes,
    put_list, put_option, put_u64,
};
use crate::read::TableVersion;
use crate::stream::{StreamRequest, StreamResponse};

/// The first byte of a request and of a response.
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

impl FetchRequest {
    /// Appends the request's bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(FORMAT);
        put_list(out, &self.tables, |out, table| {
            put_u64(out, table.id.0);
            put_u64(out, u64::from(table.version));
        });
        match &self.selector {
            Selector::Keys { keys, bytes_max } => {
                out.push(KEYS);
                put_u64(out, *bytes_max);
                put_keys(out, keys);
            }
            Selector::Page(page) => {
                out.push(PAGE);
                page.encode(out);
            }
            Selector::Cut(keys) => {
                out.push(CUT);
                put_keys(out, keys);
            }
            Selector::Marks(keys) => {
                out.push(MARKS);
                put_keys(out, keys);
            }
            Selector::Stream(request) => {
                out.push(STREAM);
                request.encode(out);
            }
        }
    }

    /// The request that these bytes are.
    ///
    /// # Errors
    /// [`DecodeError`] where they are not exactly one request of a known format.
    pub fn decode(mut input: &[u8]) -> Result<FetchRequest, DecodeError> {
        let input = &mut input;
        get_format(input)?;
        let tables =
            get_list(input, |input| Ok(TableVersion { id: TableId(get_u64(input)?), version: get_u32(input)? }))?;
        let selector = match get_u8(input)? {
            KEYS => {
                let bytes_max = get_u64(input)?;
                Selector::Keys { keys: get_keys(input)?, bytes_max }
            }
            PAGE => Selector::Page(PageRequest::decode(input)?),
            CUT => Selector::Cut(get_keys(input)?),
            MARKS => Selector::Marks(get_keys(input)?),
            STREAM => Selector::Stream(StreamRequest::decode(input)?),
            tag => return Err(DecodeError::Tag { what: "selector", tag }),
        };
        finish(input)?;
        Ok(FetchRequest { tables, selector })
    }
}

impl PageRequest {
    fn encode(&self, out: &mut Vec<u8>) {
        put_bytes(out, &self.start);
        put_bytes(out, &self.end);
        put_bool(out, self.direction == Direction::Backward);
        put_option(out, self.rows_max.as_ref(), |out, rows| put_u64(out, *rows));
        put_u64(out, self.bytes_max);
        put_bool(out, self.fetch);
    }

    fn decode(input: &mut &[u8]) -> Result<PageRequest, DecodeError> {
        Ok(PageRequest {
            start: get_bytes(input)?.to_vec(),
            end: get_bytes(input)?.to_vec(),
            direction: if get_bool(input)? { Direction::Backward } else { Direction::Forward },
            rows_max: get_option(input, get_u64)?,
            bytes_max: get_u64(input)?,
            fetch: get_bool(input)?,
        })
    }
}

impl FetchResponse {
    /// Appends the response's bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.reserve(self.weight());
        out.push(FORMAT);
        match self {
            FetchResponse::Stale => out.push(STALE),
            FetchResponse::Rows(rows) => {
                out.push(ROWS);
                put_list(out, rows, put_row);
            }
            FetchResponse::Page { rows, items, is_end } => {
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
            FetchResponse::Cut { rows, marks } => {
                out.push(CUT);
                put_list(out, rows, put_row);
                put_list(out, marks, put_mark);
            }
            FetchResponse::Marks(marks) => {
                out.push(MARKS);
                put_list(out, marks, put_mark);
            }
            FetchResponse::Stream(response) => {
                out.push(STREAM);
                response.encode(out);
            }
        }
    }

    /// The response that these bytes are; its rows stay where they are.
    ///
    /// # Errors
    /// [`DecodeError`] where they are not exactly one response of a known format.
    pub fn decode(message: &Value) -> Result<FetchResponse, DecodeError> {
        let mut input = &message[..];
        let input = &mut input;
        get_format(input)?;
        let response = match get_u8(input)? {
            STALE => FetchResponse::Stale,
            ROWS => FetchResponse::Rows(get_list(input, |input| get_row(message, input))?),
            PAGE => {
                let is_end = get_bool(input)?;
                let rows = get_list(input, |input| Ok((get_slice(message, input)?, get_slice(message, input)?)))?;
                let items = get_list(input, |input| Ok((get_slice(message, input)?, get_row(message, input)?)))?;
                FetchResponse::Page { rows, items, is_end }
            }
            CUT => {
                let rows = get_list(input, |input| get_row(message, input))?;
                FetchResponse::Cut { rows, marks: get_list(input, get_mark)? }
            }
            MARKS => FetchResponse::Marks(get_list(input, get_mark)?),
            STREAM => FetchResponse::Stream(StreamResponse::decode(message, input)?),
            tag => return Err(DecodeError::Tag { what: "response", tag }),
        };
        finish(input)?;
        Ok(response)
    }

    /// Roughly its bytes.
    fn weight(&self) -> usize {
        let row = |row: &Option<Value>| 8 + row.as_ref().map_or(0, Value::len);
        let rows = |rows: &[Option<Value>]| rows.iter().map(row).sum::<usize>();
        16 + match self {
            FetchResponse::Stale => 0,
            FetchResponse::Rows(found) => rows(found),
            FetchResponse::Page { rows, items, .. } => {
                let rows: usize = rows.iter().map(|(key, row)| 16 + key.len() + row.len()).sum();
                rows + items.iter().map(|(key, item)| 8 + key.len() + row(item)).sum::<usize>()
            }
            FetchResponse::Cut { rows: found, marks } => rows(found) + 9 * marks.len(),
            FetchResponse::Marks(marks) => 9 * marks.len(),
            FetchResponse::Stream(response) => response.weight(),
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
