//! The small values of a group in the log, beside its entries.

/// A kind of value. What was purged is known to the log itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Value {
    /// The vote.
    Vote = 0x01,
    /// The last index known to be committed, a hint for the next start.
    Committed = 0x02,
    /// A snapshot that was about to be installed; gone with the next purge.
    Incoming = 0x04,
}
