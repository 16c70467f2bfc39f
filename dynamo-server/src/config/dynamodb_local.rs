//! DynamoDB Local's single-dash flags, translated so that scripts written for it start us unchanged.
//!
//! Source: AWS, *DynamoDB local usage notes* (command line options).

/// The arguments with DynamoDB Local's flags replaced by ours. Flags that describe what we do anyway (`-sharedDb`) or
/// that have no meaning here (`-disableTelemetry`) are dropped.
pub(super) fn translate(args: impl Iterator<Item = String>) -> Vec<String> {
    let mut out = Vec::new();
    for arg in args {
        match arg.as_str() {
            "-inMemory" => out.push("--in-memory".to_owned()),
            "-dbPath" => out.push("--data-dir".to_owned()),
            "-port" => out.push("--port".to_owned()),
            "-cors" => out.push("--cors".to_owned()),
            "-help" => out.push("--help".to_owned()),
            "-version" => out.push("--version".to_owned()),
            "-sharedDb" | "-delayTransientStatuses" | "-optimizeDbBeforeStartup" | "-disableTelemetry" => {}
            _ => out.push(arg),
        }
    }
    out
}
