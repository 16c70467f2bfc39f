//! Varints and length-prefixed bytes: the alphabet of every hand-written binary codec here.
//!
//! An unsigned integer is written in groups of seven bits, lowest first, the top bit saying that more follow (LEB128).
//! Only the shortest form is accepted back, so that equal values have equal bytes. Readers advance a slice and never
//! panic, whatever the bytes.

/// Why stored or received bytes could not be read. It is a fault of the bytes, never of a client's request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end too early.
    #[error("the bytes end too early")]
    Truncated,
    /// An unknown tag where a kind of thing is named.
    #[error("unknown tag {0}")]
    Tag(u8),
    /// A text that is not UTF-8.
    #[error("a text is not UTF-8")]
    Utf8,
    /// A number that is not in normal form.
    #[error("a number is malformed")]
    Number,
    /// An integer too large for its place, or not written in its shortest form.
    #[error("an integer is malformed")]
    Integer,
    /// Nested deeper than anything that can have been written.
    #[error("nested too deeply")]
    TooDeep,
    /// Bytes are left over where none should be.
    #[error("bytes are left over")]
    Trailing,
    /// A relation between fields does not hold.
    #[error("malformed: {0}")]
    Malformed(&'static str),
}

/// Appends an unsigned integer.
#[inline]
pub fn write_u64(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Reads an unsigned integer.
///
/// # Errors
/// Too early an end, more than 64 bits, or not the shortest form.
#[inline]
pub fn read_u64(bytes: &mut &[u8]) -> Result<u64, DecodeError> {
    // Most are lengths of short things.
    if let [byte @ ..0x80, rest @ ..] = bytes {
        *bytes = rest;
        return Ok(u64::from(*byte));
    }
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = read_u8(bytes)?;
        let group = u64::from(byte & 0x7f);
        if shift == 63 && group > 1 {
            return Err(DecodeError::Integer);
        }
        value |= group << shift;
        if byte & 0x80 == 0 {
            return if byte == 0 && shift > 0 { Err(DecodeError::Integer) } else { Ok(value) };
        }
    }
    Err(DecodeError::Integer)
}

/// Appends a length or a count.
#[inline]
pub fn write_usize(out: &mut Vec<u8>, value: usize) {
    write_u64(out, value as u64);
}

/// Reads a length or a count of things that take at least one byte each, so that no count exceeds what is left.
///
/// # Errors
/// As [`read_u64`], and a count larger than the bytes left.
#[inline]
pub fn read_count(bytes: &mut &[u8]) -> Result<usize, DecodeError> {
    let count = read_u64(bytes)?;
    match usize::try_from(count) {
        Ok(count) if count <= bytes.len() => Ok(count),
        _ => Err(DecodeError::Truncated),
    }
}

/// Reads one byte.
///
/// # Errors
/// When there is none.
#[inline]
pub fn read_u8(bytes: &mut &[u8]) -> Result<u8, DecodeError> {
    let (&first, rest) = bytes.split_first().ok_or(DecodeError::Truncated)?;
    *bytes = rest;
    Ok(first)
}

/// Appends a signed integer, small magnitudes short (zigzag).
#[inline]
pub fn write_i64(out: &mut Vec<u8>, value: i64) {
    write_u64(out, (value << 1 ^ value >> 63) as u64);
}

/// Reads a signed integer.
///
/// # Errors
/// As [`read_u64`].
#[inline]
pub fn read_i64(bytes: &mut &[u8]) -> Result<i64, DecodeError> {
    let value = read_u64(bytes)?;
    Ok((value >> 1) as i64 ^ -((value & 1) as i64))
}

/// Appends bytes with their length before them.
#[inline]
pub fn write_bytes(out: &mut Vec<u8>, content: &[u8]) {
    write_usize(out, content.len());
    out.extend_from_slice(content);
}

/// Reads bytes with their length before them.
///
/// # Errors
/// When they end too early.
#[inline]
pub fn read_bytes<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], DecodeError> {
    let length = read_count(bytes)?;
    let (content, rest) = bytes.split_at(length);
    *bytes = rest;
    Ok(content)
}

/// Reads a text with its length before it.
///
/// # Errors
/// When it ends too early or is not UTF-8.
#[inline]
pub fn read_str<'a>(bytes: &mut &'a [u8]) -> Result<&'a str, DecodeError> {
    std::str::from_utf8(read_bytes(bytes)?).map_err(|_| DecodeError::Utf8)
}

/// Appends a boolean.
#[inline]
pub fn write_bool(out: &mut Vec<u8>, value: bool) {
    out.push(u8::from(value));
}

/// Reads a boolean.
///
/// # Errors
/// When there is none or the byte is neither 0 nor 1.
#[inline]
pub fn read_bool(bytes: &mut &[u8]) -> Result<bool, DecodeError> {
    match read_u8(bytes)? {
        0 => Ok(false),
        1 => Ok(true),
        tag => Err(DecodeError::Tag(tag)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_and_golden_bytes() {
        for (value, golden) in [(0, vec![0]), (127, vec![0x7f]), (128, vec![0x80, 1]), (300, vec![0xac, 2])] {
            let mut out = Vec::new();
            write_u64(&mut out, value);
            assert_eq!(out, golden);
            assert_eq!(read_u64(&mut &out[..]), Ok(value));
        }
        for value in [i64::MIN, -1, 0, 1, i64::MAX] {
            let mut out = Vec::new();
            write_i64(&mut out, value);
            assert_eq!(read_i64(&mut &out[..]), Ok(value));
        }
        let mut out = Vec::new();
        write_u64(&mut out, u64::MAX);
        assert_eq!(read_u64(&mut &out[..]), Ok(u64::MAX));
    }

    #[test]
    fn refusals() {
        assert_eq!(read_u64(&mut &[][..]), Err(DecodeError::Truncated));
        assert_eq!(read_u64(&mut &[0x80][..]), Err(DecodeError::Truncated));
        assert_eq!(read_u64(&mut &[0x80, 0][..]), Err(DecodeError::Integer));
        assert_eq!(read_u64(&mut &[0xff; 10][..]), Err(DecodeError::Integer));
        assert_eq!(read_bytes(&mut &[5, 1][..]), Err(DecodeError::Truncated));
        assert_eq!(read_str(&mut &[1, 0xff][..]), Err(DecodeError::Utf8));
    }
}
