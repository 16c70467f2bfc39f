//! The seams of the default build: nothing can be injected, and each vanishes when compiled.

use super::super::transport::Lane;

/// Whether a message from `peer` arrives: always.
#[inline(always)]
pub async fn arrives(_peer: u64) -> bool {
    true
}

/// Whether a message to `peer` gets away: always.
#[inline(always)]
pub async fn leaves(_peer: u64, _lane: Lane) -> bool {
    true
}

/// What the boot-time clock shows: the truth.
#[inline(always)]
pub fn boot_ns(true_ns: u64) -> u64 {
    true_ns
}

/// What the wall clock of the operating system shows.
#[inline(always)]
pub fn wall_ms(true_ms: u64) -> u64 {
    true_ms
}

/// A synchronous write is about to begin: it takes the time that it takes.
#[inline(always)]
pub fn before_sync() {}

/// Work that may wait for the disk is about to begin: it takes the time that it takes.
#[inline(always)]
pub fn before_blocking() {}

/// How much room the disk has: what the file system says.
#[inline(always)]
pub fn free_bytes(true_bytes: Option<u64>) -> Option<u64> {
    true_bytes
}

/// An entry with these bytes is about to be applied: it is.
#[inline(always)]
pub fn before_apply(_entry: &[u8]) {}

/// How long the log may be: as it was set up.
#[inline(always)]
pub fn log_bytes_max(true_max: u64) -> u64 {
    true_max
}
