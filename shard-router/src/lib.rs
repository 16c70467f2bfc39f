//! Token routing of partition keys to shards, with a versioned map and split, merge and move as pure functions

mod token;

pub use token::Token;
