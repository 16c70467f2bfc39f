//! Connections: accepted up to a bound, served in turns on an event loop each, and ended.

mod ending;
mod event_loops;
mod fair;
mod limits;
mod listener;
mod writes;

pub use ending::{HALF_CLOSED_MAX, LINGER_MAX};
pub use event_loops::EventLoops;
pub use limits::{CONNECTIONS_DEFAULT, CONNECTIONS_RESERVED_MAX, Caller, ConnectionLimits};
pub use listener::HttpServer;
pub use writes::STALL_MAX;
