//! A write-ahead log of many Raft groups in one stream, whose end can be judged.
//!
//! # The problem
//!
//! A log must be cut off after a crash where its last write was torn: nobody was told of that. It must not be cut off where
//! a record rotted on the disk: entries behind it were acknowledged. Both look the same to a log that reuses its files and
//! stops at the first record that does not check out, and then acknowledged writes are lost in silence.
//!
//! # The idea
//!
//! Everything that is durable says so *behind* itself:
//!
//! ```text
//! segment 7                                                              segment 8
//! header · checkpoint · entry entry vote │ mark │ entry purge │ mark │ end   header · checkpoint · entry entry │ mark │ …
//!                                      sync           sync                                              sync
//! ```
//!
//! - Every record carries how much of its segment was durable when it was written. After each sync a *mark* is written,
//!   without another sync, before anybody is told: it survives a kill as the page cache does, and a power cut as soon as
//!   anything else is synced, or [`Log::settle`] is called. So behind whatever was acknowledged stands a record that says
//!   so, and where one does not check out although a later one says that it was durable, it has rotted.
//! - A segment begins with a checkpoint of every group (values, what was purged, which entries there are) and with where the
//!   segment before it ended; it ends with a record that names its successor, written when that one is durable. So a lost,
//!   shortened or exchanged file is noticed, the newest and the oldest included.
//! - Checksums cover the place of a record and the number of the log, generations rise with each segment and each opening:
//!   what a recycled file or a torn write has left behind the end is no record.
//!
//! What stays undetected: rot of the very last synced write, if the power is cut before the mark behind it is durable. With
//! [`Log::settle`] called four times a second that needs a power cut and rot in the same quarter of a second's writes.
//!
//! # Guarantees
//!
//! - What a crash leaves is a prefix of what was written, at least up to the last synced write.
//! - [`Log::open`] fails with [`LogError::Damaged`] where anything that was durable is missing or was changed, with the
//!   exception above.
//! - After a failed write or sync nothing is written any more.
//! - The room for one more segment is reserved ahead ([`Log::is_short_of_room`]), so that a full disk is known before a
//!   write fails; and whoever asks for the room of a batch first ([`Log::reserve`]) can wait where there is none.
//!
//! # Cost
//!
//! One write and one `fdatasync` for a batch, and a second write of 40 bytes without one. Files are allocated ahead and
//! recycled, so that syncs overwrite blocks that are there. In memory an entry takes 12 bytes. The start reads all segments
//! once, in order.
//!
//! # Freeing
//!
//! The oldest segment is freed when no entry of it is left. Where the entries of a few idle groups keep much from being
//! freed they are written anew at the end.
//!
//! # Left out on purpose
//!
//! Compression, encryption, mending of rot: a replica has what was lost. Several writers at once: the log is one stream.

pub mod batch;
pub mod disk;
pub mod error;
mod index;
pub mod log;
mod record;
mod recover;

pub use batch::Batch;
pub use disk::{Disk, FileDisk, MemoryDisk};
pub use error::LogError;
pub use log::{Entry, Log, Options};

/// The format of segments.
const FORMAT: u8 = 1;

/// The README's example, run as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
