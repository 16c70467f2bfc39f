//! Places where a test may stop a coordinator, as a crash would.

/// A place between two steps of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failpoint {
    /// Nothing was sent yet.
    BeforePrepare,
    /// Every shard has answered its prepare.
    AfterPrepare,
    /// All shards are prepared.
    BeforeDecide,
    /// The decision is recorded.
    AfterDecide,
    /// The client may be told, and the other shards do not know yet.
    BeforeResolve,
    /// All shards have carried the commit out.
    AfterResolve,
    /// The record is gone.
    AfterForget,
}

impl Failpoint {
    /// All of them, in order.
    pub const ALL: [Failpoint; 7] = [
        Failpoint::BeforePrepare,
        Failpoint::AfterPrepare,
        Failpoint::BeforeDecide,
        Failpoint::AfterDecide,
        Failpoint::BeforeResolve,
        Failpoint::AfterResolve,
        Failpoint::AfterForget,
    ];
}

#[cfg(any(test, feature = "fault-injection"))]
mod trap {
    use std::cell::{Cell, RefCell};
    use std::rc::Rc;

    use super::Failpoint;

    /// Says whether the coordinator that came here gets no further.
    type Trap = Rc<dyn Fn(Failpoint) -> bool>;

    thread_local! {
        static LOCKS_ARE_IGNORED: Cell<bool> = const { Cell::new(false) };
        static TRAP: RefCell<Option<Trap>> = const { RefCell::new(None) };
    }

    /// From now on every coordinator on this thread asks `trap` at each step, and goes no further where it says so.
    pub fn set_trap(trap: Option<Trap>) {
        TRAP.set(trap);
    }

    /// Whether reads on this thread overlook the locks of transactions from now on: the fault that a harness must find.
    pub fn ignore_locks(ignored: bool) {
        LOCKS_ARE_IGNORED.set(ignored);
    }

    /// Whether reads look at locks.
    pub fn locks_are_kept() -> bool {
        !LOCKS_ARE_IGNORED.get()
    }

    pub(super) fn is_caught(step: Failpoint) -> bool {
        let trap = TRAP.with_borrow(Clone::clone);
        trap.is_some_and(|trap| trap(step))
    }
}

#[cfg(any(test, feature = "fault-injection"))]
pub use trap::{ignore_locks, locks_are_kept, set_trap};

/// Whether reads look at locks: always.
#[cfg(not(any(test, feature = "fault-injection")))]
#[inline(always)]
pub(crate) fn locks_are_kept() -> bool {
    true
}

/// Goes on, unless a test has set a trap here.
#[cfg(any(test, feature = "fault-injection"))]
pub(super) async fn reach(step: Failpoint) {
    if trap::is_caught(step) {
        std::future::pending::<()>().await;
    }
}

/// Goes on.
#[cfg(not(any(test, feature = "fault-injection")))]
#[inline(always)]
pub(super) async fn reach(_step: Failpoint) {}
