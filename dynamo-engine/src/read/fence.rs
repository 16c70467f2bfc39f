//! What a plan reads, as tokens, and the views it is given for it.

use ordered_kv::Reader;
use shard_router::Token;

/// A span of the ring, both ends included, so that the whole ring can be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenSpan {
    /// The first token in it.
    pub first: Token,
    /// The last token in it.
    pub last: Token,
}

impl TokenSpan {
    /// The whole ring.
    pub const ALL: TokenSpan = TokenSpan { first: Token(0), last: Token(u64::MAX) };

    /// Whether `token` lies in it.
    pub fn contains(&self, token: Token) -> bool {
        self.first <= token && token <= self.last
    }

    /// The `segment`-th of `segments` spans of equal size (to one token) that together are the ring.
    ///
    /// # Panics
    /// Where `segment` is not below `segments`.
    pub fn segment(segment: u32, segments: u32) -> TokenSpan {
        assert!(segment < segments, "segments are numbered from zero");
        let bound = |number: u32| ((u128::from(number) << 64) / u128::from(segments)) as u64;
        let last = if segment + 1 == segments { u64::MAX } else { bound(segment + 1) - 1 };
        TokenSpan { first: Token(bound(segment)), last: Token(last) }
    }
}

/// Exactly what is read. There is no keyless fence that silently means some default shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fence {
    /// The partitions with these tokens; sorted, without duplicates.
    Keys(Vec<Token>),
    /// These spans of the ring, from the first on: a page stops as soon as it is full, so that later spans need not
    /// be fenced before they are reached.
    Ranges(Vec<TokenSpan>),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_tile_the_ring() {
        for segments in [1, 2, 3, 7, 1000, 1_000_000] {
            let mut next = 0_u64;
            for segment in 0..segments {
                let span = TokenSpan::segment(segment, segments);
                assert_eq!(span.first, Token(next));
                assert!(span.first <= span.last);
                next = span.last.0.wrapping_add(1);
            }
            assert_eq!(next, 0, "the last one ends at the end of the ring");
        }
        assert_eq!(TokenSpan::segment(0, 1), TokenSpan::ALL);
    }
}
