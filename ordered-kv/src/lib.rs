//! Ordered key-value stores behind one trait: an in-memory twin and RocksDB
