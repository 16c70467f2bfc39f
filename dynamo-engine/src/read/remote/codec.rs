//! The bytes of requests and responses.
//!
//! ```text
//! request   format (1) = 01 · count · (table · version)* · selector
//! selector  01 keys · bytes · count · key*
//!           02 page · count · (start · end)* · backward · rows (option) · bytes · fetch
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

use ordered_kv::Value;

use super::request::KEYS_MAX;
use super::{FetchRequest, FetchResponse, Mark, PageRequest, RowRange, Selector};
use crate::codec::{
    DecodeError, Record, check_format, finish, from_row, get_bool, get_bytes, get_list, get_option, get_u8,
};
use crate::read::TableVersion;
use crate::record;
use crate::stream::StreamResponse;

/// The first byte of a request and of a response.
const FORMAT: u8 = 1;

const PAGE: u8 = 0x02;
const CUT: u8 = 0x03;
const MARKS: u8 = 0x04;
const STREAM: u8 = 0x05;

const STALE: u8 = 0x00;
const ROWS: u8 = 0x01;

const IS_THERE: u8 = 0x01;
const IS_LOCKED: u8 = 0x02;

record! {
    struct TableVersion { id, version }
    enum Selector: "selector" {
        0x01 = Keys { bytes_max, keys },
        0x02 = Page(page),
        0x03 = Cut(keys),
        0x04 = Marks(keys),
        0x05 = Stream(request),
    }
    struct PageRequest { ranges, direction, rows_max, bytes_max, fetch }
    struct RowRange { start, end }
}

impl FetchRequest {
    /// Appends the request's bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(FORMAT);
        self.tables.encode(out);
        self.selector.encode(out);
    }

    /// The request that these bytes are.
    ///
    /// # Errors
    /// [`DecodeError`] where they are not exactly one request of a known format.
    pub fn decode(bytes: &[u8]) -> Result<FetchRequest, DecodeError> {
        let request = from_row(bytes, FORMAT, |input| {
            Ok(FetchRequest { tables: Record::decode(input)?, selector: Record::decode(input)? })
        })?;
        if request.parts() > KEYS_MAX { Err(DecodeError::TooLarge) } else { Ok(request) }
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
                rows.encode(out);
            }
            FetchResponse::Page { rows, items, is_end } => {
                out.push(PAGE);
                is_end.encode(out);
                rows.encode(out);
                items.encode(out);
            }
            FetchResponse::Cut { rows, marks } => {
                out.push(CUT);
                rows.encode(out);
                marks.encode(out);
            }
            FetchResponse::Marks(marks) => {
                out.push(MARKS);
                marks.encode(out);
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
        check_format(input, FORMAT)?;
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
                FetchResponse::Cut { rows, marks: Record::decode(input)? }
            }
            MARKS => FetchResponse::Marks(Record::decode(input)?),
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

fn get_row(message: &Value, input: &mut &[u8]) -> Result<Option<Value>, DecodeError> {
    get_option(input, |input| get_slice(message, input))
}

/// Bytes of the message, shared with it.
fn get_slice(message: &Value, input: &mut &[u8]) -> Result<Value, DecodeError> {
    let length = get_bytes(input)?.len();
    let end = message.len() - input.len();
    Ok(message.slice(end - length..end))
}

impl Record for Mark {
    fn encode(&self, out: &mut Vec<u8>) {
        self.version.encode(out);
        let there = if self.is_there { IS_THERE } else { 0 };
        let locked = if self.is_locked { IS_LOCKED } else { 0 };
        out.push(there | locked);
    }

    fn decode(input: &mut &[u8]) -> Result<Mark, DecodeError> {
        let (version, flags) = (Record::decode(input)?, get_u8(input)?);
        if flags & !(IS_THERE | IS_LOCKED) != 0 {
            return Err(DecodeError::Tag { what: "mark", tag: flags });
        }
        Ok(Mark { version, is_there: flags & IS_THERE != 0, is_locked: flags & IS_LOCKED != 0 })
    }
}
