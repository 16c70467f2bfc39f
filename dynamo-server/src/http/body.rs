//! Reading a request's body: bounded, and unpacked when it came compressed.

use std::io::Read;

use bytes::{Bytes, BytesMut};
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};

/// Largest body, packed or unpacked: DynamoDB's own limit for a request (16 MB), which BatchWriteItem can reach.
pub const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;
/// An oversized body up to this size is read and thrown away, so that the connection can go on; past it, it is closed.
pub const MAX_DRAINED_BYTES: usize = 64 * 1024 * 1024;

/// Why there is no body to work on.
#[derive(Debug)]
pub enum BodyError {
    /// Larger than [`MAX_BODY_BYTES`]. `drained`: the rest was read, the connection is still usable.
    TooLarge {
        /// Whether the connection can be kept.
        drained: bool,
    },
    /// The body does not unpack, or is packed in a way that we do not know. The service answers both with a 500.
    Garbled,
    /// The client went away or sent a broken chunk.
    Broken,
}

/// The whole body of a request, unpacked.
pub async fn read(headers: &HeaderMap, body: Incoming) -> Result<Bytes, BodyError> {
    let packed = collect(headers, body).await?;
    match headers.get(CONTENT_ENCODING).map(|value| value.as_bytes().to_ascii_lowercase()).as_deref() {
        None | Some(b"" | b"identity" | b"aws-chunked") => Ok(packed),
        // No packed form is empty. Several gzip members in a row are one body.
        Some(b"gzip" | b"deflate") if packed.is_empty() => Err(BodyError::Garbled),
        Some(b"gzip") => unpack(MultiGzDecoder::new(&packed[..])),
        Some(b"deflate") => unpack(ZlibDecoder::new(&packed[..])),
        Some(_) => Err(BodyError::Garbled),
    }
}

async fn collect(headers: &HeaderMap, mut body: Incoming) -> Result<Bytes, BodyError> {
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse::<u64>().ok())
        .unwrap_or(0);
    if announced > MAX_DRAINED_BYTES as u64 {
        return Err(BodyError::TooLarge { drained: false });
    }
    let Some(first) = next_data(&mut body).await? else { return Ok(Bytes::new()) };
    if body.is_end_stream() && first.len() <= MAX_BODY_BYTES {
        return Ok(first);
    }
    let mut whole = BytesMut::with_capacity(announced.min(MAX_BODY_BYTES as u64) as usize);
    whole.extend_from_slice(&first);
    let mut seen = first.len();
    while let Some(data) = next_data(&mut body).await? {
        seen += data.len();
        if seen > MAX_DRAINED_BYTES {
            return Err(BodyError::TooLarge { drained: false });
        }
        if seen <= MAX_BODY_BYTES {
            whole.extend_from_slice(&data);
        } else {
            whole = BytesMut::new();
        }
    }
    if seen > MAX_BODY_BYTES { Err(BodyError::TooLarge { drained: true }) } else { Ok(whole.freeze()) }
}

async fn next_data(body: &mut Incoming) -> Result<Option<Bytes>, BodyError> {
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

fn unpack(reader: impl Read) -> Result<Bytes, BodyError> {
    let mut whole = Vec::new();
    // One byte more than allowed tells "too large" from "just fits" without unpacking a bomb.
    reader.take(MAX_BODY_BYTES as u64 + 1).read_to_end(&mut whole).map_err(|_| BodyError::Garbled)?;
    if whole.len() > MAX_BODY_BYTES { Err(BodyError::TooLarge { drained: true }) } else { Ok(Bytes::from(whole)) }
}
