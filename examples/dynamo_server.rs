//! The server itself, as one line of someone else's program: the same flags, files and signals as the binary.
//!
//! ```sh
//! cargo run --release -p examples --example dynamo_server -- --port 8000 --data-dir ./dynamo-data
//! ```

use std::process::ExitCode;

// The binary's allocator. A program may choose its own; requests make many small allocations.
#[global_allocator]
static ALLOCATOR: dynamo_server::Allocator = dynamo_server::Allocator;

fn main() -> ExitCode {
    dynamo_server::process::run()
}
