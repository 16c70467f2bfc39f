//! The reader's side: one atomic word.

use crate::moment::Moment;
use crate::sync::{AtomicU64, Ordering};
use crate::word::{Generation, Word};

/// A lease that any number of threads check while others renew and revoke it. No lock, no allocation.
///
/// # Order, for readers
///
/// Check the lease, **then** look at the state that is to be read. A pause between the two is harmless: the state only
/// becomes newer, and if another leader has taken over meanwhile, what is read was still current when the
/// check succeeded. The other way round the value may be older than a write that was acknowledged before the read
/// began.
///
/// The check is an acquire load and a renewal a release store: whoever sees a deadline sees everything that was
/// applied before it was published.
///
/// # Order, for writers
///
/// Capture [`generation`](AtomicLease::generation) *before* the operation whose success is to renew the lease, and
/// [`revoke`](AtomicLease::revoke) *before* the cause of the revocation can reach anyone. That no such operation begins
/// at all after a transfer is not this word's to know: [`SharedHolder::capture`](crate::SharedHolder::capture) knows.
///
/// ```
/// use lease::{AtomicLease, Moment};
/// let at = |ms: u64| Moment::from_nanos(ms * 1_000_000);
/// let lease = AtomicLease::new();
/// let captured = lease.generation();          // before asking the quorum
/// lease.revoke();                             // meanwhile this node votes for another
/// assert!(!lease.renew(captured, at(900)));   // the quorum's answer comes too late
/// assert!(!lease.check(|| at(1)));
/// ```
#[derive(Debug)]
pub struct AtomicLease {
    /// When the lease ends and of which generation it is, or that it is revoked.
    word: AtomicU64,
}

impl AtomicLease {
    /// A lease that does not hold.
    pub fn new() -> AtomicLease {
        AtomicLease { word: AtomicU64::new(Word::REVOKED.bits()) }
    }

    /// Whether the lease holds. `now` is called after the word was loaded, and only if the answer depends on it.
    #[inline]
    pub fn check(&self, now: impl FnOnce() -> Moment) -> bool {
        self.load().holds(now)
    }

    /// The present generation; capture it before an operation that may end in [`renew`](AtomicLease::renew).
    #[inline]
    pub fn generation(&self) -> Generation {
        self.load().generation()
    }

    /// The present deadline, rounded down; [`Moment::NEVER`] when revoked. For display and metrics.
    pub fn deadline(&self) -> Moment {
        self.load().deadline()
    }

    /// Moves the deadline up to `deadline`, unless the lease was revoked since `captured`. Never shortens.
    ///
    /// Returns whether the generation was still the captured one.
    pub fn renew(&self, captured: Generation, deadline: Moment) -> bool {
        self.swap(|word| word.renewed(captured, deadline)).is_some()
    }

    /// Takes the lease away and begins a new generation, which is returned. When this returns, no check that begins
    /// afterwards succeeds until somebody renews in the new generation.
    pub fn revoke(&self) -> Generation {
        self.swap(|word| Some(word.revoked())).expect("a revocation is never refused").generation()
    }

    fn load(&self) -> Word {
        Word::from_bits(self.word.load(Ordering::Acquire))
    }

    /// Replaces the word by what `next` makes of it, in one step; `None` leaves it.
    fn swap(&self, next: impl Fn(Word) -> Option<Word>) -> Option<Word> {
        let mut bits = self.word.load(Ordering::Acquire);
        loop {
            let word = next(Word::from_bits(bits))?;
            match self.word.compare_exchange_weak(bits, word.bits(), Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Some(word),
                Err(actual) => bits = actual,
            }
        }
    }
}

impl Default for AtomicLease {
    fn default() -> AtomicLease {
        AtomicLease::new()
    }
}
