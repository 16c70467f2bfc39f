//! The engine against a naive model, over the in-memory store.

mod attacks;
mod cost;
mod fixture;
mod model;
mod node;
mod outbox;
mod page_laws;
mod partiql_laws;
mod plan_errors;
mod read_counts;
mod remote_laws;
mod replies;
mod search;
mod store;
mod tables;
mod whole_laws;
mod write_errors;
mod write_replies;
mod writer;
