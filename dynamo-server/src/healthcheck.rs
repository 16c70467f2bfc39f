//! `dynamo-server healthcheck`: asks a running server whether it is ready, for everything or for one thing. For container health checks, so it needs
//! nothing but the binary.

use std::process::ExitCode;
use std::time::Duration;

use crate::client::{authority, exchange, print};
use crate::config::Settings;
use crate::log_output::say;
use crate::node::Capability;

/// Time for each read.
const PATIENCE: Duration = Duration::from_secs(3);

/// Prints the answer; 0 when the server at `url` (or where `settings` would make it listen) is ready for what is needed,
/// else 1.
pub fn run(url: Option<&str>, need: Option<Capability>, settings: &Settings) -> ExitCode {
    let path = match need {
        None => "/health/ready".to_owned(),
        Some(capability) => format!("/health/ready?need={}", capability.name()),
    };
    match authority(url, settings).and_then(|authority| exchange("GET", &authority, &path, PATIENCE)) {
        Ok(answer) if answer.status == 200 => {
            print(answer.body.trim_end());
            ExitCode::SUCCESS
        }
        // The page says itself that the server is not ready, and why.
        Ok(answer) => not_ready(answer.body.trim_end()),
        Err(reason) => not_ready(&format!("not ready: {reason}")),
    }
}

fn not_ready(said: &str) -> ExitCode {
    say(said);
    ExitCode::FAILURE
}
