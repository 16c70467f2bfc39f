//! Token routing of partition keys to shards, with a versioned map and split, merge and move as pure functions

mod ids;
mod token;

pub use ids::{Epoch, ShardId};
pub use token::Token;
