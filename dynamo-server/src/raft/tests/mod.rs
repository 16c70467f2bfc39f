//! Replication from the inside: openraft's own suite, snapshots that come in, and the write-ahead log.

mod conformance;
mod log_end;
mod staging;
mod wal;
