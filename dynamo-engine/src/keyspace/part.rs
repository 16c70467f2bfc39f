//! One key attribute's value as bytes: typed, self-delimiting, in DynamoDB's order.
//!
//! ```text
//! S  01 · escaped UTF-8 bytes · 00 01      a byte 00 inside becomes 00 FF
//! N  02 · Number::encode_ordered
//! B  03 · escaped bytes · 00 01
//! ```
//!
//! The terminator `00 01` is lower than `00 FF` and than every other byte, so a value sorts before its extensions;
//! it ends the part, so no part is a prefix of another.

use dynamo_protocol::number::Number;
use dynamo_protocol::value::AttributeValue;

use super::KeyValue;

/// Type tag of string parts.
pub const TAG_S: u8 = 0x01;
/// Type tag of number parts.
pub const TAG_N: u8 = 0x02;
/// Type tag of binary parts.
pub const TAG_B: u8 = 0x03;

const ESCAPE: u8 = 0x00;
const ESCAPED_ZERO: u8 = 0xFF;
const TERMINATOR: u8 = 0x01;

/// The bytes are not a key part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed key part")]
pub struct KeyDecodeError;

/// A borrowed key attribute value: one of the three types that can be in a key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum KeyPart<'a> {
    /// A string.
    S(&'a str),
    /// A number.
    N(&'a Number),
    /// Bytes.
    B(&'a [u8]),
}

impl<'a> KeyPart<'a> {
    /// The value as a key part; `None` where its type cannot be in a key.
    pub fn of(value: &'a AttributeValue) -> Option<KeyPart<'a>> {
        match value {
            AttributeValue::S(text) => Some(KeyPart::S(text)),
            AttributeValue::N(number) => Some(KeyPart::N(number)),
            AttributeValue::B(bytes) => Some(KeyPart::B(bytes)),
            _ => None,
        }
    }

    /// The pinned type tag.
    pub fn tag(&self) -> u8 {
        match self {
            KeyPart::S(_) => TAG_S,
            KeyPart::N(_) => TAG_N,
            KeyPart::B(_) => TAG_B,
        }
    }

    /// Appends the part.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.encode_open(out);
        if !matches!(self, KeyPart::N(_)) {
            out.extend_from_slice(&[ESCAPE, TERMINATOR]);
        }
    }

    /// Appends the part without its terminator: the common prefix of all strings (or binaries) that begin with it.
    /// A number has no such prefix and is appended whole.
    pub fn encode_open(&self, out: &mut Vec<u8>) {
        out.push(self.tag());
        match self {
            KeyPart::S(text) => push_escaped(text.as_bytes(), out),
            KeyPart::B(bytes) => push_escaped(bytes, out),
            KeyPart::N(number) => number.encode_ordered(out),
        }
    }

    /// Reads one part off the front of `input`.
    ///
    /// # Errors
    /// [`KeyDecodeError`] where the bytes were not written by [`KeyPart::encode`].
    pub fn decode(input: &mut &[u8]) -> Result<AttributeValue, KeyDecodeError> {
        let (tag, rest) = input.split_first().ok_or(KeyDecodeError)?;
        *input = rest;
        match *tag {
            TAG_S => String::from_utf8(take_escaped(input)?).map(AttributeValue::S).map_err(|_| KeyDecodeError),
            TAG_B => take_escaped(input).map(AttributeValue::B),
            TAG_N => {
                let (number, rest) = Number::decode_ordered(input).ok_or(KeyDecodeError)?;
                *input = rest;
                Ok(AttributeValue::N(number))
            }
            _ => Err(KeyDecodeError),
        }
    }
}

impl<'a> From<&'a KeyValue<'a>> for KeyPart<'a> {
    fn from(value: &'a KeyValue<'a>) -> KeyPart<'a> {
        match value {
            KeyValue::S(text) => KeyPart::S(text),
            KeyValue::N(number) => KeyPart::N(number),
            KeyValue::B(bytes) => KeyPart::B(bytes),
        }
    }
}

/// Appends several parts.
pub fn push_parts(parts: &[KeyPart<'_>], out: &mut Vec<u8>) {
    for part in parts {
        part.encode(out);
    }
}

fn push_escaped(bytes: &[u8], out: &mut Vec<u8>) {
    let mut pieces = bytes.split(|byte| *byte == ESCAPE);
    out.extend_from_slice(pieces.next().unwrap_or_default());
    for piece in pieces {
        out.extend_from_slice(&[ESCAPE, ESCAPED_ZERO]);
        out.extend_from_slice(piece);
    }
}

fn take_escaped(input: &mut &[u8]) -> Result<Vec<u8>, KeyDecodeError> {
    let mut bytes = Vec::new();
    loop {
        let zero = input.iter().position(|byte| *byte == ESCAPE).ok_or(KeyDecodeError)?;
        bytes.extend_from_slice(&input[..zero]);
        let marker = *input.get(zero + 1).ok_or(KeyDecodeError)?;
        *input = &input[zero + 2..];
        match marker {
            TERMINATOR => return Ok(bytes),
            ESCAPED_ZERO => bytes.push(0),
            _ => return Err(KeyDecodeError),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encoded(part: KeyPart<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        part.encode(&mut out);
        out
    }

    #[test]
    fn golden_bytes() {
        assert_eq!(encoded(KeyPart::S("")), [0x01, 0x00, 0x01]);
        assert_eq!(encoded(KeyPart::S("ab")), [0x01, b'a', b'b', 0x00, 0x01]);
        assert_eq!(encoded(KeyPart::S("a\0")), [0x01, b'a', 0x00, 0xFF, 0x00, 0x01]);
        assert_eq!(encoded(KeyPart::B(&[0, 1, 0xFF])), [0x03, 0x00, 0xFF, 0x01, 0xFF, 0x00, 0x01]);
    }

    #[test]
    fn garbage_is_an_error() {
        for bytes in [&[][..], &[9], &[1], &[1, 0], &[1, 0, 7], &[1, 0xFF, 0, 1], &[3, 1, 2]] {
            assert_eq!(KeyPart::decode(&mut &bytes[..]), Err(KeyDecodeError), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn binaries_round_trip_and_keep_their_order(a in bytes(), b in bytes()) {
            let (left, right) = (encoded(KeyPart::B(&a)), encoded(KeyPart::B(&b)));
            prop_assert_eq!(a.cmp(&b), left.cmp(&right));
            prop_assert!(a == b || !right.starts_with(&left), "prefix-free");
            let mut rest = &left[..];
            prop_assert_eq!(KeyPart::decode(&mut rest), Ok(AttributeValue::B(a)));
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn numbers_keep_their_order(a in any::<i64>(), b in any::<i64>()) {
            let (x, y) = (Number::from_i64(a), Number::from_i64(b));
            let (left, right) = (encoded(KeyPart::N(&x)), encoded(KeyPart::N(&y)));
            prop_assert_eq!(a.cmp(&b), left.cmp(&right));
            prop_assert!(a == b || !right.starts_with(&left), "prefix-free");
            prop_assert_eq!(KeyPart::decode(&mut &left[..]), Ok(AttributeValue::N(x)));
        }
    }

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(prop_oneof![Just(0u8), Just(1), Just(0xFF), any::<u8>()], 0..6)
    }
}
