//! The engine against a naive model, over the in-memory store.

mod answers;
mod attacks;
mod cost;
mod fixture;
mod laws;
mod model;
mod node;
mod outbox;
mod read_counts;
mod search;
mod store;
mod tables;
mod writer;
