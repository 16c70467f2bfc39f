//! Cross-origin requests from browsers, for consoles and local development.
//!
//! Any page that a browser shows can make it send requests here, and nobody checks credentials. So a request that names
//! an origin (as a browser does, whatever the page wants) is answered only for those that may call: unless the operator
//! says otherwise, pages of this machine itself.

use http::header::{HeaderValue, ORIGIN, VARY};
use http::{HeaderMap, HeaderName, StatusCode};

use super::hosts::is_loopback_host;
use super::request_id::REQUEST_ID_LEN;
use super::respond::{Reply, identified};

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
    /// Whether every page may call.
    any: bool,
    /// Whether pages of this machine may.
    loopback: bool,
    /// Others that may, as browsers name them.
    origins: Vec<String>,
}

impl Cors {
    /// From the setting: a comma-separated list of origins, in which `*` stands for all and `loopback` for those of this
    /// machine; or nothing.
    pub fn new(setting: Option<&str>) -> Cors {
        let origins: Vec<String> =
            setting.unwrap_or("").split(',').map(str::trim).filter(|o| !o.is_empty()).map(str::to_owned).collect();
        let has = |keyword: &str| origins.iter().any(|origin| origin == keyword);
        Cors { any: has("*"), loopback: has("loopback"), origins }
    }

    /// Whether a request is let in: from no browser, or from a page that may call.
    pub fn admits(&self, request: &HeaderMap) -> bool {
        request.get(ORIGIN).is_none_or(|origin| self.allows(origin))
    }

    /// Adds the headers that let the asking origin read `reply`.
    pub fn decorate(&self, request: &HeaderMap, reply: &mut Reply) {
        let Some(origin) = request.get(ORIGIN).filter(|origin| self.allows(origin)) else { return };
        let headers = reply.headers_mut();
        headers.insert(ALLOW_ORIGIN, if self.any { HeaderValue::from_static("*") } else { origin.clone() });
        if !self.any {
            headers.insert(VARY, HeaderValue::from_static("origin"));
        }
        headers.insert(EXPOSE_HEADERS, HeaderValue::from_static("x-amzn-requestid,x-amz-crc32,date"));
    }

    /// The answer to a preflight request.
    pub fn preflight(&self, request: &HeaderMap, id: [u8; REQUEST_ID_LEN]) -> Reply {
        let mut reply = identified(StatusCode::OK, "text/plain", "", id);
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
        self.any
            || self.origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes())
            || (self.loopback && origin.to_str().is_ok_and(is_loopback))
    }
}

/// Whether an origin is a page of this machine itself.
fn is_loopback(origin: &str) -> bool {
    let Some(host) = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://")) else { return false };
    is_loopback_host(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(setting: Option<&str>, origin: &'static str) -> bool {
        let headers = HeaderMap::from_iter([(ORIGIN, HeaderValue::from_static(origin))]);
        Cors::new(setting).admits(&headers)
    }

    #[test]
    fn pages_of_this_machine_may_call_and_others_only_when_named() {
        for origin in [
            "http://localhost:3000",
            "https://localhost",
            "http://127.0.0.1:8080",
            "http://[::1]:1",
            "http://a.localhost:5173",
        ] {
            assert!(admits(Some("loopback"), origin) && !admits(None, origin), "{origin}");
        }
        for origin in [
            "https://evil.example",
            "http://localhost.evil.example",
            "http://evillocalhost",
            "null",
            "file://",
            "",
            "http://127.0.0.1.evil.example",
            "http://10.0.0.1",
            "ftp://localhost",
            "http://localhost:80@evil.example",
        ] {
            assert!(!admits(Some("loopback"), origin) && admits(Some("*"), origin), "{origin}");
        }
        assert!(admits(Some("loopback, https://app.example"), "https://app.example"));
        assert!(!admits(Some("https://app.example"), "http://localhost"));
        assert!(Cors::new(None).admits(&HeaderMap::new()), "what no browser sends is let in");
    }
}
