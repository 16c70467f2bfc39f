//! Transactions whose items lie on several shards: two-phase commit, each step an entry of some shard's log.
//!
//! ```text
//!                    ╭──────────╮ Decide ABORT, Resolve abort   ╭───────╮
//!        Prepare ──▶ │ prepared │ ────────────────────────────▶ │ gone  │
//!                    ╰──────────╯                               ╰───────╯
//!                         │ Decide COMMIT (record shard), Resolve   ▲
//!                         ╰─────── rows written, unlocked ──────────╯
//! ```
//!
//! What is stored, on each shard that takes part:
//!
//! | row | key | says |
//! |---|---|---|
//! | prepared | local · shard · 20 · id | record token, timestamp of the prepare, deadline, client token, items |
//! | intent | intents space · item's key | which transaction holds the item, the record token, what the item becomes |
//! | decision | local · shard · 21 · id, on the record shard only | COMMIT with its timestamp and prepares, or ABORT with the deadline |
//!
//! Why it is all or nothing, whoever fails when:
//!
//! 1. *Locks.* A prepare evaluates its actions and locks every item of them, also those that are only checked, until
//!    the transaction is resolved there. Whatever else would write a locked item is refused with a conflict; nothing
//!    waits in apply, so nothing deadlocks. So what was evaluated still holds when it is written (two-phase locking,
//!    hence serializable).
//! 2. *One decision.* COMMIT needs the prepare on the record shard to be there still, exactly the one whose timestamp
//!    the coordinator names; ABORT removes it, and where it has not come yet bars it until its deadline. So the first
//!    who says something on the record shard wins, and nobody can say the other thing afterwards. A missing record
//!    means undecided.
//! 3. *Exactly once.* The decision names each shard's prepare by its timestamp, and a resolve carries out that prepare
//!    only. A prepare that arrives twice is another one and is never part of the commit; one that arrives after the
//!    deadline is refused, so that it does not even lock anything.
//! 4. *Anybody can finish.* An intent names the record shard; the record shard's record names the prepares. A shard
//!    that is left with a prepare asks, records ABORT past some bound, and resolves; a record shard that is left with a
//!    record resolves everybody and forgets it.
//! 5. *Timestamps.* The rows carry the largest timestamp of the prepares. It is above every version of the items, as
//!    they were locked since. It may lie below what the shard has reached meanwhile; it lifts the shard's clock where
//!    it lies above. The shard's state is complete only below its oldest open prepare
//!    ([`ShardState::resolved`](super::ShardState::resolved)).
//!
//! A client's token decides which shard has the record: all requests under it, whatever their items, are prepared at
//! one shard, one at a time, and its row is written with the decision. So a request is done once at most, and another
//! one under the same token is told apart, whichever node it comes to. A record shard may therefore have no items of
//! the transaction; its prepare holds only the token.
//!
//! A table that is removed takes its items' locks along; the rest of the transaction goes on.

mod decide;
mod decision;
mod intent;
mod locks;
mod prepare;
mod prepared;
mod resolve;
#[cfg(test)]
mod tests;

pub use decision::Decision;
pub use intent::Intent;
pub use locks::{Locks, PREPARED_MAX};
pub use prepared::PreparedTransaction;
