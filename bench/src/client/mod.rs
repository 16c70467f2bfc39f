//! A client that costs as little as it can: preformatted requests, one buffer per connection, replies read in place.
//!
//! [`Template`] is a whole HTTP request with places for digits, [`Sender`] the head before it; [`Connection`] sends bytes and finds the end of the
//! reply; [`scan`] reads the few values that checks need straight out of the JSON text.

mod caller;
mod connection;
mod head;
pub mod scan;
mod sender;
mod template;

use std::net::{SocketAddr, ToSocketAddrs};

pub use caller::Caller;
pub use connection::{Connection, Reply};
pub use sender::Sender;
pub use template::{Body, KEY_DIGITS, Template, letters};

use crate::error::{Context, Error, Result};

/// Where a server listens.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// `host:port`, for the Host header.
    pub authority: String,
    /// The first address that the authority resolves to.
    pub address: SocketAddr,
}

impl Endpoint {
    /// The endpoint of `http://host:port`, with or without the scheme.
    pub fn parse(url: &str) -> Result<Endpoint> {
        if url.starts_with("https://") {
            return Err(Error::new(format!("{url}: only http:// is measured")));
        }
        let authority = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let address = authority
            .to_socket_addrs()
            .context(|| format!("cannot resolve {url}"))?
            .next()
            .ok_or_else(|| Error::new(format!("{url} has no address")))?;
        Ok(Endpoint { authority, address })
    }

    /// The endpoint on this port of the loopback interface.
    pub fn local(port: u16) -> Endpoint {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        Endpoint { authority: address.to_string(), address }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_with_and_without_a_scheme() {
        for url in ["http://127.0.0.1:8000/", "http://127.0.0.1:8000", "127.0.0.1:8000"] {
            let endpoint = Endpoint::parse(url).expect("an address");
            assert_eq!((endpoint.authority.as_str(), endpoint.address.port()), ("127.0.0.1:8000", 8000));
        }
        assert!(Endpoint::parse("https://127.0.0.1:8000").is_err());
        assert!(Endpoint::parse("http://127.0.0.1").is_err(), "a port is needed");
    }
}
