//! `dynamo-server cluster …`: a thin client of the pages below `/cluster/`.

use std::process::ExitCode;
use std::time::Duration;

use crate::client::{authority, exchange, print};
use crate::config::{ClusterAction, ClusterCommand, Settings};
use crate::log_output::say;

/// How much longer than the server this waits, so that the server's own answer is what one reads.
const GRACE: Duration = Duration::from_secs(5);

/// Does what was asked for and prints the answer; 0 when it is done.
pub fn run(command: &ClusterCommand, settings: &Settings) -> ExitCode {
    let (method, page, mut query) = request(&command.action);
    query.push(("timeout-ms", (command.timeout_s * 1_000).to_string()));
    query.push(("format", if command.json { "json" } else { "text" }.to_owned()));
    let query: Vec<String> = query.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    let path = format!("/cluster/{page}?{}", query.join("&"));
    let patience = Duration::from_secs(command.timeout_s) + GRACE;
    let authority = authority(command.url.as_deref(), settings);
    match authority.and_then(|authority| exchange(method, &authority, &path, patience)) {
        Ok(answer) if answer.status == 200 => {
            print(answer.body.trim_end());
            ExitCode::SUCCESS
        }
        Ok(answer) => refuse(answer.body.trim_end()),
        Err(reason) => refuse(&reason),
    }
}

fn refuse(reason: &str) -> ExitCode {
    say(&format!("dynamo-server: {reason}"));
    ExitCode::FAILURE
}

/// Method, page and parameters.
fn request(action: &ClusterAction) -> (&'static str, &'static str, Vec<(&'static str, String)>) {
    match action {
        ClusterAction::Status => ("GET", "status", Vec::new()),
        ClusterAction::Add { node, address } => {
            ("POST", "add", vec![("node", node.to_string()), ("address", address.clone())])
        }
        ClusterAction::Replace { node, address } => {
            let mut query = vec![("node", node.to_string())];
            query.extend(address.clone().map(|address| ("address", address)));
            ("POST", "replace", query)
        }
        ClusterAction::Promote { node } => ("POST", "promote", vec![("node", node.to_string())]),
        ClusterAction::Remove { node, force } => {
            ("POST", "remove", vec![("node", node.to_string()), ("force", force.to_string())])
        }
        ClusterAction::Transfer { shard, to } => {
            ("POST", "transfer", vec![("shard", shard.clone()), ("to", to.to_string())])
        }
    }
}
