//! A service between nodes as a type: its number, its request and its response.

use bytes::Bytes;
use dynamo_engine::codec::{DecodeError, finish, get_list, put_list};

/// A service. What it does stands where it is served (`dynamo-server/src/node/services.rs` says where that is).
pub trait Rpc {
    /// Its number, never one that was used before.
    const KIND: u8;
    /// What is asked; it may borrow, as commands and needs do that are asked for again elsewhere.
    type Request<'a>: Encode;
    /// What is asked, as it arrives.
    type Received: Decode;
    /// What is answered.
    type Response: Encode + Decode;
}

/// What can be sent.
pub trait Encode {
    /// Appends the bytes.
    fn encode(&self, out: &mut Vec<u8>);
}

/// What can be received.
pub trait Decode: Sized {
    /// Takes a value off the front of `input`, which is a part of `message`: what is large keeps a slice of it.
    ///
    /// # Errors
    /// When this program does not understand it.
    fn decode(input: &mut &[u8], message: &Bytes) -> Result<Self, DecodeError>;
}

/// The bytes of a value.
#[cfg(test)]
pub(super) fn bytes_of<T: Encode>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    value.encode(&mut out);
    out
}

/// Reads a value that is all of `body`.
///
/// # Errors
/// When this program does not understand it, or something stands behind it.
pub fn whole<T: Decode>(body: &Bytes) -> Result<T, DecodeError> {
    let input = &mut &body[..];
    let value = T::decode(input, body)?;
    finish(input)?;
    Ok(value)
}

impl Encode for () {
    fn encode(&self, _out: &mut Vec<u8>) {}
}

impl Decode for () {
    fn decode(_input: &mut &[u8], _message: &Bytes) -> Result<(), DecodeError> {
        Ok(())
    }
}

impl<T: Encode> Encode for &T {
    fn encode(&self, out: &mut Vec<u8>) {
        T::encode(self, out);
    }
}

impl<T: Encode> Encode for &[T] {
    fn encode(&self, out: &mut Vec<u8>) {
        put_list(out, self, |out, value| value.encode(out));
    }
}

impl<T: Encode> Encode for Vec<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        (&self[..]).encode(out);
    }
}

impl<T: Decode> Decode for Vec<T> {
    fn decode(input: &mut &[u8], message: &Bytes) -> Result<Vec<T>, DecodeError> {
        get_list(input, |input| T::decode(input, message))
    }
}

/// A value that is read back as it was written, and no cut of whose bytes can be read.
#[cfg(test)]
pub(super) fn assert_read_back<R>(value: &R)
where
    R: Encode + Decode + PartialEq + std::fmt::Debug,
{
    let bytes = Bytes::from(bytes_of(value));
    assert_eq!(whole::<R>(&bytes).as_ref(), Ok(value));
    for cut in 0..bytes.len() {
        assert!(whole::<R>(&bytes.slice(..cut)).is_err(), "cut at {cut}");
    }
}
