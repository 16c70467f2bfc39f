//! Attribute values as bytes: what travels in log commands and lies in the store.
//!
//! One tag byte, then the content: texts and binaries with their length before them, numbers in their ordered form,
//! sets, lists and maps with their count before them. Equal values have equal bytes, since sets and maps are sorted.
//! The tags are part of the on-disk format and never change:
//!
//! ```text
//! 1 S   2 N   3 B   4 false   5 true   6 NULL   7 SS   8 NS   9 BS   10 L   11 M
//! ```

pub use crate::varint::DecodeError;

use crate::number::Number;
use crate::value::{AttributeValue, Item};
use crate::varint::{read_bytes, read_count, read_str, read_u8, write_bytes, write_usize};

/// Deepest nesting read back. Requests are held to 32 levels; an update may add levels below a path, and nothing that
/// was written lies deeper than this.
pub const DEPTH_MAX: usize = 96;

const TAG_S: u8 = 1;
const TAG_N: u8 = 2;
const TAG_B: u8 = 3;
const TAG_FALSE: u8 = 4;
const TAG_TRUE: u8 = 5;
const TAG_NULL: u8 = 6;
const TAG_SS: u8 = 7;
const TAG_NS: u8 = 8;
const TAG_BS: u8 = 9;
const TAG_L: u8 = 10;
const TAG_M: u8 = 11;

/// Appends one value.
pub fn encode_value(value: &AttributeValue, out: &mut Vec<u8>) {
    match value {
        AttributeValue::S(text) => {
            out.push(TAG_S);
            write_bytes(out, text.as_bytes());
        }
        AttributeValue::N(number) => {
            out.push(TAG_N);
            number.encode_ordered(out);
        }
        AttributeValue::B(bytes) => {
            out.push(TAG_B);
            write_bytes(out, bytes);
        }
        AttributeValue::Bool(value) => out.push(if *value { TAG_TRUE } else { TAG_FALSE }),
        AttributeValue::Null => out.push(TAG_NULL),
        AttributeValue::Ss(texts) => {
            out.push(TAG_SS);
            write_usize(out, texts.len());
            texts.iter().for_each(|text| write_bytes(out, text.as_bytes()));
        }
        AttributeValue::Ns(numbers) => {
            out.push(TAG_NS);
            write_usize(out, numbers.len());
            numbers.iter().for_each(|number| number.encode_ordered(out));
        }
        AttributeValue::Bs(binaries) => {
            out.push(TAG_BS);
            write_usize(out, binaries.len());
            binaries.iter().for_each(|bytes| write_bytes(out, bytes));
        }
        AttributeValue::L(elements) => {
            out.push(TAG_L);
            write_usize(out, elements.len());
            elements.iter().for_each(|element| encode_value(element, out));
        }
        AttributeValue::M(entries) => {
            out.push(TAG_M);
            encode_item(entries, out);
        }
    }
}

/// Appends an item: count, then names and values.
pub fn encode_item(item: &Item, out: &mut Vec<u8>) {
    write_usize(out, item.len());
    for (name, value) in item {
        write_bytes(out, name.as_bytes());
        encode_value(value, out);
    }
}

/// Reads one value and advances past it.
///
/// # Errors
/// When the bytes are not what [`encode_value`] writes.
pub fn decode_value(bytes: &mut &[u8]) -> Result<AttributeValue, DecodeError> {
    value_at(bytes, 0)
}

/// Reads one item and advances past it.
///
/// # Errors
/// When the bytes are not what [`encode_item`] writes.
pub fn decode_item(bytes: &mut &[u8]) -> Result<Item, DecodeError> {
    entries_at(bytes, 0)
}

fn value_at(bytes: &mut &[u8], depth: usize) -> Result<AttributeValue, DecodeError> {
    if depth > DEPTH_MAX {
        return Err(DecodeError::TooDeep);
    }
    Ok(match read_u8(bytes)? {
        TAG_S => AttributeValue::S(read_str(bytes)?.to_owned()),
        TAG_N => AttributeValue::N(read_number(bytes)?),
        TAG_B => AttributeValue::B(read_bytes(bytes)?.to_vec()),
        TAG_FALSE => AttributeValue::Bool(false),
        TAG_TRUE => AttributeValue::Bool(true),
        TAG_NULL => AttributeValue::Null,
        TAG_SS => AttributeValue::Ss(read_set(bytes, |bytes| Ok(read_str(bytes)?.to_owned()))?),
        TAG_NS => AttributeValue::Ns(read_set(bytes, read_number)?),
        TAG_BS => AttributeValue::Bs(read_set(bytes, |bytes| Ok(read_bytes(bytes)?.to_vec()))?),
        TAG_L => {
            let count = read_count(bytes)?;
            let mut elements = Vec::with_capacity(count.min(1024));
            for _ in 0..count {
                elements.push(value_at(bytes, depth + 1)?);
            }
            AttributeValue::L(elements)
        }
        TAG_M => AttributeValue::M(entries_at(bytes, depth + 1)?),
        tag => return Err(DecodeError::Tag(tag)),
    })
}

fn entries_at(bytes: &mut &[u8], depth: usize) -> Result<Item, DecodeError> {
    let count = read_count(bytes)?;
    let mut item = Item::new();
    for _ in 0..count {
        let name = read_str(bytes)?;
        if item.last_key_value().is_some_and(|(last, _)| last.as_str() >= name) {
            return Err(DecodeError::Malformed("names out of order"));
        }
        let value = value_at(bytes, depth)?;
        item.insert(name.to_owned(), value);
    }
    Ok(item)
}

fn read_number(bytes: &mut &[u8]) -> Result<Number, DecodeError> {
    let (number, rest) = Number::decode_ordered(bytes).ok_or(DecodeError::Number)?;
    *bytes = rest;
    Ok(number)
}

fn read_set<T: Ord>(
    bytes: &mut &[u8],
    read: impl Fn(&mut &[u8]) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let count = read_count(bytes)?;
    let mut members = Vec::with_capacity(count.min(1024));
    for _ in 0..count {
        let member = read(bytes)?;
        if members.last().is_some_and(|last| *last >= member) {
            return Err(DecodeError::Malformed("set members out of order"));
        }
        members.push(member);
    }
    if members.is_empty() {
        return Err(DecodeError::Malformed("empty set"));
    }
    Ok(members)
}
