//! Short runs of bytes, copied sixteen at a time.
//!
//! Most names and texts of items have less than sixteen bytes, and to copy just so many is a call of the C library. Where other
//! bytes follow them in memory, sixteen are copied in two instructions, and those too many are cut off again.

/// Bytes that are copied at a time.
pub(crate) const CHUNK: usize = 16;

/// Appends the first `count` of `bytes`.
///
/// # Panics
/// Where there are fewer.
#[inline]
pub(crate) fn push_first(bytes: &[u8], count: usize, out: &mut Vec<u8>) {
    match bytes.first_chunk::<CHUNK>() {
        Some(chunk) if count <= CHUNK => {
            out.extend_from_slice(chunk);
            out.truncate(out.len() - (CHUNK - count));
        }
        _ => out.extend_from_slice(&bytes[..count]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn just_so_many_are_appended() {
        let bytes: Vec<u8> = (0..40).collect();
        for length in 0..=bytes.len() {
            for count in 0..=length {
                let mut out = vec![7];
                push_first(&bytes[..length], count, &mut out);
                assert_eq!(out, [&[7], &bytes[..count]].concat());
            }
        }
    }
}
