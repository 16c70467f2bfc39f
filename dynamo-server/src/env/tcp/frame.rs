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

/// Bytes of a frame at most: a few times what one message of a group carries. A longer one is not believed, so that a
/// stranger cannot make a node reserve memory.
pub(super) const FRAME_BYTES_MAX: usize = 32 << 20;

/// A request or a response.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) number: u64,
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
    let mut body = BytesMut::zeroed(length - HEAD);
    input.read_exact(&mut body).await?;
    Ok(Frame { number, body: body.freeze() })
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
    async fn absurd_lengths_and_unknown_formats_are_refused() {
        for bytes in [&b"\xff\xff\xff\xff\x01"[..], &b"\x08\0\0\0\x01"[..], &b"\x0b\0\0\0\x02\0\0\0\0\0\0\0\0ab"[..]] {
            assert!(matches!(read(&mut &bytes[..]).await, Err(FrameError::Size(_) | FrameError::Format(_))));
        }
    }
}
