//! A contiguous, never empty piece of the ring.

use std::fmt;

use crate::token::Token;

/// The tokens from `first` to `last`, both included, so that the whole ring is a range too.
///
/// Invariant: `first <= last`. A piece that would wrap around the end of the ring is two ranges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenRange {
    /// The lowest token inside.
    first: Token,
    /// The highest token inside, at least `first`.
    last: Token,
}

impl TokenRange {
    /// The whole ring.
    pub const FULL: TokenRange = TokenRange { first: Token::MIN, last: Token::MAX };

    /// The tokens from `first` to `last`, both included; `None` when there are none.
    pub fn new(first: Token, last: Token) -> Option<TokenRange> {
        (first <= last).then_some(TokenRange { first, last })
    }

    /// The tokens from `first` to the end of the ring.
    pub fn from(first: Token) -> TokenRange {
        TokenRange { first, last: Token::MAX }
    }

    /// The range of one token.
    pub fn only(token: Token) -> TokenRange {
        TokenRange { first: token, last: token }
    }

    /// The first token.
    pub fn first(&self) -> Token {
        self.first
    }

    /// The last token, which still belongs to the range.
    pub fn last(&self) -> Token {
        self.last
    }

    /// Whether `token` lies in the range.
    pub fn contains(&self, token: Token) -> bool {
        self.first <= token && token <= self.last
    }

    /// Whether every token of `other` lies in this range.
    pub fn covers(&self, other: &TokenRange) -> bool {
        self.first <= other.first && other.last <= self.last
    }

    /// The tokens in both ranges, `None` when there are none.
    pub fn intersection(&self, other: &TokenRange) -> Option<TokenRange> {
        TokenRange::new(self.first.max(other.first), self.last.min(other.last))
    }

    /// How many tokens there are: 1 to 2^64.
    pub fn width(&self) -> u128 {
        (self.last.0 - self.first.0) as u128 + 1
    }

    /// The first token of the upper half: where to cut the range into two of equal width. Of a range of one token, that
    /// token.
    pub fn middle(&self) -> Token {
        Token(self.first.0 + (self.width() / 2) as u64)
    }
}

impl fmt::Display for TokenRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..={}", self.first, self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_and_middles_at_the_ends_of_the_ring() {
        assert_eq!(TokenRange::FULL.width(), 1 << 64);
        assert_eq!(TokenRange::FULL.middle(), Token(1 << 63));
        assert_eq!(TokenRange::only(Token(5)).middle(), Token(5));
        assert_eq!(TokenRange::new(Token(4), Token(5)).unwrap().middle(), Token(5));
        assert_eq!(TokenRange::from(Token::MAX).width(), 1);
    }

    /// Every pair of ranges on a ring of six tokens, against sets.
    #[test]
    fn agrees_with_sets_in_every_small_case() {
        let ranges = || (0..6u64).flat_map(|first| (0..6u64).map(move |last| (Token(first), Token(last))));
        let set = |range: Option<TokenRange>| -> Vec<u64> {
            (0..6).filter(|token| range.is_some_and(|range| range.contains(Token(*token)))).collect()
        };
        for (first, last) in ranges() {
            let one = TokenRange::new(first, last);
            assert_eq!(one.is_none(), set(one).is_empty());
            for other in ranges().filter_map(|(first, last)| TokenRange::new(first, last)) {
                let Some(one) = one else { continue };
                let both: Vec<u64> = set(Some(one)).into_iter().filter(|token| other.contains(Token(*token))).collect();
                assert_eq!(set(one.intersection(&other)), both);
                assert_eq!(one.covers(&other), both.len() as u128 == other.width());
            }
        }
    }
}
