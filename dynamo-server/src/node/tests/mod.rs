//! A node from outside of its front: commands in, outcomes and rows out.

mod apply_turns;
mod batch;
mod cluster;
mod cost;
mod ddl;
mod decided;
#[cfg(feature = "rocksdb")]
mod disk;
mod fixture;
mod index_http;
mod kill;
mod lease;
mod outbox;
mod overload;
mod reads;
#[cfg(feature = "rocksdb")]
mod services;
mod snapshot;
mod streams;
mod transactions;
mod withdrawn;
