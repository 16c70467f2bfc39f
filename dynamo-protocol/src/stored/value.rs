//! One value in stored form.
//!
//! ```text
//! 01 S     length (varint) · UTF-8            07 SS  bytes (4, LE) · count (varint) · (length · UTF-8)*
//! 02 N     Number::encode_ordered             08 NS  bytes (4, LE) · count (varint) · number*
//! 03 B     length (varint) · bytes            09 BS  bytes (4, LE) · count (varint) · (length · bytes)*
//! 04 BOOL  false                              0A L   bytes (4, LE) · count (varint) · value*
//! 05 BOOL  true                               0B M   bytes (4, LE) · count (varint) · (length · name · value)*
//! 06 NULL
//! ```
//!
//! `bytes` counts what follows it, so that a container can be stepped over.

use crate::json::JsonWriter;
use crate::number::Number;
use crate::size::attribute_bytes;
use crate::value::AttributeValue;
use crate::varint;

use super::input::{B, BS, FALSE, Input, L, M, N, NS, NULL, S, SS, TRUE};
use super::{Corrupt, render};

/// Appends `value`.
pub(super) fn push_value(value: &AttributeValue, out: &mut Vec<u8>) {
    match value {
        AttributeValue::S(text) => {
            out.push(S);
            push_bytes(text.as_bytes(), out);
        }
        AttributeValue::N(number) => {
            out.push(N);
            number.encode_ordered(out);
        }
        AttributeValue::B(bytes) => {
            out.push(B);
            push_bytes(bytes, out);
        }
        AttributeValue::Bool(truth) => out.push(if *truth { TRUE } else { FALSE }),
        AttributeValue::Null => out.push(NULL),
        AttributeValue::Ss(set) => push_all(SS, set, out, |text, out| push_bytes(text.as_bytes(), out)),
        AttributeValue::Ns(set) => push_all(NS, set, out, |number, out| number.encode_ordered(out)),
        AttributeValue::Bs(set) => push_all(BS, set, out, |bytes, out| push_bytes(bytes, out)),
        AttributeValue::L(list) => push_all(L, list, out, push_value),
        AttributeValue::M(map) => push_all(M, map, out, |(name, value), out| {
            push_bytes(name.as_bytes(), out);
            push_value(value, out);
        }),
    }
}

pub(super) fn push_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    varint::write_usize(out, bytes.len());
    out.extend_from_slice(bytes);
}

fn push_all<T, I>(tag: u8, elements: I, out: &mut Vec<u8>, push: impl Fn(T, &mut Vec<u8>))
where
    I: IntoIterator<Item = T>,
    I::IntoIter: ExactSizeIterator,
{
    out.push(tag);
    let length_at = out.len();
    out.extend_from_slice(&[0; 4]);
    let elements = elements.into_iter();
    varint::write_usize(out, elements.len());
    elements.for_each(|element| push(element, out));
    let length = u32::try_from(out.len() - length_at - 4).expect("a request is far smaller than 4 GB");
    out[length_at..length_at + 4].copy_from_slice(&length.to_le_bytes());
}

/// A value of one of the three types that keys can have: text and bytes are borrowed, a number is decoded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar<'a> {
    /// A string.
    S(&'a str),
    /// A number.
    N(Number),
    /// Bytes.
    B(&'a [u8]),
}

/// A stored value, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValueRef<'a>(&'a [u8]);

impl<'a> ValueRef<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> ValueRef<'a> {
        ValueRef(bytes)
    }

    /// The encoded bytes; equal values have equal bytes.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// The value as a tree.
    ///
    /// # Errors
    /// [`Corrupt`] where the bytes are no value.
    pub fn to_value(&self) -> Result<AttributeValue, Corrupt> {
        let mut input = Input(self.0);
        let value = input.value(0)?;
        if input.0.is_empty() { Ok(value) } else { Err(Corrupt("bytes behind a value")) }
    }

    /// The API's name of the value's type: "S", "N", …
    ///
    /// # Errors
    /// [`Corrupt`] where the bytes are no value.
    pub fn type_name(&self) -> Result<&'static str, Corrupt> {
        Ok(match self.0.first() {
            Some(&S) => "S",
            Some(&N) => "N",
            Some(&B) => "B",
            Some(&FALSE | &TRUE) => "BOOL",
            Some(&NULL) => "NULL",
            Some(&SS) => "SS",
            Some(&NS) => "NS",
            Some(&BS) => "BS",
            Some(&L) => "L",
            Some(&M) => "M",
            _ => return Err(Corrupt("unknown value tag")),
        })
    }

    /// The value where its type can be in a key.
    ///
    /// # Errors
    /// [`Corrupt`] where the bytes are no value.
    pub fn as_scalar(&self) -> Result<Option<Scalar<'a>>, Corrupt> {
        let mut input = Input(self.0);
        Ok(Some(match input.byte()? {
            S => Scalar::S(input.text()?),
            N => Scalar::N(input.number()?),
            B => Scalar::B(input.bytes()?),
            _ => return Ok(None),
        }))
    }

    /// The value's size as DynamoDB bills it.
    ///
    /// # Errors
    /// [`Corrupt`] where the bytes are no value.
    pub fn billed_bytes(&self) -> Result<usize, Corrupt> {
        let mut input = Input(self.0);
        match input.byte()? {
            S | B => input.bytes().map(<[u8]>::len),
            N => Ok(input.number()?.billed_bytes()),
            _ => self.to_value().map(|value| attribute_bytes(&value)),
        }
    }

    /// The content of the map attribute `name`; `None` where this is no map or has no such entry.
    ///
    /// # Errors
    /// [`Corrupt`] where the bytes are no value.
    pub fn get(&self, name: &str) -> Result<Option<ValueRef<'a>>, Corrupt> {
        let mut input = Input(self.0);
        if input.byte()? != M {
            return Ok(None);
        }
        for _ in 0..input.count()? {
            let found = input.bytes()? == name.as_bytes();
            let value = input.raw_value()?;
            if found {
                return Ok(Some(ValueRef(value)));
            }
        }
        Ok(None)
    }

    /// The list element at `index`; `None` where this is no list or is shorter.
    ///
    /// # Errors
    /// [`Corrupt`] where the bytes are no value.
    pub fn at(&self, index: usize) -> Result<Option<ValueRef<'a>>, Corrupt> {
        let mut input = Input(self.0);
        if input.byte()? != L || index >= input.count()? {
            return Ok(None);
        }
        for _ in 0..index {
            input.raw_value()?;
        }
        input.raw_value().map(|value| Some(ValueRef(value)))
    }

    /// Writes the value as DynamoDB's JSON (`{"S":"…"}`), without a tree.
    ///
    /// # Errors
    /// [`Corrupt`] where the bytes are no value; what was written so far is then of no use.
    pub fn write_json(&self, out: &mut JsonWriter<'_>) -> Result<(), Corrupt> {
        out.raw_in_room(|bytes, room| render::push_value(self.0, bytes, room))
    }
}
