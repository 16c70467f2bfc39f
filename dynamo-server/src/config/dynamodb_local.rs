//! DynamoDB Local's single-dash flags, translated so that scripts written for it start us unchanged.
//!
//! Source: AWS, *DynamoDB local usage notes* (command line options).

/// The arguments with DynamoDB Local's flags replaced by ours. Flags that describe what we do anyway (`-sharedDb`) or
/// that have no meaning here (`-disableTelemetry`) are dropped, and so is what its container image has in front of them
/// for Java.
pub(super) fn translate(mut args: impl Iterator<Item = String>) -> Vec<String> {
    let mut out = Vec::new();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "-jar" => drop(args.next()),
            _ if arg.starts_with("-Djava.") || arg.starts_with("-Xm") => {}
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_of_its_container_image_starts_us() {
        let command = "dynamo-server -Xmx1g -Djava.library.path=./DynamoDBLocal_lib -jar DynamoDBLocal.jar -sharedDb -dbPath /data";
        let translated = translate(command.split(' ').map(str::to_owned));
        assert_eq!(translated, ["dynamo-server", "--data-dir", "/data"]);
        assert_eq!(translate(["x", "-jar"].into_iter().map(str::to_owned)), ["x"]);
    }
}
