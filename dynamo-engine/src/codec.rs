//! The primitives of the one binary codec: varints, length prefixes, explicit tags.
//!
//! Everything the engine stores or puts into the log is written by hand with these few functions, so that the bytes
//! are ours to pin by golden tests and no derived format is ever persisted. Integers are LEB128 varints (seven bits a
//! byte, low bits first); strings and byte strings carry their length; options and enums carry a tag byte.
//!
//! Decoding takes any bytes: it never panics, never allocates more than the input can hold, and answers one of a few
//! [`DecodeError`]s.

use std::collections::BTreeMap;

use hlc::Timestamp;

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

/// Appends a map of strings in the order of its keys.
pub fn put_string_map(out: &mut Vec<u8>, map: &BTreeMap<String, String>) {
    put_u64(out, map.len() as u64);
    for (key, value) in map {
        put_str(out, key);
        put_str(out, value);
    }
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
    Ok(Timestamp(u64::from_be_bytes(get_array(input)?)))
}

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

/// Takes a map of strings.
pub fn get_string_map(input: &mut &[u8]) -> Result<BTreeMap<String, String>, DecodeError> {
    let pairs = get_list(input, |input| Ok((get_str(input)?, get_str(input)?)))?;
    Ok(pairs.into_iter().collect())
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
    fn what_cannot_be_decoded_is_an_error() {
        assert_eq!(get_u64(&mut &[0x80u8][..]), Err(DecodeError::Truncated));
        assert_eq!(get_u64(&mut &[0xffu8; 10][..]), Err(DecodeError::TooLarge));
        assert_eq!(get_bytes(&mut &[5u8, 1, 2][..]), Err(DecodeError::Truncated));
        assert_eq!(get_str(&mut &[1u8, 0xff][..]), Err(DecodeError::Utf8));
        assert_eq!(get_bool(&mut &[2u8][..]), Err(DecodeError::Tag { what: "bool", tag: 2 }));
        assert_eq!(get_list(&mut &[200u8, 1, 0][..], get_u8), Err(DecodeError::Truncated));
        assert_eq!(finish(&[1]), Err(DecodeError::Trailing));
    }
}
