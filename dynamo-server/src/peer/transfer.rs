//! Moving leaderships by hand: to one node, at the leader; and keeping them there, everywhere.
//!
//! ```text
//! transfer  request: node to lead    response: 00 once it leads   |   a refusal
//! pause     request: milliseconds    response: nothing
//! ```
//!
//! A transfer may be asked for again: to move the leadership where it is already is a success.

use super::Rpc;
use crate::shard::ShardError;

/// Lets the node that is named lead.
pub struct Transfer;

impl Rpc for Transfer {
    const KIND: u8 = 43;
    type Request<'a> = u64;
    type Received = u64;
    type Response = Result<(), ShardError>;
}

/// Leaves the leaders where they are for so many milliseconds.
pub struct PauseBalancing;

impl Rpc for PauseBalancing {
    const KIND: u8 = 44;
    type Request<'a> = u64;
    type Received = u64;
    type Response = ();
}
