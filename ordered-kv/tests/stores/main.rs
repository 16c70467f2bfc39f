//! The stores held against their promises: the exam, crashes, and what only the disk stores have.

mod crash;
mod exam;
#[cfg(feature = "rocksdb")]
mod rocks;
