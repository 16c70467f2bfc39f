//! What a plan reads, as tokens, and the views it is given for it.

use ordered_kv::Reader;
use shard_router::{Token, TokenRange};

use super::ReadError;

/// Exactly what is read. There is no keyless read set that silently means some default shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadSet {
    /// The partitions with these tokens; sorted, without duplicates.
    Keys(Vec<Token>),
    /// These spans of the ring, from the first on: a page stops as soon as it is full, so that later spans need not
    /// be checked before they are reached.
    Ranges(Vec<TokenRange>),
    /// Every shard.
    All,
}

impl ReadSet {
    pub(crate) fn keys(tokens: impl Iterator<Item = Token>) -> ReadSet {
        let mut tokens: Vec<Token> = tokens.collect();
        tokens.sort_unstable();
        tokens.dedup();
        ReadSet::Keys(tokens)
    }
}

/// The views that a plan is executed over: one per shard that is read.
///
/// The caller takes them after the lease of each such shard was confirmed and its lock table was looked at, and
/// holds them for one execution. The readers are frozen views or, where [`super::ReadPlan::needs_view`] is false, the
/// newest applied state, or what another node sent ([`super::remote`]).
pub trait Views {
    /// The reader of the shard that owns `token`, which is inside the plan's read set; `None` where it is not there yet,
    /// which a page meets when it goes on beyond the shards that were read for it.
    fn reader(&self, token: Token) -> Option<&dyn Reader>;

    /// The last token that is served by the same reader as `token` without a gap. A scan goes on in the next span
    /// behind it.
    fn last_token(&self, token: Token) -> Token {
        let _ = token;
        Token(u64::MAX)
    }
}

/// One shard that owns everything.
impl Views for &dyn Reader {
    fn reader(&self, _token: Token) -> Option<&dyn Reader> {
        Some(*self)
    }
}

/// Readers by the part of the ring that each serves.
#[derive(Default)]
pub struct ShardViews<'a> {
    /// In the order of the ring; they do not overlap.
    parts: Vec<(TokenRange, &'a dyn Reader)>,
}

impl<'a> ShardViews<'a> {
    /// Nothing yet.
    pub fn new() -> ShardViews<'a> {
        ShardViews::default()
    }

    /// Lets `reader` serve `range`, which nothing serves yet.
    ///
    /// # Panics
    /// Where the range overlaps one that is served already.
    pub fn insert(&mut self, range: TokenRange, reader: &'a dyn Reader) {
        let at = self.parts.partition_point(|(part, _)| part.last() < range.first());
        let is_free = self.parts.get(at).is_none_or(|(next, _)| range.last() < next.first());
        assert!(is_free, "two readers for one part of the ring");
        self.parts.insert(at, (range, reader));
    }

    fn part(&self, token: Token) -> Option<&(TokenRange, &'a dyn Reader)> {
        let at = self.parts.partition_point(|(part, _)| part.last() < token);
        self.parts.get(at).filter(|(part, _)| part.contains(token))
    }
}

impl Views for ShardViews<'_> {
    fn reader(&self, token: Token) -> Option<&dyn Reader> {
        self.part(token).map(|(_, reader)| *reader)
    }

    fn last_token(&self, token: Token) -> Token {
        self.part(token).map_or(token, |(part, _)| part.last())
    }
}

/// The reader of the shard that owns `token`.
pub(super) fn reader(views: &dyn Views, token: Token) -> Result<&dyn Reader, ReadError> {
    views.reader(token).ok_or(ReadError::Missing(token))
}
