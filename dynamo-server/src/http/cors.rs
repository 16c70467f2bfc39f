//! Cross-origin requests from browsers, for consoles and local development.

use http::header::{HeaderValue, ORIGIN};
use http::{HeaderMap, HeaderName, StatusCode};

use super::respond::{Reply, plain};

const ALLOW_ORIGIN: HeaderName = HeaderName::from_static("access-control-allow-origin");
const ALLOW_METHODS: HeaderName = HeaderName::from_static("access-control-allow-methods");
const ALLOW_HEADERS: HeaderName = HeaderName::from_static("access-control-allow-headers");
const EXPOSE_HEADERS: HeaderName = HeaderName::from_static("access-control-expose-headers");
const MAX_AGE: HeaderName = HeaderName::from_static("access-control-max-age");
const REQUEST_METHOD: HeaderName = HeaderName::from_static("access-control-request-method");
const REQUEST_HEADERS: HeaderName = HeaderName::from_static("access-control-request-headers");

/// Which origins may call.
#[derive(Clone, Debug)]
pub struct Cors {
    any: bool,
    origins: Vec<String>,
}

impl Cors {
    /// From the setting: `*`, a comma-separated list, or nothing.
    pub fn new(setting: Option<&str>) -> Cors {
        let origins: Vec<String> =
            setting.unwrap_or("").split(',').map(str::trim).filter(|o| !o.is_empty()).map(str::to_owned).collect();
        Cors { any: origins.iter().any(|origin| origin == "*"), origins }
    }

    /// Adds the headers that let the asking origin read `reply`.
    pub fn decorate(&self, request: &HeaderMap, reply: &mut Reply) {
        let Some(origin) = request.get(ORIGIN).filter(|origin| self.allows(origin)) else { return };
        let headers = reply.headers_mut();
        headers.insert(ALLOW_ORIGIN, if self.any { HeaderValue::from_static("*") } else { origin.clone() });
        headers.insert(EXPOSE_HEADERS, HeaderValue::from_static("x-amzn-requestid,x-amz-crc32,date"));
    }

    /// The answer to a preflight request.
    pub fn preflight(&self, request: &HeaderMap) -> Reply {
        let mut reply = plain(StatusCode::OK, "text/plain", "");
        self.decorate(request, &mut reply);
        if reply.headers().contains_key(ALLOW_ORIGIN) {
            let headers = reply.headers_mut();
            // What the browser wants to send is what it may send.
            for (asked, allowed) in [(REQUEST_METHOD, ALLOW_METHODS), (REQUEST_HEADERS, ALLOW_HEADERS)] {
                if let Some(value) = request.get(asked) {
                    headers.insert(allowed, value.clone());
                }
            }
            headers.insert(MAX_AGE, HeaderValue::from_static("172800"));
        }
        reply
    }

    fn allows(&self, origin: &HeaderValue) -> bool {
        self.any || self.origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes())
    }
}
