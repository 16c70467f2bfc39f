//! RocksDB: the one door to it.
