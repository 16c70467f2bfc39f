//! A transaction split by shards: which shard gets which actions, and how their answers become one outcome.
//!
//! Which shard records the transaction is decided here: at the client's token if there is one, else at the first item.
//! The token's place on the ring is a fixed hash of it, so whatever node is asked, now or after a restart, asks the
//! same shard, which says whether the token is new. If all items lie on that shard one command does it all; if not, it
//! is one more shard of the two-phase commit, perhaps without items. The price is that a transaction on one shard
//! becomes one on two whenever its token lives elsewhere: five commands instead of one, and three rounds.
//!
//! Turned down: a row beside the first item, which another request under the token does not come by unless its first
//! item lies on the same shard; and a claim at the token's shard before the transaction, which saves commands but needs
//! a round of its own before everything else, and a way to take a claim over that nobody followed up.
//!
//! Pure; the coordinator does the talking.

use dynamo_engine::apply::{ActionOutcome, Outcome, Rejection, WriteOutcome};
use dynamo_engine::command::{Command, ItemWrite, Prepare, Prepared, Transaction, TransactionId};
use dynamo_engine::keyspace::RowKey;
use hlc::Timestamp;
use shard_router::{ShardId, Token};

use crate::memory::Taken;
use crate::shard::ShardError;

/// One shard's part of a transaction.
pub(super) struct Part {
    /// The shard.
    pub shard: ShardId,
    /// A token on it: the record shard's, or its first item's.
    pub token: Token,
    /// Where its actions stand in the request; nowhere for a record shard without items.
    positions: Vec<usize>,
    /// What the shard said to its prepare.
    pub answer: Option<Result<Outcome, ShardError>>,
    /// Room for the rows that the answer brings.
    pub found: Option<Taken>,
    /// What carrying out the commit did, one for each action.
    pub done: Vec<WriteOutcome>,
}

impl Part {
    /// This shard's actions.
    pub fn actions_of(&self, transaction: &Transaction) -> Vec<ItemWrite> {
        self.positions.iter().map(|position| transaction.actions[*position].clone()).collect()
    }
}

/// A transaction that is carried through.
pub(super) struct Parts {
    /// The transaction.
    pub id: TransactionId,
    /// The client token's place on the ring or, without one, the first item's.
    pub record_token: Token,
    /// The record shard's part comes first.
    pub parts: Vec<Part>,
    /// How many the request has; each stands in one part.
    actions: usize,
    /// Whether the client gave a token, so that a replay may have to be answered.
    has_token: bool,
}

/// The parts of a transaction, the record shard's first, and each one's prepare. `None` where one shard has everything,
/// or a key is none.
pub(super) fn split(
    transaction: &Transaction,
    id: TransactionId,
    deadline_ms: u64,
    shard_of: impl Fn(Token) -> ShardId,
) -> Option<(Parts, Vec<Command>)> {
    let mut parts: Vec<Part> = Vec::new();
    if let Some(client_token) = &transaction.client_token {
        let token = client_token.ring_token();
        parts.push(Part {
            shard: shard_of(token),
            token,
            positions: Vec::new(),
            answer: None,
            found: None,
            done: Vec::new(),
        });
    }
    for (position, action) in transaction.actions.iter().enumerate() {
        let token = RowKey::parse(&action.key).ok()?.token();
        let shard = shard_of(token);
        match parts.iter_mut().find(|part| part.shard == shard) {
            Some(part) => part.positions.push(position),
            None => parts.push(Part {
                shard,
                token,
                positions: vec![position],
                answer: None,
                found: None,
                done: Vec::new(),
            }),
        }
    }
    if parts.len() < 2 {
        return None;
    }
    let record_token = parts[0].token;
    let mut client_token = transaction.client_token.clone();
    let mut prepare = |part: &Part| {
        let actions = part.actions_of(transaction);
        // Only the first part, the record shard's, gets the token.
        Command::Prepare(Prepare { id, record_token, deadline_ms, client_token: client_token.take(), actions })
    };
    let prepares = parts.iter().map(&mut prepare).collect();
    let (actions, has_token) = (transaction.actions.len(), transaction.client_token.is_some());
    let parts = Parts { id, record_token, parts, actions, has_token };
    parts.validate();
    Some((parts, prepares))
}

/// What the answers to the prepares come to.
pub(super) enum Conclusion {
    /// All prepared; this is the commit, with what a replay will cost where there is a client's token.
    Commit { at: Timestamp, prepares: Vec<Prepared>, reads: Vec<u32> },
    /// Nothing will be done, and this is the answer.
    Abort(Result<Outcome, ShardError>),
}

impl Parts {
    /// Checks how the parts must relate to each other and to the request.
    fn validate(&self) {
        debug_assert!(self.parts.len() >= 2, "one shard that has everything needs no coordinator");
        debug_assert_eq!(self.parts[0].token, self.record_token, "the record shard's part comes first");
        let is_first = |at: usize| self.parts[..at].iter().all(|part| part.shard != self.parts[at].shard);
        debug_assert!((0..self.parts.len()).all(is_first), "each shard has one part");
        let is_once = |action| self.parts.iter().filter(|part| part.positions.contains(&action)).count() == 1;
        debug_assert!((0..self.actions).all(is_once), "each action stands in one part");
        let has_items = |part: &Part| !part.positions.is_empty();
        debug_assert!(self.parts.iter().skip(1).all(has_items), "only the record shard may be without items");
    }

    /// What is to become of the transaction. What the record shard says of the client's token comes first, then what
    /// keeps a shard from answering at all, then the verdicts on the actions.
    pub fn conclusion(&self) -> Conclusion {
        if let Some(Ok(outcome @ (Outcome::Replayed { .. } | Outcome::TokenMismatch | Outcome::InProgress))) =
            &self.parts[0].answer
        {
            return Conclusion::Abort(Ok(outcome.clone()));
        }
        let mut prepares = Vec::with_capacity(self.parts.len());
        let mut is_cancelled = false;
        let mut stale = None;
        for part in &self.parts {
            match &part.answer {
                Some(Ok(Outcome::Prepared { ts, .. })) => prepares.push(Prepared { token: part.token, ts: *ts }),
                Some(Ok(Outcome::Cancelled(_))) => is_cancelled = true,
                Some(Ok(Outcome::Rejected(Rejection::Late))) => {
                    return Conclusion::Abort(Err(ShardError::DeadlinePassed));
                }
                Some(Ok(Outcome::Rejected(Rejection::Full | Rejection::Crowded))) => {
                    return Conclusion::Abort(Err(ShardError::Overloaded));
                }
                Some(Ok(outcome @ Outcome::Rejected(_))) => stale = Some(outcome.clone()),
                Some(Err(error)) => return Conclusion::Abort(Err(error.clone())),
                Some(Ok(_)) | None => return Conclusion::Abort(Err(ShardError::Unknown)),
            }
        }
        if let Some(stale) = stale {
            return Conclusion::Abort(Ok(stale));
        }
        debug_assert!(is_cancelled || prepares.len() == self.parts.len(), "a commit names every shard's prepare");
        match prepares.iter().map(|prepared| prepared.ts).max() {
            Some(at) if !is_cancelled => Conclusion::Commit { at, prepares, reads: self.replay_reads() },
            _ => Conclusion::Abort(Ok(Outcome::Cancelled(self.verdicts()))),
        }
    }

    /// The prepare's timestamp, or `None` where it is not known; the part is left out where it holds nothing.
    pub fn held(&self) -> impl Iterator<Item = (&Part, Option<Timestamp>)> {
        self.parts.iter().filter_map(|part| match &part.answer {
            Some(Ok(Outcome::Prepared { ts, .. })) => Some((part, Some(*ts))),
            Some(Ok(_)) => None,
            // Perhaps it is prepared all the same, or will be.
            Some(Err(_)) | None => Some((part, None)),
        })
    }

    /// One verdict for each action of the request, in order. DynamoDB calls only the first invalid one so.
    fn verdicts(&self) -> Vec<ActionOutcome> {
        let mut verdicts = vec![ActionOutcome::Passed; self.actions];
        for part in &self.parts {
            let Some(Ok(Outcome::Cancelled(found))) = &part.answer else { continue };
            for (position, verdict) in part.positions.iter().zip(found) {
                verdicts[*position] = verdict.clone();
            }
        }
        let invalid = verdicts.iter_mut().filter(|verdict| matches!(verdict, ActionOutcome::Invalid(_)));
        invalid.skip(1).for_each(|verdict| *verdict = ActionOutcome::Passed);
        verdicts
    }

    /// The outcome of a commit: what carrying it out did, or what was foreseen where that is not known yet.
    pub fn committed(&self) -> Outcome {
        let mut actions = vec![WriteOutcome::default(); self.actions];
        for part in &self.parts {
            let foreseen = match &part.answer {
                Some(Ok(Outcome::Prepared { actions, .. })) => &actions[..],
                _ => &[],
            };
            let is_whole = part.done.is_empty() || part.done.len() == part.positions.len();
            debug_assert!(is_whole, "a shard carries out all of its actions or none");
            let found = if part.done.len() == part.positions.len() { &part.done[..] } else { foreseen };
            for (position, write) in part.positions.iter().zip(found) {
                actions[*position] = write.clone();
            }
        }
        Outcome::Transacted { actions }
    }

    /// What a replay costs, for each action, by the images that the shards saw; nothing without a client's token. A
    /// damaged row counts as a small item.
    fn replay_reads(&self) -> Vec<u32> {
        if !self.has_token {
            return Vec::new();
        }
        let mut reads = vec![1; self.actions];
        for part in &self.parts {
            let Some(Ok(Outcome::Prepared { actions, .. })) = &part.answer else { continue };
            for (position, write) in part.positions.iter().zip(actions) {
                reads[*position] = write.replay_units().unwrap_or(1);
            }
        }
        reads
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dynamo_engine::catalog::TableId;
    use dynamo_engine::command::{Change, ClientToken};
    use dynamo_engine::keyspace::{KeyPart, row_key};

    fn write(name: &str) -> ItemWrite {
        let key = row_key(1, &[KeyPart::S(name)], &[]);
        ItemWrite { table: TableId(1), schema_version: 1, key, condition: None, change: Change::Delete }
    }

    fn token(name: &str) -> Token {
        RowKey::parse(&write(name).key).unwrap().token()
    }

    fn client_token() -> ClientToken {
        ClientToken { token: "t".to_owned(), request_hash: 1, table: TableId(1) }
    }

    /// Items a and c lie on shard 1, b on shard 0, the client's token on `record_shard`.
    fn three_with(given: Option<ClientToken>, record_shard: u32) -> (Parts, Vec<Command>) {
        let at_ring_token = client_token().ring_token();
        let transaction = Transaction { client_token: given, actions: ["a", "b", "c"].map(write).to_vec() };
        let shard_of =
            |at| if at == at_ring_token { ShardId(record_shard) } else { ShardId(u32::from(at != token("b"))) };
        split(&transaction, TransactionId(7), 99, shard_of).expect("two shards")
    }

    fn three() -> (Parts, Vec<Command>) {
        three_with(None, 9)
    }

    fn answered(first: Outcome, other: Outcome) -> Parts {
        let (mut parts, _) = three();
        parts.parts[0].answer = Some(Ok(first));
        parts.parts[1].answer = Some(Ok(other));
        parts
    }

    fn prepared(ts: u64) -> Outcome {
        Outcome::Prepared { ts: Timestamp(ts), actions: Vec::new() }
    }

    #[test]
    fn each_shard_gets_its_actions_and_the_record_shard_the_token() {
        let (parts, prepares) = three();
        assert_eq!((parts.record_token, parts.parts[0].shard), (token("a"), ShardId(1)));
        let [Command::Prepare(first), Command::Prepare(other)] = &prepares[..] else { panic!("two prepares") };
        assert_eq!((&first.actions[..], &other.actions[..]), (&[write("a"), write("c")][..], &[write("b")][..]));
        assert!(first.client_token.is_none() && other.client_token.is_none());
        for (shard, expected) in [(0, vec!["b", "a c"]), (1, vec!["a c", "b"]), (2, vec!["", "a c", "b"])] {
            let (parts, prepares) = three_with(Some(client_token()), shard);
            assert_eq!((parts.record_token, parts.parts[0].shard), (client_token().ring_token(), ShardId(shard)));
            for (place, (prepare, names)) in prepares.iter().zip(&expected).enumerate() {
                let Command::Prepare(prepare) = prepare else { panic!("a prepare") };
                let actions: Vec<ItemWrite> = names.split_whitespace().map(write).collect();
                assert_eq!((prepare.record_token, &prepare.actions), (client_token().ring_token(), &actions));
                assert_eq!(prepare.client_token.is_some(), place == 0, "only the record shard is told the token");
            }
            assert_eq!(prepares.len(), expected.len());
        }
    }

    #[test]
    fn one_shard_needs_no_coordinator_if_the_token_lives_there_too() {
        let mut alone = Transaction { client_token: None, actions: vec![write("a"), write("b")] };
        let elsewhere = |at| ShardId(u32::from(at == client_token().ring_token()));
        assert!(split(&alone, TransactionId(1), 0, elsewhere).is_none());
        alone.client_token = Some(client_token());
        assert!(split(&alone, TransactionId(1), 0, |_| ShardId(0)).is_none());
        assert!(split(&alone, TransactionId(1), 0, elsewhere).is_some());
    }

    /// Each item's outcome comes to its place, whichever part is the record shard's.
    #[test]
    fn a_record_shard_without_items_has_no_share_in_the_answer() {
        let (mut parts, _) = three_with(Some(client_token()), 2);
        let none = || Outcome::Prepared { ts: Timestamp(9), actions: Vec::new() };
        let write = |changed| WriteOutcome { changed, ..WriteOutcome::default() };
        parts.parts[0].answer = Some(Ok(none()));
        let actions = vec![write(true), write(false)];
        parts.parts[1].answer = Some(Ok(Outcome::Prepared { ts: Timestamp(3), actions }));
        parts.parts[2].answer = Some(Ok(Outcome::Prepared { ts: Timestamp(4), actions: vec![write(true)] }));
        let Conclusion::Commit { at, prepares, reads } = parts.conclusion() else { panic!("no commit") };
        assert_eq!(reads, [1, 1, 1], "for every action");
        assert_eq!((at, prepares.len()), (Timestamp(9), 3), "the record shard's prepare is one of them");
        let actions = vec![write(true), write(true), write(false)];
        assert_eq!(parts.committed(), Outcome::Transacted { actions });
        parts.parts[0].answer = Some(Ok(Outcome::Replayed { reads: vec![1, 2, 3] }));
        assert!(matches!(parts.conclusion(), Conclusion::Abort(Ok(Outcome::Replayed { reads })) if reads == [1, 2, 3]));
        assert_eq!(parts.held().count(), 2, "the others are let go");
    }

    #[test]
    fn a_commit_has_the_largest_timestamp_and_names_every_prepare() {
        let Conclusion::Commit { at, prepares, reads } = answered(prepared(3), prepared(9)).conclusion() else {
            panic!("no commit")
        };
        assert_eq!((at, reads.len()), (Timestamp(9), 0));
        let named =
            [Prepared { token: token("a"), ts: Timestamp(3) }, Prepared { token: token("b"), ts: Timestamp(9) }];
        assert_eq!(prepares, named);
    }

    #[test]
    fn reasons_are_complete_and_in_order() {
        let invalid = |text: &str| ActionOutcome::Invalid(text.to_owned());
        let first = Outcome::Cancelled(vec![ActionOutcome::Conflict, invalid("last")]);
        let parts = answered(first, Outcome::Cancelled(vec![invalid("first")]));
        let Conclusion::Abort(Ok(Outcome::Cancelled(verdicts))) = parts.conclusion() else { panic!("no cancellation") };
        assert_eq!(verdicts, [ActionOutcome::Conflict, invalid("first"), ActionOutcome::Passed]);
        assert_eq!(parts.held().count(), 0, "nobody holds anything");
    }

    #[test]
    fn conclusions_follow_the_token_first() {
        let parts = answered(Outcome::InProgress, prepared(2));
        assert!(matches!(parts.conclusion(), Conclusion::Abort(Ok(Outcome::InProgress))));
        assert_eq!(
            parts.held().map(|(part, ts)| (part.shard, ts)).collect::<Vec<_>>(),
            [(ShardId(0), Some(Timestamp(2)))]
        );
        let mut parts = answered(prepared(2), prepared(3));
        parts.parts[1].answer = Some(Err(ShardError::Unknown));
        assert!(matches!(parts.conclusion(), Conclusion::Abort(Err(ShardError::Unknown))));
        assert_eq!(parts.held().map(|(_, ts)| ts).collect::<Vec<_>>(), [Some(Timestamp(2)), None]);
        let stale = Outcome::Rejected(Rejection::Stale);
        let verdict = answered(prepared(2), stale).conclusion();
        assert!(matches!(verdict, Conclusion::Abort(Ok(Outcome::Rejected(Rejection::Stale)))));
    }
}
