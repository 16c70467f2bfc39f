//! An open database that speaks the Amazon DynamoDB API: a durable single node out of the box, in memory for tests, a
//! replicated and sharded cluster of the same binary.
//!
//! A request goes down once and up once: [`http`] decodes the envelope, [`ops`] plans and replies, the router finds the
//! [`shard`], where writes become entries of a Raft log and reads pass the [`guard`]. Above `shard` nothing knows of
//! Raft; below it nothing knows of HTTP.
//!
//! To run a server inside a test, see [`Server`].

// Printing panics where nobody reads; see `log_output`.
#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]
#![cfg_attr(test, allow(clippy::disallowed_methods))]

#[cfg(feature = "rocksdb")]
mod allocator;
/// The worst requests that are known, for each operation.
#[cfg(test)]
#[path = "../../dynamo-engine/tests/engine/attacks.rs"]
mod attacks;
#[cfg(feature = "cli")]
mod client;
pub mod cluster;
pub mod config;
mod descriptors;
mod embedded;
#[cfg(any(test, feature = "fault-injection"))]
pub mod faults;
mod fnv;
#[cfg(feature = "cli")]
pub mod healthcheck;
pub mod http;
mod log_limit;
#[cfg(feature = "cli")]
mod log_output;
pub mod memory;
#[cfg(test)]
mod meter;
pub mod metrics;
pub mod ops;
#[cfg(feature = "cli")]
pub mod process;
#[cfg(feature = "cli")]
pub mod skip_entry;
#[cfg(feature = "cli")]
mod threads;
mod turns;

pub mod catalog;
pub mod env;
pub mod guard;
mod index;
pub mod node;
pub mod peer;
pub mod raft;
mod read;
mod router;
pub mod shard;
pub mod transaction;
mod upkeep;

#[cfg(feature = "rocksdb")]
pub use allocator::Allocator;
/// The allocator of a program without the feature `rocksdb`.
#[cfg(not(feature = "rocksdb"))]
pub use std::alloc::System as Allocator;

pub use config::Config;
pub use embedded::{Server, StartError};

/// The README's example is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
