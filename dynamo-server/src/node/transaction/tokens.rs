//! The client tokens that this node has seen used.
//!
//! What makes a repeated transaction safe are the rows beside its first item (`dynamo_engine::apply::client_token`). A
//! *different* request under the same token, whose first item lies on another shard, does not come by them. A node that
//! carried out the first request notices it here, before anything is proposed.
//!
//! Only a complaint comes from this memory, never a replay, so that it may forget: it is bounded, lives as long as the
//! process, and another node has another one. A token is kept no longer than its row: ten minutes from *before* the
//! request was proposed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use dynamo_engine::apply::Outcome;
use dynamo_engine::command::ClientToken;
use dynamo_protocol::limits::IDEMPOTENCY_WINDOW_MS;

/// Tokens kept at most: about 4 MiB. When full, the oldest is forgotten, and a mismatch of it may go undetected.
const TOKENS_MAX: usize = 20_000;

const WINDOW_NS: u64 = IDEMPOTENCY_WINDOW_MS * 1_000_000;

/// Tokens of transactions that were done.
#[derive(Default)]
pub(in crate::node) struct TokensSeen {
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// Token -> hash of its request, and when it was proposed.
    requests: BTreeMap<String, (u128, u64)>,
    /// The tokens of `requests`, as they came.
    order: VecDeque<String>,
}

impl TokensSeen {
    /// Whether the token was used for another request within its time.
    pub(super) fn is_mismatch(&self, token: &ClientToken, now_ns: u64) -> bool {
        // The map is whole between its statements, whoever panicked.
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.requests
            .get(&token.token)
            .is_some_and(|&(hash, began_ns)| hash != token.request_hash && now_ns < began_ns.saturating_add(WINDOW_NS))
    }

    /// Remembers the token of a request that was proposed at `began_ns`, if `outcome` says that it was done by it.
    pub(super) fn remember(&self, token: ClientToken, began_ns: u64, outcome: &Outcome) {
        if !matches!(outcome, Outcome::Transacted { replayed: false, .. }) {
            return;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.requests.insert(token.token.clone(), (token.request_hash, began_ns)).is_none() {
            seen.order.push_back(token.token);
        }
        if seen.order.len() > TOKENS_MAX
            && let Some(oldest) = seen.order.pop_front()
        {
            seen.requests.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(name: &str, request_hash: u128) -> ClientToken {
        ClientToken { token: name.to_owned(), request_hash }
    }

    fn done() -> Outcome {
        Outcome::Transacted { actions: Vec::new(), replayed: false }
    }

    #[test]
    fn another_request_is_a_mismatch_for_ten_minutes() {
        let seen = TokensSeen::default();
        assert!(!seen.is_mismatch(&token("t", 2), 5));
        seen.remember(token("t", 1), 5, &done());
        assert!(seen.is_mismatch(&token("t", 2), 5 + WINDOW_NS - 1));
        assert!(!seen.is_mismatch(&token("t", 1), 5 + WINDOW_NS - 1), "the same request");
        assert!(!seen.is_mismatch(&token("u", 2), 5));
        assert!(!seen.is_mismatch(&token("t", 2), 5 + WINDOW_NS));
        seen.remember(token("t", 2), 5 + WINDOW_NS, &done());
        assert!(seen.is_mismatch(&token("t", 1), 5 + WINDOW_NS), "used anew");
    }

    #[test]
    fn only_what_was_done_counts() {
        let seen = TokensSeen::default();
        for outcome in [
            Outcome::Cancelled(Vec::new()),
            Outcome::InProgress,
            Outcome::TokenMismatch,
            Outcome::Transacted { actions: Vec::new(), replayed: true },
        ] {
            seen.remember(token("t", 1), 0, &outcome);
            assert!(!seen.is_mismatch(&token("t", 2), 0), "{outcome:?}");
        }
    }

    #[test]
    fn it_is_bounded() {
        let seen = TokensSeen::default();
        for number in 0..=TOKENS_MAX {
            seen.remember(token(&number.to_string(), 1), 0, &done());
        }
        assert!(!seen.is_mismatch(&token("0", 2), 0), "the oldest is forgotten");
        assert!(seen.is_mismatch(&token("1", 2), 0));
    }
}
