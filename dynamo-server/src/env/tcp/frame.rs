//! What travels on a connection between two nodes, after the greeting.
//!
//! ```text
//! frame   length of the rest (4, little endian) · format (1) · number (8, little endian) · body
//! ```
//!
//! A response carries the number of its request. A response without a body says that there is none: the request was
//! for nobody here.

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The format of frames.
const FORMAT: u8 = 1;

/// Bytes of a frame before its body, without the length itself.
const HEAD: usize = 9;

/// Bytes of a frame at most: a few times what one message of a group carries. A longer one is refused, so that a
/// stranger cannot make a node reserve memory.
pub(super) const FRAME_BYTES_MAX: usize = 32 << 20;

/// Room that is made for a body before any of it has arrived. The rest follows as it comes: a length alone costs nothing.
const FIRST_BYTES: usize = 64 * 1024;

/// A request or a response.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// Of the request; its answer has the same.
    pub(super) number: u64,
    /// What is asked or answered.
    pub(super) body: Bytes,
}

/// Why a connection is given up.
#[derive(Debug, thiserror::Error)]
pub(super) enum FrameError {
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error("a frame of {0} bytes")]
    Size(usize),
    #[error("frame format {0} is not known")]
    Format(u8),
}

/// Writes a frame; the caller flushes.
pub(super) async fn write(out: &mut (impl AsyncWrite + Unpin), number: u64, body: &[u8]) -> Result<(), FrameError> {
    let length = HEAD + body.len();
    if length > FRAME_BYTES_MAX {
        return Err(FrameError::Size(length));
    }
    let length = u32::try_from(length).expect("the bound is far below 4 GiB");
    out.write_u32_le(length).await?;
    out.write_u8(FORMAT).await?;
    out.write_u64_le(number).await?;
    out.write_all(body).await?;
    Ok(())
}

/// Reads a frame.
pub(super) async fn read(input: &mut (impl AsyncRead + Unpin)) -> Result<Frame, FrameError> {
    let length = input.read_u32_le().await? as usize;
    if !(HEAD..=FRAME_BYTES_MAX).contains(&length) {
        return Err(FrameError::Size(length));
    }
    match input.read_u8().await? {
        FORMAT => {}
        other => return Err(FrameError::Format(other)),
    }
    let number = input.read_u64_le().await?;
    let mut body = BytesMut::new();
    read_body(input, length - HEAD, &mut body).await?;
    debug_assert_eq!(body.len(), length - HEAD, "a frame has all of its body");
    Ok(Frame { number, body: body.freeze() })
}

/// Reads `length` bytes into `body`, whose room is never more than twice what has arrived.
async fn read_body(input: &mut (impl AsyncRead + Unpin), length: usize, body: &mut BytesMut) -> std::io::Result<()> {
    body.reserve(length.min(FIRST_BYTES));
    let mut rest = input.take(length as u64);
    while body.len() < length {
        if body.len() == body.capacity() {
            body.reserve(body.len().min(length - body.len()));
        }
        if rest.read_buf(body).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn golden_bytes_there_and_back() {
        let mut bytes = Vec::new();
        write(&mut bytes, 7, b"ab").await.unwrap();
        assert_eq!(bytes, b"\x0b\0\0\0\x01\x07\0\0\0\0\0\0\0ab");
        assert_eq!(read(&mut &bytes[..]).await.unwrap(), Frame { number: 7, body: Bytes::from_static(b"ab") });
        for cut in 0..bytes.len() {
            assert!(read(&mut &bytes[..cut]).await.is_err(), "cut at {cut}");
        }
    }

    #[tokio::test]
    async fn a_length_alone_reserves_little() {
        let length = FRAME_BYTES_MAX - HEAD;
        let (mut sender, mut receiver) = tokio::io::duplex(length);
        for arrived in [0, FIRST_BYTES, 1 << 20] {
            sender.write_all(&vec![7; arrived]).await.unwrap();
            let mut body = BytesMut::new();
            let read = read_body(&mut receiver, length, &mut body);
            assert!(tokio::time::timeout(std::time::Duration::ZERO, read).await.is_err(), "the rest is missing");
            assert_eq!(body.len(), arrived);
            assert!(body.capacity() <= FIRST_BYTES.max(2 * arrived), "{} for {arrived}", body.capacity());
        }
        let whole = vec![7; 3 * FIRST_BYTES + 1];
        let mut body = BytesMut::new();
        read_body(&mut &whole[..], whole.len(), &mut body).await.unwrap();
        assert_eq!(body, whole);
    }

    #[tokio::test]
    async fn absurd_lengths_and_unknown_formats_are_refused() {
        for bytes in [&b"\xff\xff\xff\xff\x01"[..], &b"\x08\0\0\0\x01"[..], &b"\x0b\0\0\0\x02\0\0\0\0\0\0\0\0ab"[..]] {
            assert!(matches!(read(&mut &bytes[..]).await, Err(FrameError::Size(_) | FrameError::Format(_))));
        }
    }
}
