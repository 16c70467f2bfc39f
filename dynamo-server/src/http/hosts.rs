//! Which names this server answers to.
//!
//! A web page may be served from a name whose owner then lets the name point to 127.0.0.1, or into a private network: the
//! page talks to a server there, and the browser believes that it is the page's own ("DNS rebinding"). What gives it away is
//! the request's `Host`, which still is the page's. So a request is answered only if its `Host` is a name that no stranger
//! can own, or one that the operator has named:
//!
//! - an address (`127.0.0.1`, `[::1]`, `10.0.0.7`): nothing can be rebound to it;
//! - a name without a dot (`localhost`, `dynamodb`, `db-0`), which only a machine's own settings, a container network or a
//!   search list resolve;
//! - a name below one of [`PRIVATE`], which the public name system does not have;
//! - the service's own names at AWS, for those who let them point here;
//! - this machine's name, and those of the members of its cluster;
//! - what `--allowed-hosts` lists: `db.example.com`, `*.example.com` for all below it, `*` for any.

use std::net::{Ipv4Addr, Ipv6Addr};

use http::header::HOST;
use http::request::Parts;
use http::{HeaderValue, Version};

/// Ends of names that nobody can register (RFC 6761, 6762, 8375, ICANN's `.internal`), and those of Kubernetes' services.
const PRIVATE: [&str; 7] = ["localhost", "local", "internal", "test", "home.arpa", "localdomain", "svc"];

/// Ends of the service's names at AWS.
const AWS: [&str; 3] = [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"];

/// The names that a server answers to.
#[derive(Clone, Debug, Default)]
pub struct Hosts {
    /// Whether every name will do.
    any: bool,
    /// In lower case.
    names: Vec<String>,
    /// In lower case, with the dot before.
    ends: Vec<String>,
}

/// Why a request is not for this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misdirected {
    /// It names no host, or several.
    Unclear,
    /// It names one that is not ours.
    Stranger,
}

impl Hosts {
    /// The names in `setting`, separated by commas, besides those that are always answered to.
    pub fn new(setting: Option<&str>) -> Hosts {
        let mut hosts = Hosts::default();
        for name in setting.unwrap_or_default().split(',').map(str::trim).filter(|name| !name.is_empty()) {
            match name.strip_prefix('*') {
                Some("") => hosts.any = true,
                Some(end) => hosts.ends.push(end.to_ascii_lowercase()),
                None => hosts.names.push(without_port(name).to_ascii_lowercase()),
            }
        }
        hosts
    }

    /// The same and these, which may have ports behind them.
    pub fn and<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Hosts {
        self.names.extend(names.into_iter().map(|name| without_port(name).to_ascii_lowercase()));
        self
    }

    /// Whether a request is for this server.
    ///
    /// # Errors
    /// When it is not.
    pub fn check(&self, head: &Parts) -> Result<(), Misdirected> {
        let mut named = head.headers.get_all(HOST).iter();
        match (named.next(), named.next()) {
            (Some(_), Some(_)) => return Err(Misdirected::Unclear),
            (Some(host), None) if !self.allows_header(host) => return Err(Misdirected::Stranger),
            (None, _) if head.version >= Version::HTTP_11 => return Err(Misdirected::Unclear),
            _ => {}
        }
        // A request for a proxy has the host once more in its first line.
        match head.uri.host() {
            Some(host) if !self.allows(host) => Err(Misdirected::Stranger),
            _ => Ok(()),
        }
    }

    fn allows_header(&self, host: &HeaderValue) -> bool {
        self.any || host.to_str().is_ok_and(|host| self.allows(without_port(host)))
    }

    /// Whether `host`, without a port, is one of ours.
    fn allows(&self, host: &str) -> bool {
        if self.any || !host.contains('.') || is_address(host) {
            return true;
        }
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let is_below = |end: &str| host.strip_suffix(end).is_some_and(|front| front.ends_with('.'));
        let mut labels = host.split('.');
        let (first, second) = (labels.next(), labels.next());
        let is_aws = AWS.iter().any(|end| host.ends_with(end))
            && (matches!(first, Some("dynamodb" | "streams-dynamodb"))
                || matches!(second, Some("ddb" | "streams-ddb"))
                || (first, second) == (Some("streams"), Some("dynamodb")));
        is_aws
            || PRIVATE.iter().any(|end| is_below(end))
            || self.names.contains(&host)
            || self.ends.iter().any(|end| host.ends_with(end.as_str()))
    }
}

/// `host` without what is behind its last colon; an IPv6 address keeps its brackets.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// Whether `host`, with or without a port, is this machine itself: for it, and for nobody else.
pub(super) fn is_loopback_host(host: &str) -> bool {
    let host = without_port(host);
    host.eq_ignore_ascii_case("localhost")
        || host == "[::1]"
        || host.to_ascii_lowercase().ends_with(".localhost")
        || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

fn is_address(host: &str) -> bool {
    match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').is_some_and(|inner| inner.parse::<Ipv6Addr>().is_ok()),
        None => host.parse::<Ipv4Addr>().is_ok(),
    }
}

/// What this machine calls itself; `None` where that cannot be said.
pub fn machine_name() -> Option<String> {
    let mut name = [0_u8; 256];
    // SAFETY: the buffer outlives the call, which writes at most so many bytes into it.
    let status = unsafe { libc::gethostname(name.as_mut_ptr().cast(), name.len()) };
    let end = name.iter().position(|byte| *byte == 0)?;
    let name = std::str::from_utf8(&name[..end]).ok()?;
    (status == 0 && !name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(version: Version, uri: &str, hosts: &[&str]) -> Parts {
        let mut request = http::Request::builder().method("POST").version(version).uri(uri);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn check(hosts: &Hosts, host: &str) -> Result<(), Misdirected> {
        hosts.check(&head(Version::HTTP_11, "/", &[host]))
    }

    #[test]
    fn hosts_that_no_stranger_can_own_are_accepted() {
        let hosts = Hosts::new(None).and(["node1.example.com:7000", "Machine.Example.COM"]);
        for host in [
            "localhost",
            "localhost:8000",
            "LOCALHOST",
            "127.0.0.1:8000",
            "127.0.0.1",
            "[::1]:8000",
            "[::1]",
            "10.1.2.3:80",
            "dynamodb-local:8000",
            "db_1",
            "x",
            "host.docker.internal:8000",
            "dynamo.localhost",
            "mac.local:8000",
            "dynamo.prod.svc:8000",
            "dynamo-0.dynamo.prod.svc.cluster.local",
            "db.test",
            "nas.home.arpa",
            "dynamodb.eu-west-1.amazonaws.com",
            "DynamoDB.us-east-1.api.aws",
            "123456789012.ddb.us-east-1.amazonaws.com",
            "streams.dynamodb.eu-west-1.amazonaws.com",
            "streams-dynamodb.eu-west-1.api.aws",
            "123456789012.streams-ddb.us-east-1.amazonaws.com",
            "node1.example.com",
            "machine.example.com.",
        ] {
            assert_eq!(check(&hosts, host), Ok(()), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:8000",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "evillocal.com",
            "1.2.3",
            "0x7f.1",
            "node2.example.com",
            "example.com",
            "dynamodb.evil.com",
            "evil.s3.amazonaws.com",
            "streams.evil.amazonaws.com",
            "dynamodb.amazonaws.com.evil.example",
            "[::1].evil.example",
            "127.0.0.1:8000.evil.example",
            "svc.example",
        ] {
            assert_eq!(check(&hosts, host), Err(Misdirected::Stranger), "{host}");
        }
    }

    #[test]
    fn the_operator_may_name_more() {
        let hosts = Hosts::new(Some("db.example.com, *.corp.example"));
        for host in ["db.example.com:8000", "DB.example.com", "a.corp.example", "a.b.corp.example"] {
            assert_eq!(check(&hosts, host), Ok(()), "{host}");
        }
        for host in ["xdb.example.com", "corp.example", "evilcorp.example"] {
            assert_eq!(check(&hosts, host), Err(Misdirected::Stranger), "{host}");
        }
        assert_eq!(check(&Hosts::new(Some("*")), "evil.example"), Ok(()));
    }

    #[test]
    fn a_request_names_one_host() {
        let hosts = Hosts::new(None);
        let check = |version, uri, names: &[&str]| hosts.check(&head(version, uri, names));
        assert_eq!(check(Version::HTTP_11, "/", &[]), Err(Misdirected::Unclear));
        assert_eq!(check(Version::HTTP_11, "/", &["localhost", "localhost"]), Err(Misdirected::Unclear));
        assert_eq!(check(Version::HTTP_10, "/", &[]), Ok(()), "HTTP/1.0 knows no Host");
        assert_eq!(check(Version::HTTP_11, "http://evil.example/", &["localhost"]), Err(Misdirected::Stranger));
        assert_eq!(check(Version::HTTP_11, "http://localhost:8000/", &["localhost:8000"]), Ok(()));
    }
}
