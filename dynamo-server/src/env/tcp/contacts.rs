//! What the log says about peers that cannot be reached: once when it begins, once when its reason changes, once when it
//! ends. The lanes to a peer try again many times a second and must not fill the log.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use super::frame::FrameError;
use super::hello::{HelloError, Refusal};

/// Why there is no connection, or no longer.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkError {
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Hello(#[from] HelloError),
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("connecting took too long")]
    TimedOut,
}

/// The peers that were called, with the reason why the last attempt failed.
#[derive(Default)]
pub(super) struct Contacts {
    /// Why a peer at an address was not reached, by node and address, so that it is said once.
    failing: Mutex<BTreeMap<(u64, String), String>>,
}

impl Contacts {
    /// A connection to `peer` came about.
    pub(super) fn reached(&self, peer: u64, address: &str) {
        if self.failing.lock().remove(&(peer, address.to_owned())).is_some() {
            tracing::info!("node {peer} at {address} is reached");
        }
    }

    /// A connection to `peer` did not come about.
    pub(super) fn failed(&self, peer: u64, address: &str, error: &LinkError) {
        let reason = reason(error);
        let mut failing = self.failing.lock();
        let known = failing.insert((peer, address.to_owned()), reason.clone());
        if known.as_ref() == Some(&reason) {
            return;
        }
        match error {
            LinkError::Hello(
                HelloError::Refused(_)
                | HelloError::RefusedThere(_)
                | HelloError::NoCommonVersion { .. }
                | HelloError::NotUnderstood { .. },
            ) => {
                tracing::error!("node {peer} at {address} refuses this node: {reason}");
            }
            _ => tracing::warn!("node {peer} at {address} cannot be reached, trying on: {reason}"),
        }
    }
}

/// The reason in words for an operator.
fn reason(error: &LinkError) -> String {
    let LinkError::Hello(HelloError::Refused(refusal)) = error else { return error.to_string() };
    let text = match refusal {
        Refusal::Protocol => "it runs a program that speaks no common version",
        Refusal::OtherCluster => {
            "this node belongs to another cluster; every founder needs the same --peers, and a node that comes later joins"
        }
        Refusal::OtherNode => "another node listens there than the one that was meant; check the addresses in --peers",
        Refusal::OtherIncarnation => {
            "its data directory is not the member's: it has lost its data, or another one was put in its place; see \
             cluster replace"
        }
        Refusal::Proof => "the secrets of the two nodes differ, or this one has none; see --cluster-secret-file",
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_kept_until_the_peer_is_reached() {
        let contacts = Contacts::default();
        let refused = LinkError::Hello(HelloError::Refused(Refusal::OtherCluster));
        contacts.failed(2, "b:2", &LinkError::TimedOut);
        contacts.failed(2, "b:2", &refused);
        let known = contacts.failing.lock().get(&(2, "b:2".to_owned())).cloned();
        assert!(known.is_some_and(|reason| reason.contains("another cluster")));
        contacts.reached(2, "b:2");
        assert!(contacts.failing.lock().is_empty());
    }
}
