//! What the suites share: a server to talk to, an SDK client, and a raw HTTP client that sends exactly what it is told.

pub mod binary;
pub mod cluster;
pub mod raw;
pub mod sdk;
