//! The primitives of the one binary codec: varints, length prefixes, explicit tags.
//!
//! Everything the engine stores or puts into the log is declared field by field ([`record!`](crate::record)) or written by
//! hand with these few functions, so that the bytes are ours to pin by golden tests and no derived format is ever persisted. Integers are LEB128 varints (seven bits a
//! byte, low bits first); strings and byte strings carry their length; options and enums carry a tag byte.
//!
//! Decoding takes any bytes: it never panics, never allocates more than the input can hold, and answers one of a few
//! [`DecodeError`]s.

use std::collections::BTreeMap;
use std::sync::Arc;

use dynamo_expression::{Condition, Update};
use hlc::Timestamp;
use ordered_kv::{Direction, Value};
use shard_router::{Epoch, ShardId, Token};

/// Why bytes could not be decoded. The node that meets one stops the shard: it never skips.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The input ended in the middle of a value.
    #[error("the input ends in the middle of a value")]
    Truncated,
    /// A format version that this build does not know.
    #[error("format version {0} is not known to this build")]
    Format(u8),
    /// A tag byte without a meaning.
    #[error("{tag} is no tag of {what}")]
    Tag {
        /// What was being decoded.
        what: &'static str,
        /// The byte that was found.
        tag: u8,
    },
    /// A string that is not UTF-8.
    #[error("a string is not UTF-8")]
    Utf8,
    /// A varint of more than 64 bits, or a number too large for its field.
    #[error("a number is too large for its field")]
    TooLarge,
    /// A part that another crate decodes was refused there.
    #[error("{0} is malformed")]
    Malformed(&'static str),
    /// Bytes were left over after the value.
    #[error("bytes are left over after the value")]
    Trailing,
}

/// A value with one binary form. [`record!`](crate::record) writes most of these.
pub trait Record: Sized {
    /// Appends the bytes.
    fn encode(&self, out: &mut Vec<u8>);

    /// Takes a value off the front of `input`.
    ///
    /// # Errors
    /// Bytes that [`Record::encode`] cannot have written.
    fn decode(input: &mut &[u8]) -> Result<Self, DecodeError>;
}

/// Declares the bytes of structures and enums, once for both directions: a structure is its fields in the order given here, an
/// enum a tag and the fields of the variant. Tags are never used twice. A field with `be` behind it is written at its full width,
/// big endian. What stands behind `then` is a method that refuses a structure that was read, or changes it.
///
/// ```
/// # use dynamo_engine::codec::Record;
/// #[derive(Debug, PartialEq)]
/// enum Shape {
///     Point,
///     Circle { radius: u64 },
///     Named(String, Size),
/// }
/// #[derive(Debug, PartialEq)]
/// struct Size {
///     wide: u32,
///     high: u64,
/// }
/// dynamo_engine::record! {
///     // Tag 3 is read as 2 is, and no longer written; a byte that is always the same stands behind 1.
///     enum Shape: "shape" { 1 + 0 = Point, 2 | 3 = Circle { radius }, 4 = Named(name, size) }
///     struct Size { wide be, high }
/// }
/// let mut bytes = Vec::new();
/// Shape::Named("a".to_owned(), Size { wide: 5, high: 300 }).encode(&mut bytes);
/// assert_eq!(bytes, [4, 1, b'a', 0, 0, 0, 5, 0xac, 2]);
/// assert_eq!(Shape::decode(&mut &[3, 7][..]), Ok(Shape::Circle { radius: 7 }));
/// ```
#[macro_export]
macro_rules! record {
    () => {};
    (struct $name:ident { $($field:ident $($form:ident)?),+ $(,)? } then $check:ident $($rest:tt)*) => {
        $crate::record! { @struct $name { $($field $($form)?),+ } $check }
        $crate::record! { $($rest)* }
    };
    (struct $name:ident { $($field:ident $($form:ident)?),+ $(,)? } $($rest:tt)*) => {
        $crate::record! { @struct $name { $($field $($form)?),+ } }
        $crate::record! { $($rest)* }
    };
    (@encode $field:ident $out:ident) => { $crate::codec::Record::encode($field, $out) };
    (@encode $field:ident $out:ident be) => { $out.extend_from_slice(&$field.to_be_bytes()) };
    (@decode $input:ident) => { $crate::codec::Record::decode($input) };
    (@decode $input:ident be) => { $crate::codec::BigEndian::get_be($input) };
    (@struct $name:ident { $($field:ident $($form:ident)?),+ } $($check:ident)?) => {
        impl $crate::codec::Record for $name {
            fn encode(&self, out: &mut Vec<u8>) {
                let Self { $($field),+ } = self;
                $($crate::record! { @encode $field out $($form)? };)+
            }

            fn decode(input: &mut &[u8]) -> Result<Self, $crate::codec::DecodeError> {
                $(let $field = $crate::record! { @decode input $($form)? }?;)+
                let value = Self { $($field),+ };
                $(let value = Self::$check(value)?;)?
                Ok(value)
            }
        }
    };
    (struct $name:ident ($field:ident); $($rest:tt)*) => {
        impl $crate::codec::Record for $name {
            fn encode(&self, out: &mut Vec<u8>) {
                $crate::codec::Record::encode(&self.0, out);
            }

            fn decode(input: &mut &[u8]) -> Result<Self, $crate::codec::DecodeError> {
                $crate::codec::Record::decode(input).map(Self)
            }
        }
        $crate::record! { $($rest)* }
    };
    (enum $name:ident: $what:literal {
        $($tag:literal $(| $before:literal)* $(+ $fixed:literal)? =
            $variant:ident $(($($place:ident),+))? $({ $($field:ident),+ })?),+ $(,)?
    } $($rest:tt)*) => {
        impl $crate::codec::Record for $name {
            fn encode(&self, out: &mut Vec<u8>) {
                match self {
                    $(Self::$variant $(($($place),+))? $({ $($field),+ })? => {
                        out.push($tag);
                        $(out.push($fixed);)?
                        $($($crate::codec::Record::encode($place, out);)+)?
                        $($($crate::codec::Record::encode($field, out);)+)?
                    })+
                }
            }

            fn decode(input: &mut &[u8]) -> Result<Self, $crate::codec::DecodeError> {
                match $crate::codec::get_u8(input)? {
                    $($tag $(| $before)* => {
                        $($crate::codec::check_format(input, $fixed)?;)?
                        $($(let $place = $crate::codec::Record::decode(input)?;)+)?
                        $($(let $field = $crate::codec::Record::decode(input)?;)+)?
                        Ok(Self::$variant $(($($place),+))? $({ $($field),+ })?)
                    })+
                    tag => Err($crate::codec::DecodeError::Tag { what: $what, tag }),
                }
            }
        }
        $crate::record! { $($rest)* }
    };
}

/// Records of types that are not ours: how each is put and got.
macro_rules! records {
    ($($type:ty: $put:expr, $get:expr;)+) => {$(
        impl Record for $type {
            fn encode(&self, out: &mut Vec<u8>) {
                let put: fn(&mut Vec<u8>, &$type) = $put;
                put(out, self);
            }

            fn decode(input: &mut &[u8]) -> Result<$type, DecodeError> {
                let get: fn(&mut &[u8]) -> Result<$type, DecodeError> = $get;
                get(input)
            }
        }
    )+};
}

records! {
    u64: |out, value| put_u64(out, *value), get_u64;
    u32: |out, value| put_u64(out, u64::from(*value)), get_u32;
    i64: |out, value| put_i64(out, *value), get_i64;
    u128: |out, value| out.extend_from_slice(&value.to_be_bytes()), u128::get_be;
    bool: |out, value| put_bool(out, *value), get_bool;
    String: |out, value| put_str(out, value), get_str;
    Vec<u8>: |out, value| put_bytes(out, value), |input| get_bytes(input).map(<[u8]>::to_vec);
    Value: |out, value| put_bytes(out, value), |input| get_bytes(input).map(Value::copy_from_slice);
    Timestamp: |out, value| put_timestamp(out, *value), get_timestamp;
    Token: |out, value| out.extend_from_slice(&value.0.to_be_bytes()),
        |input| u64::get_be(input).map(Token);
    ShardId: |out, value| put_u64(out, u64::from(value.0)), |input| get_u32(input).map(ShardId);
    Epoch: |out, value| put_u64(out, value.0), |input| get_u64(input).map(Epoch);
    Direction: |out, value| put_bool(out, *value == Direction::Backward),
        |input| get_bool(input).map(|is_backward| if is_backward { Direction::Backward } else { Direction::Forward });
    Condition: |out, value| value.encode(out),
        |input| Condition::decode(input).map_err(|_| DecodeError::Malformed("expression"));
    Update: |out, value| value.encode(out),
        |input| Update::decode(input).map_err(|_| DecodeError::Malformed("expression"));
}

impl<T: Record> Record for Option<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        put_option(out, self.as_ref(), |out, value| value.encode(out));
    }

    fn decode(input: &mut &[u8]) -> Result<Self, DecodeError> {
        get_option(input, T::decode)
    }
}

impl<A: Record, B: Record> Record for (A, B) {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
        self.1.encode(out);
    }

    fn decode(input: &mut &[u8]) -> Result<Self, DecodeError> {
        Ok((A::decode(input)?, B::decode(input)?))
    }
}

impl<K: Record + Ord, V: Record> Record for BTreeMap<K, V> {
    fn encode(&self, out: &mut Vec<u8>) {
        put_u64(out, self.len() as u64);
        for (key, value) in self {
            key.encode(out);
            value.encode(out);
        }
    }

    fn decode(input: &mut &[u8]) -> Result<Self, DecodeError> {
        Ok(Vec::<(K, V)>::decode(input)?.into_iter().collect())
    }
}

impl<T: Record> Record for Vec<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        put_list(out, self, |out, value| value.encode(out));
    }

    fn decode(input: &mut &[u8]) -> Result<Self, DecodeError> {
        get_list(input, T::decode)
    }
}

impl<T: Record> Record for Arc<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        T::encode(self, out);
    }

    fn decode(input: &mut &[u8]) -> Result<Self, DecodeError> {
        T::decode(input).map(Arc::new)
    }
}

/// A stored value: its format, and then what `put` appends.
pub(crate) fn to_row(format: u8, put: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut row = vec![format];
    put(&mut row);
    row
}

/// Reads a stored value of that format: what `get` takes, and nothing behind it.
pub(crate) fn from_row<T>(
    mut row: &[u8],
    format: u8,
    get: impl FnOnce(&mut &[u8]) -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    check_format(&mut row, format)?;
    let value = get(&mut row)?;
    finish(row)?;
    Ok(value)
}

/// Takes the byte of the only format that is known.
pub fn check_format(input: &mut &[u8], format: u8) -> Result<(), DecodeError> {
    match get_u8(input)? {
        found if found == format => Ok(()),
        found => Err(DecodeError::Format(found)),
    }
}

/// Appends `value` as a varint.
pub fn put_u64(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a signed number, zigzag-coded so that small ones stay short.
pub fn put_i64(out: &mut Vec<u8>, value: i64) {
    put_u64(out, ((value << 1) ^ (value >> 63)) as u64);
}

/// Appends a boolean as one byte.
pub fn put_bool(out: &mut Vec<u8>, value: bool) {
    out.push(u8::from(value));
}

/// Appends length and bytes.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_u64(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends length and UTF-8 bytes.
pub fn put_str(out: &mut Vec<u8>, text: &str) {
    put_bytes(out, text.as_bytes());
}

/// Appends a tag byte and, where there is a value, the value.
pub fn put_option<T>(out: &mut Vec<u8>, value: Option<&T>, put: impl FnOnce(&mut Vec<u8>, &T)) {
    match value {
        None => out.push(0),
        Some(value) => {
            out.push(1);
            put(out, value);
        }
    }
}

/// Appends the number of elements and each element.
pub fn put_list<T>(out: &mut Vec<u8>, list: &[T], mut put: impl FnMut(&mut Vec<u8>, &T)) {
    put_u64(out, list.len() as u64);
    list.iter().for_each(|element| put(out, element));
}

/// Takes one byte.
pub fn get_u8(input: &mut &[u8]) -> Result<u8, DecodeError> {
    let (first, rest) = input.split_first().ok_or(DecodeError::Truncated)?;
    *input = rest;
    Ok(*first)
}

/// Takes a varint.
pub fn get_u64(input: &mut &[u8]) -> Result<u64, DecodeError> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = get_u8(input)?;
        let bits = u64::from(byte & 0x7f);
        if shift == 63 && bits > 1 {
            return Err(DecodeError::TooLarge);
        }
        value |= bits << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(DecodeError::TooLarge)
}

/// Takes a varint that must fit 32 bits.
pub fn get_u32(input: &mut &[u8]) -> Result<u32, DecodeError> {
    u32::try_from(get_u64(input)?).map_err(|_| DecodeError::TooLarge)
}

/// Takes a zigzag-coded signed number.
pub fn get_i64(input: &mut &[u8]) -> Result<i64, DecodeError> {
    let coded = get_u64(input)?;
    Ok((coded >> 1) as i64 ^ -((coded & 1) as i64))
}

/// Takes a boolean.
pub fn get_bool(input: &mut &[u8]) -> Result<bool, DecodeError> {
    match get_u8(input)? {
        0 => Ok(false),
        1 => Ok(true),
        tag => Err(DecodeError::Tag { what: "bool", tag }),
    }
}

/// Appends a timestamp, 8 bytes, big endian.
pub fn put_timestamp(out: &mut Vec<u8>, ts: Timestamp) {
    out.extend_from_slice(&ts.0.to_be_bytes());
}

/// Takes a timestamp.
pub fn get_timestamp(input: &mut &[u8]) -> Result<Timestamp, DecodeError> {
    u64::get_be(input).map(Timestamp)
}

/// A number that can stand at its full width, big endian.
pub trait BigEndian: Sized {
    /// Takes it off the front of `input`.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    fn get_be(input: &mut &[u8]) -> Result<Self, DecodeError>;
}

macro_rules! big_endian {
    ($($number:ty),+) => {$(
        impl BigEndian for $number {
            fn get_be(input: &mut &[u8]) -> Result<$number, DecodeError> {
                get_array(input).map(<$number>::from_be_bytes)
            }
        }
    )+};
}

big_endian!(u32, u64, u128);

/// Takes as many bytes as the array has.
pub fn get_array<const N: usize>(input: &mut &[u8]) -> Result<[u8; N], DecodeError> {
    let (array, rest) = input.split_first_chunk::<N>().ok_or(DecodeError::Truncated)?;
    *input = rest;
    Ok(*array)
}

/// Takes a length and that many bytes, borrowed from the input.
pub fn get_bytes<'a>(input: &mut &'a [u8]) -> Result<&'a [u8], DecodeError> {
    let length = usize::try_from(get_u64(input)?).map_err(|_| DecodeError::TooLarge)?;
    let (bytes, rest) = input.split_at_checked(length).ok_or(DecodeError::Truncated)?;
    *input = rest;
    Ok(bytes)
}

/// Takes a string.
pub fn get_str(input: &mut &[u8]) -> Result<String, DecodeError> {
    let bytes = get_bytes(input)?;
    Ok(std::str::from_utf8(bytes).map_err(|_| DecodeError::Utf8)?.to_owned())
}

/// Takes an optional value.
pub fn get_option<T>(
    input: &mut &[u8],
    get: impl FnOnce(&mut &[u8]) -> Result<T, DecodeError>,
) -> Result<Option<T>, DecodeError> {
    Ok(if get_bool(input)? { Some(get(input)?) } else { None })
}

/// Takes a list. Each element takes at least one byte, so a length beyond the input is refused before anything is
/// allocated for it.
pub fn get_list<T>(
    input: &mut &[u8],
    mut get: impl FnMut(&mut &[u8]) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let length = get_u64(input)?;
    if length > input.len() as u64 {
        return Err(DecodeError::Truncated);
    }
    (0..length).map(|_| get(input)).collect()
}

/// Ends a decoding: the input must be used up.
pub fn finish(input: &[u8]) -> Result<(), DecodeError> {
    if input.is_empty() { Ok(()) } else { Err(DecodeError::Trailing) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_have_these_bytes_and_come_back() {
        for (value, bytes) in [
            (0u64, &[0u8][..]),
            (127, &[127]),
            (128, &[0x80, 1]),
            (300, &[0xac, 2]),
            (u64::MAX, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
        ] {
            let mut out = Vec::new();
            put_u64(&mut out, value);
            assert_eq!(out, bytes);
            assert_eq!(get_u64(&mut &out[..]), Ok(value));
        }
        for value in [0, -1, 1, i64::MIN, i64::MAX, 12345, -12345] {
            let mut out = Vec::new();
            put_i64(&mut out, value);
            assert_eq!(get_i64(&mut &out[..]), Ok(value));
        }
    }

    #[test]
    fn undecodable_bytes_are_an_error() {
        assert_eq!(get_u64(&mut &[0x80u8][..]), Err(DecodeError::Truncated));
        assert_eq!(get_u64(&mut &[0xffu8; 10][..]), Err(DecodeError::TooLarge));
        assert_eq!(get_bytes(&mut &[5u8, 1, 2][..]), Err(DecodeError::Truncated));
        assert_eq!(get_str(&mut &[1u8, 0xff][..]), Err(DecodeError::Utf8));
        assert_eq!(get_bool(&mut &[2u8][..]), Err(DecodeError::Tag { what: "bool", tag: 2 }));
        assert_eq!(get_list(&mut &[200u8, 1, 0][..], get_u8), Err(DecodeError::Truncated));
        assert_eq!(finish(&[1]), Err(DecodeError::Trailing));
    }
}
