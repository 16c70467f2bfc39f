//! The binary itself: that it starts as a program and says what it is. (That this file exists also makes cargo build the
//! binary whenever tests are built, where the suites of the `tests` crate find it.)

use std::process::Command;

#[test]
fn the_binary_prints_version_and_flags() {
    let run = |argument: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_dynamo-server")).arg(argument).output().expect("it starts");
        assert!(output.status.success());
        String::from_utf8(output.stdout).expect("text")
    };
    assert!(run("--version").contains(env!("CARGO_PKG_VERSION")));
    let help = run("--help");
    for flag in ["--port", "--data-dir", "--in-memory", "--config", "DYNAMO_SERVER_PORT", "healthcheck"] {
        assert!(help.contains(flag), "{flag} is missing in: {help}");
    }
    assert!(run("-help").contains("--port"), "as DynamoDB Local is asked");
}
