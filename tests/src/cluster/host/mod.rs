//! What the nodes stand on, where it is not what the machine has: a network of their own, a small disk, one whose power is cut.

pub mod disk;
pub mod namespace;
pub mod network;
pub mod power;
