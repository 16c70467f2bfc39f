//! Telling the other members whether this node's disk has room.
//!
//! ```text
//! request   node · short of room (1)
//! response  nothing
//! ```

use super::Rpc;

/// The service.
pub struct TellRoom;

/// What a node says of its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Which node.
    pub node: u64,
    /// Whether it has too little room.
    pub is_short: bool,
}

impl Rpc for TellRoom {
    const KIND: u8 = 46;
    type Request<'a> = Room;
    type Received = Room;
    type Response = ();
}

dynamo_engine::record! { struct Room { node, is_short } }

#[cfg(test)]
mod tests {
    use super::super::rpc::assert_read_back;
    use super::*;

    #[test]
    fn messages_are_read_back() {
        for (node, is_short) in [(1, true), (70_000, false)] {
            assert_read_back(&Room { node, is_short });
        }
    }
}
