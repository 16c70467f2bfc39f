//! The text of a statement: its words, its grammar, and how it is written again.

pub(super) mod parse;
mod print;
pub(super) mod token;
pub(super) mod tree;
