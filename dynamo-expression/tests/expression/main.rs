//! The tests of dynamo-expression: scripts of behaviour, laws against a naive model, and a fuzz target.

mod cost;
mod fuzz;
mod golden_bytes;
mod laws;
mod notation;
mod printer;
mod scripts;
