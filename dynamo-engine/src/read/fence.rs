//! What a plan reads, as tokens, and the views it is given for it.

use ordered_kv::Reader;
use shard_router::{Token, TokenRange};

/// Exactly what is read. There is no keyless fence that silently means some default shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fence {
    /// The partitions with these tokens; sorted, without duplicates.
    Keys(Vec<Token>),
    /// These spans of the ring, from the first on: a page stops as soon as it is full, so that later spans need not
    /// be fenced before they are reached.
    Ranges(Vec<TokenRange>),
    /// Every shard.
    All,
}

impl Fence {
    pub(crate) fn keys(tokens: impl Iterator<Item = Token>) -> Fence {
        let mut tokens: Vec<Token> = tokens.collect();
        tokens.sort_unstable();
        tokens.dedup();
        Fence::Keys(tokens)
    }
}

/// The views that a plan is executed over: one per fenced shard.
///
/// The caller takes them after the lease of each fenced shard was confirmed and its lock table was looked at, and
/// holds them for one execution. The readers are either frozen views or, where [`super::ReadPlan::needs_view`] is
/// false, the newest applied state.
pub trait Views {
    /// The reader of the shard that owns `token`, which is inside the plan's fence.
    fn reader(&self, token: Token) -> &dyn Reader;

    /// The last token that is served by the same reader as `token` without a gap. A scan goes on in the next span
    /// behind it.
    fn last_token(&self, token: Token) -> Token {
        let _ = token;
        Token(u64::MAX)
    }
}

/// One shard that owns everything.
impl Views for &dyn Reader {
    fn reader(&self, _token: Token) -> &dyn Reader {
        *self
    }
}
