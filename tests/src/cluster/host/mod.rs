//! What the nodes stand on, where it is not what the machine has: a network of their own, a small disk.

pub mod disk;
pub mod namespace;
pub mod network;
