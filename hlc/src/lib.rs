//! A hybrid logical clock with a ceiling agreed through a replicated log.
//!
//! # Problem
//!
//! A replicated database wants timestamps that rise with the order of its log, that stay near wall time so that
//! people can read them, and that no later leader ever issues a second time or below an earlier one, even when the
//! wall clocks of the nodes disagree, jump or stand still.
//!
//! # Idea
//!
//! A [`Timestamp`] is one 64-bit number: 48 bits of milliseconds and 16 bits that count within the millisecond
//! (Kulkarni, Demirbas, Madappa, Avva and Leone, *Logical Physical Clocks*, OPODIS 2014, section 3). A [`Clock`]
//! gives the next one as the larger of "one more than the last" and "wall time", and takes over what it hears from
//! others, so that cause always comes before effect.
//!
//! That alone does not survive a change of leader: the new leader's wall clock may be behind what the old leader
//! promised. So a group agrees on a **ceiling** through its own log. A leader issues only timestamps *below* the
//! ceiling; a new leader starts *at* the ceiling that it finds in its applied log. What the old leader issued is
//! below, what the new leader issues is at or above: never twice, never inverted. Databases with leases on ranges of
//! timestamps do the same (YugabyteDB's hybrid-time leader leases, the timestamp oracle of Percolator and TiKV).
//!
//! ```text
//!    leader A                         ceiling c1            leader B               ceiling c2
//!  ──●──●───●──●──(A is cut off)─────────┤├───────────────────●──●──●──────────────────┤
//!    issued by A: all below c1            B starts at c1, whatever B's wall clock says
//! ```
//!
//! # Use
//!
//! ```
//! use hlc::{Clock, Timestamp};
//!
//! let wall_ms = 1_700_000_000_000;
//! let mut clock = Clock::resume(Timestamp::ZERO);       // ceiling found in the applied log
//! let stamp = clock.tick_or_raise(wall_ms).unwrap();    // the entry carries stamp and clock.ceiling()
//! assert_eq!(stamp, Timestamp::new(wall_ms, 0));
//! assert_eq!(clock.ceiling(), Timestamp::new(wall_ms + hlc::CEILING_WINDOW_MS, 0));
//!
//! // The leader dies. Its successor's wall clock is a minute behind, and yet:
//! let mut successor = Clock::resume(clock.ceiling());
//! let later = successor.tick_or_raise(wall_ms - 60_000).unwrap();
//! assert!(later > stamp);
//! ```
//!
//! # Guarantees
//!
//! 1. The timestamps of one [`Clock`] rise strictly.
//! 2. Every timestamp issued is below [`Clock::ceiling`] at that moment.
//! 3. A clock resumed at a ceiling issues nothing below that ceiling.
//! 4. After an accepted [`Clock::observe`] every later timestamp is above the observed one.
//! 5. Nothing here blocks, reads a clock or does I/O; wall time is an argument. The one exception is
//!    [`source::WallClock`], the door through which a process reads wall time at its edge.
//! 6. Where an answer would break one of these, there is an error instead.
//!
//! # What it assumes
//!
//! That a caller puts the ceiling which covers a timestamp into the same log entry as the timestamp (or into an
//! earlier, applied one), and that a leader resumes only after it has applied the log which it inherited.
//!
//! # Left out on purpose
//!
//! Uncertainty intervals and commit wait: reads are ordered by leases, not by clocks, so skew costs freshness of
//! the *number*, never correctness of an answer.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod ceiling;
mod clock;
mod node;
pub mod source;
mod timestamp;

pub use ceiling::{CEILING_WINDOW_MS, SKEW_BOUND_MS};
pub use clock::{Clock, ClockError, TooFarAhead};
pub use node::NodeClock;
pub use timestamp::{LOGICAL_BITS, PHYSICAL_MS_MAX, ParseTimestampError, Timestamp};
