//! Building responses: DynamoDB's headers, compression for those who ask.

use std::io::Write;

use bytes::Bytes;
use dynamo_protocol::error::ApiError;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, SERVER};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::Full;

use super::accept_encoding::Encoding;
use super::request_id::REQUEST_ID_LEN;

/// The response type of the whole front.
pub type Reply = Response<Full<Bytes>>;

/// Replies below this size are sent as they are, as the service does: packing them costs more than it saves.
pub const MIN_COMPRESSED_BYTES: usize = 4 * 1024;

const AMZ_JSON: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.0");
/// What the service calls itself.
const NAME: HeaderValue = HeaderValue::from_static("Server");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const CRC32: HeaderName = HeaderName::from_static("x-amz-crc32");

/// The answer to an API call.
pub fn api(
    request: &HeaderMap,
    content_type: Option<HeaderValue>,
    id: [u8; REQUEST_ID_LEN],
    result: Result<Vec<u8>, ApiError>,
) -> Reply {
    let (status, body) = match result {
        Ok(body) => (StatusCode::OK, body),
        Err(error) => {
            (StatusCode::from_u16(error.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), error.to_json())
        }
    };
    let (body, encoding) = compress(request, body);
    let mut reply = Response::new(Full::new(Bytes::from(body.0)));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.reserve(6);
    if let Ok(id) = HeaderValue::from_bytes(&id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(CRC32, HeaderValue::from(body.1));
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

/// The bytes to send with their CRC32, and the encoding header when they were packed.
fn compress(request: &HeaderMap, body: Vec<u8>) -> ((Vec<u8>, u32), Option<HeaderValue>) {
    let (body, encoding) = match Encoding::wanted(request) {
        Some(encoding) if body.len() >= MIN_COMPRESSED_BYTES => {
            (pack(encoding, &body), Some(HeaderValue::from_static(encoding.name())))
        }
        _ => (body, None),
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
    use http::header::ACCEPT_ENCODING;

    use super::*;

    #[test]
    fn the_checksum_is_of_the_bytes_sent() {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        let ((sent, crc), encoding) = compress(&headers, vec![b'a'; 10_000]);
        assert!(encoding.is_some() && sent.len() < 1_000);
        assert_eq!(crc, crc32fast::hash(&sent));
    }
}
