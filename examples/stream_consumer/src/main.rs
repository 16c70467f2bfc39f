//! Reads the stream of a table and does something with every change, once at a time and in order for each item.
//!
//! ```sh
//! stream-consumer --table orders                                  # prints each change as a line of JSON
//! stream-consumer --table orders --run ./on-change                # a trigger: a program that gets them in batches
//! stream-consumer --table orders --copy-to orders-copy            # keeps a second table equal
//! ```
//!
//! It says on standard error what is missing, and where nobody answers; the exit code is 1 where it cannot begin.
//!
//! How it reads is what any consumer has to do:
//!
//! - **Shards** are discovered again and again: a shard ends, and others follow it. The children of a shard are read when
//!   it has been read to its end, so that the changes of one item stay in order.
//! - **Checkpoints** are rows of a table of its own: how far each shard has been read. Whatever is killed, reading goes on
//!   behind the last checkpoint.
//! - **Leases** are in the same rows: of several consumers each shard has one. Who does not renew a lease in time loses it, and
//!   who has more of them than others hands some over ([`balance`]).
//!
//! Printing and triggers see a change at least once: what was handled but not yet checkpointed comes again after a crash.
//! Copying writes the changes and the checkpoint in one transaction, so that each takes effect exactly once.

mod balance;
mod convert;
mod database;
mod leases;
mod preflight;
mod reader;
mod sink;
mod streams;
mod worker;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

/// Whatever ends this program.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// What this program can be told.
#[derive(Clone, Debug, Parser)]
#[command(about = "Reads the stream of a table: leases, checkpoints, parents before children")]
pub struct Arguments {
    /// Where the database is; several nodes of a cluster behind commas
    /// [default: AWS_ENDPOINT_URL_DYNAMODB, AWS_ENDPOINT_URL, http://127.0.0.1:8000]
    #[arg(long, value_delimiter = ',')]
    endpoint: Vec<String>,
    /// The table whose stream is read.
    #[arg(long)]
    table: String,
    /// The table that keeps leases and checkpoints; made when it is not there.
    #[arg(long, default_value = "stream-checkpoints")]
    checkpoints: String,
    /// Keeps this table equal to the one that is read.
    #[arg(long, conflicts_with = "run")]
    copy_to: Option<String>,
    /// Runs this program for every batch of changes, which it finds in its standard input.
    #[arg(long)]
    run: Option<PathBuf>,
    /// Milliseconds without a renewal after which a lease may be taken by another consumer.
    #[arg(long, default_value_t = 10_000)]
    lease_ms: u64,
    /// Ends when all streams of the table are switched off and read to their ends.
    #[arg(long)]
    until_disabled: bool,
}

impl Arguments {
    /// As named by the flag, or by the variables of the SDKs, the service's own before the general one.
    fn endpoints(&self) -> Vec<String> {
        if !self.endpoint.is_empty() {
            return self.endpoint.clone();
        }
        let variables = ["AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL"];
        let named = variables.iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
        named.as_deref().unwrap_or("http://127.0.0.1:8000").split(',').map(str::to_owned).collect()
    }

    fn lease(&self) -> Duration {
        Duration::from_millis(self.lease_ms)
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match worker::run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stream-consumer: {}", told(&*error));
            ExitCode::FAILURE
        }
    }
}

/// An error with its causes: what the service said is one.
fn told(error: &dyn std::error::Error) -> String {
    let cause = error.source().map(|cause| format!(": {}", told(cause)));
    format!("{error}{}", cause.unwrap_or_default())
}
