//! Building responses: DynamoDB's headers, compression for those who ask.

use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use dynamo_protocol::error::ApiError;
use dynamo_protocol::json::Room;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, SERVER};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::Full;

use super::accept_encoding::Encoding;
use super::request_id::REQUEST_ID_LEN;
use crate::env::Env;

/// The response type of the whole front.
pub type Reply = Response<Full<Bytes>>;

/// Replies below this size are sent as they are, as the service does: packing them costs more than it saves.
pub const MIN_COMPRESSED_BYTES: usize = 4 * 1024;

const AMZ_JSON: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.0");
/// What the service calls itself.
const NAME: HeaderValue = HeaderValue::from_static("Server");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const CRC32: HeaderName = HeaderName::from_static("x-amz-crc32");

/// Answers from this size on count against the room of the process until their clients have them. Smaller ones wait in the
/// kernel, if anywhere.
pub const LARGE_ANSWER_BYTES: usize = 64 * 1024;

const _: () = assert!(MIN_COMPRESSED_BYTES <= LARGE_ANSWER_BYTES, "every large answer is packed for those who ask");

/// Answers up to this size are packed on the event loop: some 200 microseconds.
const PACKED_HERE_BYTES_MAX: usize = 16 * 1024;

/// Answers up to this size get their checksum on the event loop: some 200 microseconds.
const SUMMED_HERE_BYTES_MAX: usize = 2 * 1024 * 1024;

/// What an API call came to.
pub struct Outcome {
    /// The HTTP status.
    status: StatusCode,
    /// The JSON.
    body: Vec<u8>,
}

impl Outcome {
    /// The bytes to send, packed or not.
    pub fn bytes(&self) -> usize {
        self.body.len()
    }

    /// The memory that they take.
    pub fn capacity(&self) -> usize {
        self.body.capacity()
    }

    /// Whether this is an error: nothing was done.
    pub fn is_error(&self) -> bool {
        !self.status.is_success()
    }
}

impl From<Result<Vec<u8>, ApiError>> for Outcome {
    fn from(result: Result<Vec<u8>, ApiError>) -> Outcome {
        match result {
            Ok(body) => Outcome { status: StatusCode::OK, body },
            Err(error) => Outcome {
                status: StatusCode::from_u16(error.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
                body: error.to_json(),
            },
        }
    }
}

/// The answer to an API call. Its `room` is given back when the kernel has its last byte.
pub async fn api<E: Env>(
    request: &HeaderMap,
    content_type: Option<HeaderValue>,
    id: [u8; REQUEST_ID_LEN],
    outcome: Outcome,
    room: Option<Arc<dyn Room>>,
) -> Reply {
    let Outcome { status, body } = outcome;
    let wanted = Encoding::wanted(request).filter(|_| body.len() >= MIN_COMPRESSED_BYTES);
    // What is packed is no longer, but both are there until it is, as where a buffer is moved. Without room for that it is sent
    // as it is.
    let wanted = wanted.filter(|_| room.as_ref().is_none_or(|room| room.grow(body.capacity() + 1)));
    let here_bytes_max = if wanted.is_some() { PACKED_HERE_BYTES_MAX } else { SUMMED_HERE_BYTES_MAX };
    let ((body, crc), encoding) = match body.len() > here_bytes_max {
        true => E::background(move || compress(wanted, body)).await,
        false => compress(wanted, body),
    };
    let body = match room {
        None => Bytes::from(body),
        Some(room) => {
            room.settle(body.capacity());
            Bytes::from_owner(Held { body, _room: room })
        }
    };
    let mut reply = Response::new(Full::new(body));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.reserve(6);
    if let Ok(id) = HeaderValue::from_bytes(&id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(CRC32, HeaderValue::from(crc));
    headers.insert(SERVER, NAME);
    headers.insert(CONTENT_TYPE, content_type.unwrap_or(AMZ_JSON));
    if let Some(encoding) = encoding {
        headers.insert(CONTENT_ENCODING, encoding);
    }
    reply
}

/// A short plain answer.
pub fn plain(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Full::new(body.into()));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    reply.headers_mut().insert(SERVER, NAME);
    reply
}

/// A short plain answer with the headers that every answer of the service has.
pub fn identified(
    status: StatusCode,
    content_type: &'static str,
    body: &'static str,
    id: [u8; REQUEST_ID_LEN],
) -> Reply {
    let mut reply = plain(status, content_type, body);
    let headers = reply.headers_mut();
    if let Ok(id) = HeaderValue::from_bytes(&id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(CRC32, HeaderValue::from(crc32fast::hash(body.as_bytes())));
    reply
}

/// A body, and the room that it takes.
struct Held {
    /// The JSON.
    body: Vec<u8>,
    /// As many bytes of the budget, until the client has taken it.
    _room: Arc<dyn Room>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

/// The bytes to send with their CRC32, and the encoding header when they were packed.
fn compress(wanted: Option<Encoding>, body: Vec<u8>) -> ((Vec<u8>, u32), Option<HeaderValue>) {
    let (body, encoding) = match wanted {
        Some(encoding) => (pack(encoding, &body), Some(HeaderValue::from_static(encoding.name()))),
        None => (body, None),
    };
    let crc = crc32fast::hash(&body);
    ((body, crc), encoding)
}

fn pack(encoding: Encoding, body: &[u8]) -> Vec<u8> {
    const REASON: &str = "writing to a vector does not fail";
    let out = Vec::with_capacity(body.len() / 4);
    if encoding == Encoding::Gzip {
        let mut encoder = GzEncoder::new(out, Compression::fast());
        encoder.write_all(body).expect(REASON);
        encoder.finish().expect(REASON)
    } else {
        let mut encoder = ZlibEncoder::new(out, Compression::fast());
        encoder.write_all(body).expect(REASON);
        encoder.finish().expect(REASON)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_of_the_bytes_sent() {
        let ((sent, crc), encoding) = compress(Some(Encoding::Gzip), vec![b'a'; 10_000]);
        assert!(encoding.is_some() && sent.len() < 1_000);
        assert_eq!(crc, crc32fast::hash(&sent));
    }
}
