//! Building responses: DynamoDB's headers, compression for those who ask.

use std::io::Write;

use bytes::Bytes;
use dynamo_protocol::error::ApiError;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, SERVER};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::Full;

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
    let (body, encoding) = match accepted(request) {
        Some(encoding) if body.len() >= MIN_COMPRESSED_BYTES => {
            (pack(encoding, &body), Some(HeaderValue::from_static(encoding)))
        }
        _ => (body, None),
    };
    let crc = crc32fast::hash(&body);
    ((body, crc), encoding)
}

/// The first of the encodings named by the client that we speak and that it does not rule out with `q=0`; its order
/// counts, its other weights do not, as with the service.
fn accepted(request: &HeaderMap) -> Option<&'static str> {
    let mut parts = request
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','));
    parts.find_map(|part| {
        let mut fields = part.split(';').map(str::trim);
        let name = fields.next()?;
        let encoding = if name.eq_ignore_ascii_case("gzip") || name == "*" {
            "gzip"
        } else if name.eq_ignore_ascii_case("deflate") {
            "deflate"
        } else {
            return None;
        };
        (!fields.any(is_zero_weight)).then_some(encoding)
    })
}

/// Whether a parameter of an encoding is `q=0`.
fn is_zero_weight(field: &str) -> bool {
    field.split_once('=').is_some_and(|(name, weight)| {
        name.trim().eq_ignore_ascii_case("q") && weight.trim().parse::<f32>().is_ok_and(|weight| weight == 0.0)
    })
}

fn pack(encoding: &str, body: &[u8]) -> Vec<u8> {
    const REASON: &str = "writing to a vector does not fail";
    let out = Vec::with_capacity(body.len() / 4);
    if encoding == "gzip" {
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

    fn wants(value: &'static str) -> Option<&'static str> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(value));
        accepted(&headers)
    }

    #[test]
    fn encodings_are_chosen_as_the_client_lists_them() {
        assert_eq!(wants("gzip, deflate"), Some("gzip"));
        assert_eq!(wants("deflate;q=0.5, gzip"), Some("deflate"));
        assert_eq!(wants("gzip;q=0, deflate"), Some("deflate"));
        assert_eq!(wants("gzip;q=0"), None);
        assert_eq!(wants("identity"), None);
        assert_eq!(wants("x-gzip"), None);
        assert_eq!(wants("dog, GZIP ,, cat"), Some("gzip"));
        assert_eq!(wants("br, gzip;q=0, deflate; q = 0.5"), Some("deflate"));
        assert_eq!(wants("*"), Some("gzip"));
    }

    #[test]
    fn the_checksum_is_of_the_bytes_sent() {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        let ((sent, crc), encoding) = compress(&headers, vec![b'a'; 10_000]);
        assert!(encoding.is_some() && sent.len() < 1_000);
        assert_eq!(crc, crc32fast::hash(&sent));
    }
}
