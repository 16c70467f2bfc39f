//! Sends a plan's requests and counts what comes back.
//!
//! [`closed`]: each connection sends its next request when it has its reply; what a server sustains. [`open`]: requests
//! are due at fixed moments whatever the server does; what a user of a busy server waits. Both run on a single-threaded
//! runtime per client thread, one thread unless asked for more: on a small machine a second one takes from the server.

mod closed;
mod open;
mod tally;
mod ticker;
mod worker;

pub use closed::{Closed, closed};
pub use open::{Open, OpenOutcome, open};
pub use tally::Outcome;
pub use ticker::Ticker;
pub use worker::Worker;
