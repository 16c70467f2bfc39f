//! The AWS SDK for Rust, unchanged, against a server in this process.

