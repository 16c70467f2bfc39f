//! The memory that the bodies of requests may take, all connections together.
//!
//! There may be 10,000 connections, and each may send 16 MB: what is bounded for one is not bounded for all. So a body
//! pays for the room that it takes, from its first piece until its request is answered, and where the room is used up
//! the request is refused. It is not made to wait: what waits keeps what it has got so far, and where all wait for
//! room, none of them ever gets it.
//!
//! A body that arrives in one piece with nothing to follow, as nearly all do, pays nothing: it lies in its connection's
//! read buffer, which is bounded by itself. So the common request touches nothing that event loops share.
//!
//! Bodies share the memory of the process with what becomes of them and with answers ([`crate::memory`]), and may take half of it
//! at most: what comes in must not keep out what is to go out, nor itself from being carried out.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::memory::{BUDGET_MIN, Budget};

/// Room for bodies, unless the operator says otherwise: sixteen of the largest, or what the queues of four shards hold.
pub const BODY_MEMORY_DEFAULT: usize = 256 << 20;

/// The least that makes sense: the largest body packed, and unpacked while it is moved to where it has all its room.
pub const BODY_MEMORY_MIN: usize = 40 << 20;

const _: () = assert!(BODY_MEMORY_MIN <= BUDGET_MIN / 2, "the largest body has room in any server");

/// Room for the bodies of a server's requests.
#[derive(Debug)]
pub struct BodyBudget {
    /// The most that bodies take together.
    bytes_max: usize,
    /// What they take.
    bytes: AtomicUsize,
    /// What bodies and answers have together.
    whole: Arc<Budget>,
}

/// What one body has paid for; given back when dropped.
#[derive(Debug)]
pub struct Charge<'a> {
    /// Where it has paid.
    budget: &'a BodyBudget,
    /// How much.
    bytes: usize,
}

impl BodyBudget {
    /// So many bytes of the whole, at most half of it.
    pub fn new(bytes_max: usize, whole: Arc<Budget>) -> BodyBudget {
        BodyBudget { bytes_max: whole.fitting(bytes_max), bytes: AtomicUsize::new(0), whole }
    }

    /// Bytes that are taken now.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// A body that has paid for nothing yet.
    pub fn charge(&self) -> Charge<'_> {
        Charge { budget: self, bytes: 0 }
    }
}

impl Charge<'_> {
    /// Pays for a size of `bytes` in all; false, and nothing is paid, where there is not so much room.
    #[must_use]
    pub fn grow_to(&mut self, bytes: usize) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        if !self.budget.whole.try_add(more) {
            return false;
        }
        let has_room = |taken: usize| taken.checked_add(more).filter(|taken| *taken <= self.budget.bytes_max);
        let is_paid = self.budget.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, has_room).is_ok();
        if is_paid {
            self.bytes += more;
            debug_assert!(self.bytes <= self.budget.bytes_max, "nobody pays for more than there is");
        } else {
            self.budget.whole.give_back(more);
        }
        is_paid
    }

    /// Gets back what a size of `bytes` does not need.
    pub fn shrink_to(&mut self, bytes: usize) {
        self.give_back(self.bytes.saturating_sub(bytes));
    }

    fn give_back(&mut self, bytes: usize) {
        let before = self.budget.bytes.fetch_sub(bytes, Ordering::Relaxed);
        debug_assert!(bytes <= before && bytes <= self.bytes, "no more is given back than was paid for");
        self.bytes -= bytes;
        self.budget.whole.give_back(bytes);
    }
}

impl Drop for Charge<'_> {
    fn drop(&mut self) {
        self.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ROOM: usize = 100;

    proptest! {
        #[test]
        fn charges_add_up_to_the_budget(steps in prop::collection::vec((0..6usize, prop::option::of(0..150usize)), 1..60)) {
            let whole = Budget::new(2 * ROOM);
            let budget = BodyBudget::new(ROOM, Arc::clone(&whole));
            let mut charges: Vec<Charge<'_>> = (0..6).map(|_| budget.charge()).collect();
            let mut paid = [0; 6];
            for (who, size) in steps {
                match size {
                    None => {
                        charges[who] = budget.charge();
                        paid[who] = 0;
                    }
                    Some(size) => {
                        let taken: usize = paid.iter().sum();
                        let fits = taken - paid[who] + size.max(paid[who]) <= ROOM;
                        prop_assert_eq!(charges[who].grow_to(size), fits);
                        paid[who] = if fits { size.max(paid[who]) } else { paid[who] };
                    }
                }
                prop_assert_eq!(budget.bytes(), paid.iter().sum::<usize>());
                prop_assert_eq!(whole.bytes(), budget.bytes());
            }
            drop(charges);
            prop_assert_eq!((budget.bytes(), whole.bytes()), (0, 0));
        }
    }

    #[test]
    fn answers_reduce_the_room_for_bodies() {
        let whole = Budget::new(2 * ROOM);
        let budget = BodyBudget::new(2 * ROOM, Arc::clone(&whole));
        let answer = whole.take(2 * ROOM - 10).unwrap();
        let mut body = budget.charge();
        assert!(!body.grow_to(11) && body.grow_to(10));
        drop(answer);
        assert!(body.grow_to(ROOM));
    }
}
