//! One command that measures a DynamoDB-compatible server over HTTP: [`run`] is all of the binary.
//!
//! The question is what one request costs the server, and how many it answers. Wall-clock figures of a shared machine
//! swing widely, so every measurement (a *slice*) stands between two slices of a *calibrator*, a bare hyper server
//! that answers a fixed 1 KB body, and what is compared is the ratio: server CPU per request over the calibrator's,
//! and requests per second over the calibrator's. The ratio of CPU hardly moves with the noise.
//!
//! ```text
//! repetition 1:  calibrator · GetItem on A · calibrator · GetItem on B · calibrator · PutItem on A · …
//! repetition 2:  …
//! ```
//!
//! A slice is a warm-up, then a measured stretch that begins and ends with no request in flight, so that requests and
//! CPU belong to each other exactly. Every reply is checked ([`workload`]), writes are read back after the slice, and
//! counters are summed: a server that answers fast and wrong fails the run.
//!
//! The client ([`client`]) patches digits into preformatted requests and scans replies without building anything; its
//! own CPU is reported, so that nobody mistakes a saturated client for a slow server. Latencies come twice
//! ([`load`]): closed loop (16 connections, each waits for its reply) and open loop at fixed rates, where latency
//! counts from the moment a request *should* have been sent, so that a stalled server cannot hide its stall by
//! stalling the client ("coordinated omission": G. Tene, *How NOT to Measure Latency*, 2013).
//!
//! In the order of reading: [`cli`], [`session`] (the order of slices), [`workload`] (what is sent and checked),
//! [`load`] and [`client`] (how), [`target`], [`calibrator`] and [`postgres`] (against what), [`group_commit`] and [`disk`],
//! [`stats`], [`machine`], [`report`]; beside the table, [`scale`] (what grows) and [`endure`] (what lasts) and [`send`] (what is counted). Left out: TLS, HTTP/2, and more than one client machine.

mod calibrator;
mod cli;
mod client;
mod disk;
mod endure;
mod error;
mod group_commit;
mod load;
mod machine;
mod neighbours;
mod place;
mod postgres;
mod report;
mod scale;
mod send;
mod session;
mod stats;
mod target;
mod workload;

pub use cli::run;
