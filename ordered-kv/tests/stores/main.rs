//! The stores held against their promises: the conformance suite, crashes, and what only the disk stores have.

mod conformance;
mod crash;
#[cfg(feature = "rocksdb")]
mod rocks;
