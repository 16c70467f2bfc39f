//! The shapes that operations share, and how any shape is read and checked.
//!
//! A shape is declared once: its members in DynamoDB's order of reporting, their types, their constraints. Reading it
//! is one pass over the JSON (first layer of validation) that notes broken constraints (second layer) and bad
//! attribute values on the way; the operation reports them afterwards, in this order. Here is how that is done; the shapes are in
//! `shared`.

pub(crate) mod checks;
pub(crate) mod declare;
pub(crate) mod echo;
pub(crate) mod path;
pub(crate) mod rules;
pub(crate) mod wire;

#[cfg(test)]
mod model;
mod shared;

pub use shared::*;
