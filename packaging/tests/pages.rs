//! The pages and completions are there and speak of every flag and command.

use std::process::Command;

use clap::CommandFactory;

#[test]
fn every_flag_and_command_has_its_place() {
    let share = tempfile::tempdir().unwrap();
    let status = Command::new(env!("CARGO_BIN_EXE_packaging")).arg(share.path()).status().unwrap();
    assert!(status.success());
    let read =
        |path: &str| std::fs::read_to_string(share.path().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let page = read("man/man1/dynamo-server.1");
    let completions = [
        read("bash-completion/completions/dynamo-server"),
        read("zsh/vendor-completions/_dynamo-server"),
        read("fish/vendor_completions.d/dynamo-server.fish"),
    ];
    let command = dynamo_server::config::Cli::command();
    for flag in command.get_arguments().filter_map(|argument| argument.get_long()) {
        assert!(page.contains(&format!("\\-\\-{}", flag.replace('-', "\\-"))), "the page has no --{flag}");
        assert!(completions.iter().all(|shell| shell.contains(flag)), "a shell has no --{flag}");
    }
    for command in command.get_subcommands() {
        read(&format!("man/man1/dynamo-server-{}.1", command.get_name()));
    }
}
