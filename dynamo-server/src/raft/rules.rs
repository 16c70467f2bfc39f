//! The rules of lease safety that a test may break.
//!
//! A rule that no test misses is not known to matter. So each of these can be switched off, for one simulation (one
//! thread) or for a whole process, and the same harness that finds nothing wrong otherwise must then find the stale
//! read. Without the feature `fault-injection` there is no switch: [`is_kept`] is `true`.

/// A rule of design §3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The lease counts from when a message was sent, not from when its answer came.
    AnchorAtSend,
    /// Whoever accepts a message of a leader votes for nobody else for one lease. Broken, openraft's own second line of
    /// the same promise is passed by, too.
    GrantorPromises,
    /// That promise is longer than the leader's validity, by more than their clocks may differ. Broken, it is as long as
    /// the validity, and openraft's second line is passed by.
    PromiseOutlastsValidity,
    /// The lease needs the majority of every membership that may be active. Broken, it goes on with those that the
    /// leader began with, whatever its log says since.
    EveryMembership,
    /// A leader serves nothing under a lease before an entry of its own term is applied.
    OwnTermGate,
    /// A transfer of the leadership ends the lease first.
    TransferRevokes,
    /// A restarted voter votes for nobody for one lease.
    HoldOff,
    /// ... namely for as long as it may have promised before its restart, whatever it promises now.
    HoldOffForThePromiseBefore,
    /// A leader counts on a follower for as long as that one has promised, not for as long as it would itself.
    CountWhatWasPromised,
    /// Whoever has promised a leader not to elect anybody else does not elect itself either.
    AskOneself,
    /// A replica that may be a little old is one of which it is known what it shows, not one that was spoken to a moment
    /// ago.
    KnownAge,
    /// No node stamps anything with a wall time that is far ahead of most members'.
    MostClocksAreRight,
    /// A leader's clock that is far behind most voters' dates nothing.
    SlowLeadersCatchUp,
    /// What counts is said by the member's own data: neither a vote nor an acknowledgement of another incarnation under
    /// its number does.
    Incarnations,
    /// A log of which something durable is missing or was changed is not gone on with. Broken, it is begun anew.
    JudgeTheLog,
    /// What finds no room on the disk waits for it. Broken, it is a fault, which stops the node.
    WaitForRoom,
    /// The state is looked at after the lease was found to hold. Broken, single items are read before.
    ViewAfterLease,
    /// A leader that hears no quorum asks nobody to promise it anything.
    QuorumIsHeard,
    /// Entries, votes and notes are durable on this node's disk before anybody is told that they are.
    SyncFirst,
    /// A shard stands still at an entry that cannot be applied. Broken, the entry is passed over.
    PoisonStops,
}

#[cfg(any(test, feature = "fault-injection"))]
mod switch {
    use std::cell::Cell;
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::Rule;

    /// No rule is broken everywhere.
    const NONE: u8 = u8::MAX;

    static BROKEN_EVERYWHERE: AtomicU8 = AtomicU8::new(NONE);

    thread_local! {
        static BROKEN: Cell<Option<Rule>> = const { Cell::new(None) };
    }

    /// Breaks a rule for everything that runs on this thread from now on; `None` keeps all of them.
    pub fn break_rule(rule: Option<Rule>) {
        BROKEN.set(rule);
    }

    /// Breaks a rule in the whole process from now on, in place of the one that was broken so before.
    pub fn break_rule_everywhere(rule: Option<Rule>) {
        BROKEN_EVERYWHERE.store(rule.map_or(NONE, |rule| rule as u8), Ordering::Relaxed);
    }

    /// Whether the rule is kept on this thread and in this process.
    pub fn is_kept(rule: Rule) -> bool {
        BROKEN.get() != Some(rule) && BROKEN_EVERYWHERE.load(Ordering::Relaxed) != rule as u8
    }
}

#[cfg(any(test, feature = "fault-injection"))]
pub use switch::{break_rule, break_rule_everywhere, is_kept};

/// Whether the rule is kept: always.
#[cfg(not(any(test, feature = "fault-injection")))]
#[inline(always)]
pub fn is_kept(_rule: Rule) -> bool {
    true
}
