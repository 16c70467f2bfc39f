//! Replication from the inside: openraft's own exam, snapshots that come in, and the write-ahead log.

mod exam;
mod log_end;
mod staging;
mod wal;
