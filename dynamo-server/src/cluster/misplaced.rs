//! Whether the members look for a node where it is not: it has moved, and was started again with its address of before.
//!
//! What the membership says counts; the flags say where the node listens unless `--peer-listen` says it. A node whose flags
//! differ from the membership but that listens where it is looked for does right, and so does one whose address is translated
//! on the way, which its flags know.

use std::net::{IpAddr, SocketAddr};

/// Whether a node that the membership knows by `known`, and its own flags by `given`, is not where it is looked for.
pub(super) fn is_misplaced(known: &str, given: &str, listens_at: SocketAddr) -> bool {
    if known.is_empty() || known == given {
        return false;
    }
    let Some((host, port)) = known.rsplit_once(':') else { return false };
    let host: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    let is_there = listens_at.ip().is_unspecified() || host.is_none_or(|host| host == listens_at.ip());
    port != listens_at.port().to_string() || !is_there
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str) -> SocketAddr {
        address.parse().unwrap()
    }

    #[test]
    fn a_node_with_its_address_of_before_is_not_where_it_is_looked_for() {
        assert!(is_misplaced("10.0.0.9:7000", "10.0.0.2:7000", at("10.0.0.2:7000")));
        assert!(is_misplaced("10.0.0.2:7009", "10.0.0.2:7000", at("0.0.0.0:7000")));
        assert!(is_misplaced("[::2]:7000", "[::1]:7000", at("[::1]:7000")));
    }

    #[test]
    fn what_it_listens_at_counts_and_translated_addresses_are_let_be() {
        assert!(!is_misplaced("10.0.0.9:7000", "10.0.0.2:7000", at("10.0.0.9:7000")));
        assert!(!is_misplaced("10.0.0.9:7000", "10.0.0.2:7000", at("0.0.0.0:7000")));
        assert!(!is_misplaced("db-9:7000", "db-2:7000", at("10.0.0.9:7000")), "a name may be anything");
        assert!(!is_misplaced("10.0.0.2:7000", "10.0.0.2:7000", at("172.17.0.2:7001")), "as it was told");
        assert!(!is_misplaced("", "10.0.0.2:7000", at("10.0.0.2:7000")), "it is alone");
    }
}
