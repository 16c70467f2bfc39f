//! `dynamo-server healthcheck`: asks a running server whether it is ready. For container health checks, so it needs
//! nothing but the binary.

use std::process::ExitCode;
use std::time::Duration;

use crate::client::{authority, exchange};
use crate::config::Settings;

/// Time for each read.
const PATIENCE: Duration = Duration::from_secs(3);

/// Prints the answer; 0 when the server at `url` (or where `settings` would make it listen) is ready, else 1.
pub fn run(url: Option<&str>, settings: &Settings) -> ExitCode {
    match exchange("GET", &authority(url, settings), "/health/ready", PATIENCE) {
        Ok(answer) if answer.status == 200 => {
            println!("{}", answer.body.trim_end());
            ExitCode::SUCCESS
        }
        Ok(answer) => not_ready(answer.body.trim_end()),
        Err(reason) => not_ready(&reason),
    }
}

fn not_ready(reason: &str) -> ExitCode {
    eprintln!("not ready: {reason}");
    ExitCode::FAILURE
}
