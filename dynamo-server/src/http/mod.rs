//! The HTTP front: from bytes on a connection to one operation and back.
//!
//! A request passes these steps, and the first that objects answers (the order is DynamoDB's own):
//!
//! 0. `Host` and `Origin`: what a browser sends for a page that has no business here is refused ([`hosts`], [`cors`])
//! 1. method and path: `POST /` is the API; `GET /` and the health and metrics paths are ours; anything else is 404
//! 2. body read whole, within `body::MAX_BODY_BYTES`, [`BODY_TIME_MAX`] and the room for the bodies of all requests,
//!    unpacked when its `Content-Encoding` says so
//! 3. content type and `X-Amz-Target`: an unknown operation is refused before anyone asks who is calling
//! 4. `Authorization` header
//! 5. the operation itself, in [`crate::ops`]
//! 6. headers: request id, CRC32 of the bytes sent, content type
//!
//! Nothing below this module knows of HTTP.

mod accept_encoding;
pub mod admin;
mod body;
mod budget;
mod connection;
mod cors;
#[cfg(feature = "fault-injection")]
mod faults;
mod hosts;
#[cfg(test)]
mod loop_turns;
mod request_id;
mod respond;
mod service;

pub use body::BODY_TIME_MAX;
pub use budget::{BODY_MEMORY_DEFAULT, BODY_MEMORY_MIN};
pub use connection::{
    CONNECTIONS_DEFAULT, CONNECTIONS_RESERVED_MAX, Caller, ConnectionLimits, EventLoops, HALF_CLOSED_MAX, HttpServer,
    LINGER_MAX, STALL_MAX,
};
pub use hosts::{Hosts, machine_name};
pub use request_id::RequestIds;
pub use service::Service;
