//! Replication from the inside: openraft's own exam, and the write-ahead log.

mod exam;
mod wal;
