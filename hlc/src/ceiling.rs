//! How far ahead of wall time a ceiling may stand, and how far ahead a neighbour may.

use crate::timestamp::Timestamp;

/// How far a new ceiling stands above wall time, in milliseconds.
///
/// Three seconds: an entry that a busy group writes anyway renews the ceiling long before it is reached, and the
/// first timestamps of a new leader, which start at the old ceiling, are at most this far in the future.
pub const CEILING_WINDOW_MS: u64 = 3_000;

/// How far ahead of our own wall time a timestamp of another node may be when we take it over, in milliseconds.
///
/// An honest neighbour may be a whole [`CEILING_WINDOW_MS`] ahead of *its* wall clock (just after it took over a
/// group), so the bound must be larger than the window; what remains, two seconds, is the allowance for the
/// difference of two wall clocks. A node further off than that is refused rather than followed, so that one broken
/// clock cannot drag the cluster into the future.
pub const SKEW_BOUND_MS: u64 = 5_000;

const _: () = assert!(SKEW_BOUND_MS > CEILING_WINDOW_MS, "an honest new leader would be refused by its neighbours");
const _: () = assert!(CEILING_WINDOW_MS > 0, "a ceiling at wall time could never be issued below");

/// The ceiling to ask for: as far as wall time justifies, and in any case far enough for one more timestamp.
///
/// `max(old ceiling + one tick, wall + window)`, never "clock + window": a clock that is ahead of wall time, because
/// the wall clock was set back or a busy group borrowed, then moves on one tick at a time and lets wall time catch
/// up, while adding the window to the clock would push it three seconds further with every renewal.
/// `last` matters only where it was taken over from a neighbour and is not below the old ceiling: then the room
/// needed for one more timestamp is counted from there.
///
/// `None` when hybrid time is used up.
pub(crate) fn next(ceiling: Timestamp, last: Timestamp, wall_ms: u64) -> Option<Timestamp> {
    let one_more = ceiling.next()?.max(last.next()?.next()?);
    let by_wall = Timestamp::new(wall_ms.saturating_add(CEILING_WINDOW_MS), 0);
    if by_wall == Timestamp::MAX { None } else { Some(one_more.max(by_wall)) }
}
