//! The `dynamo-server` binary.

fn main() {}
