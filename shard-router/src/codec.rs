//! The pinned binary form of a map.
//!
//! ```text
//!   format (1 byte, 1) · version · next shard · slices
//!   then for each slice:  first token (8 bytes, big endian) · shard · epoch
//! ```
//!
//! Numbers without a stated width are varints: seven bits a byte, lowest first, the top bit says that more follow, in
//! the shortest form. A map has one encoding, and a decoder accepts no other.

use crate::ids::{Epoch, ShardId};
use crate::map::{SLICES_MAX, ShardMap, Slice};
use crate::token::Token;

const FORMAT: u8 = 1;

/// Why bytes are no map. Whoever stored or sent them is broken or newer; asking for the map again may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Written by a version of this crate that knows more.
    #[error("map format {0} is not known")]
    Format(u8),
    /// The bytes end too early, go on too long, or hold a number in a form that no encoder writes.
    #[error("the bytes are not an encoded map")]
    Malformed,
    /// The map does not divide the ring.
    #[error("the map is not valid: {0}")]
    Invalid(&'static str),
}

impl ShardMap {
    /// Appends the encoded map to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.debug_validate();
        out.push(FORMAT);
        put_varint(out, self.version);
        put_varint(out, self.next_shard.0 as u64);
        put_varint(out, self.slices.len() as u64);
        for slice in &self.slices {
            out.extend_from_slice(&slice.first.0.to_be_bytes());
            put_varint(out, slice.shard.0 as u64);
            put_varint(out, slice.epoch.0);
        }
    }

    /// The map that `bytes` encode; all of them.
    ///
    /// # Errors
    ///
    /// [`DecodeError`], for every input that [`encode`](ShardMap::encode) never writes.
    pub fn decode(mut bytes: &[u8]) -> Result<ShardMap, DecodeError> {
        let bytes = &mut bytes;
        match take_byte(bytes)? {
            FORMAT => {}
            other => return Err(DecodeError::Format(other)),
        }
        let version = take_varint(bytes)?;
        let next_shard = take_shard(bytes)?;
        let count = usize::try_from(take_varint(bytes)?).map_err(|_| DecodeError::Malformed)?;
        // Ten bytes at least for each slice: a count beyond that is a lie, not a reason to take memory.
        if count > SLICES_MAX || count > bytes.len() / 10 {
            return Err(DecodeError::Malformed);
        }
        let mut slices = Vec::with_capacity(count);
        for _ in 0..count {
            slices.push(take_slice(bytes)?);
        }
        if !bytes.is_empty() {
            return Err(DecodeError::Malformed);
        }
        let map = ShardMap { version, next_shard, slices };
        match map.fault() {
            None => Ok(map),
            Some(fault) => Err(DecodeError::Invalid(fault)),
        }
    }
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn take_byte(bytes: &mut &[u8]) -> Result<u8, DecodeError> {
    let (first, rest) = bytes.split_first().ok_or(DecodeError::Malformed)?;
    *bytes = rest;
    Ok(*first)
}

fn take_varint(bytes: &mut &[u8]) -> Result<u64, DecodeError> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = take_byte(bytes)?;
        let bits = (byte & 0x7f) as u64;
        if bits << shift >> shift != bits {
            return Err(DecodeError::Malformed);
        }
        value |= bits << shift;
        if byte < 0x80 {
            let is_shortest = byte != 0 || shift == 0;
            return if is_shortest { Ok(value) } else { Err(DecodeError::Malformed) };
        }
    }
    Err(DecodeError::Malformed)
}

fn take_shard(bytes: &mut &[u8]) -> Result<ShardId, DecodeError> {
    u32::try_from(take_varint(bytes)?).map(ShardId).map_err(|_| DecodeError::Malformed)
}

fn take_slice(bytes: &mut &[u8]) -> Result<Slice, DecodeError> {
    let (first, rest) = bytes.split_first_chunk().ok_or(DecodeError::Malformed)?;
    *bytes = rest;
    let first = Token(u64::from_be_bytes(*first));
    Ok(Slice { first, shard: take_shard(bytes)?, epoch: Epoch(take_varint(bytes)?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(map: &ShardMap) -> Vec<u8> {
        let mut bytes = Vec::new();
        map.encode(&mut bytes);
        bytes
    }

    /// Golden bytes: a map stored by any version of this crate must stay readable.
    #[test]
    fn the_encoding_is_pinned() {
        let one = ShardMap::even(1).unwrap();
        assert_eq!(encoded(&one), [1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        let (two, _) = ShardMap::even(200).unwrap().split(ShardId(3), Token(0x0500_0000_0000_0000)).unwrap();
        let bytes = encoded(&two);
        assert_eq!(bytes[..6], [1, 2, 0xc9, 0x01, 0xc9, 0x01]);
        assert_eq!(bytes[6..16], [0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(bytes[36..47], [0x03, 0xd7, 0x0a, 0x3d, 0x70, 0xa3, 0xd7, 0x0b, 3, 2, 5]);
        assert_eq!(bytes[46..57], [5, 0, 0, 0, 0, 0, 0, 0, 200, 1, 1]);
        assert_eq!(ShardMap::decode(&bytes), Ok(two));
    }

    #[test]
    fn other_bytes_are_refused() {
        let good = encoded(&ShardMap::even(3).unwrap());
        assert_eq!(ShardMap::decode(&[]), Err(DecodeError::Malformed));
        assert_eq!(ShardMap::decode(&[9]), Err(DecodeError::Format(9)));
        for length in 0..good.len() {
            assert!(ShardMap::decode(&good[..length]).is_err(), "cut to {length} bytes");
        }
        let mut longer = good.clone();
        longer.push(0);
        assert_eq!(ShardMap::decode(&longer), Err(DecodeError::Malformed));
        let mut unowned = good.clone();
        unowned[11] = 1;
        assert_eq!(ShardMap::decode(&unowned), Err(DecodeError::Invalid("the start of the ring has no owner")));
        let padded = [&[1, 0x81, 0x00], &good[2..]].concat();
        assert_eq!(ShardMap::decode(&padded), Err(DecodeError::Malformed), "a number not in its shortest form");
        let endless = [1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
        assert_eq!(ShardMap::decode(&endless), Err(DecodeError::Malformed), "a number beyond 64 bits");
    }
}
