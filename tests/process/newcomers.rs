//! What somebody who starts for the first time does wrong: what is said, and with which exit code the process ends.
//!
//! 2 where the command line cannot be understood, 1 where what it asks for cannot be had.

use std::fs::Permissions;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use tests::binary::{Process, path};

/// Runs the command to its end; the exit code, and what it wrote to standard error.
fn ended(command: &mut Command) -> (Option<i32>, String) {
    let output = command.output().expect("it can be started");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Holds the end of the server with these arguments against an exit code and words that must be said.
fn refused(arguments: &[&str], code: i32, words: &[&str]) {
    said(&ended(Command::new(path()).args(arguments)), code, words);
}

fn said((code, text): &(Option<i32>, String), wanted: i32, words: &[&str]) {
    assert_eq!(*code, Some(wanted), "{text}");
    for word in words {
        assert!(text.contains(word), "no word of `{word}`: {text}");
    }
    assert!(!text.contains("panicked") && text.lines().count() <= 8, "{text}");
}

#[test]
fn an_unknown_flag_or_command() {
    refused(&["--prot", "1"], 2, &["unexpected argument '--prot'", "'--port'"]);
    refused(&["frobnicate"], 2, &["unrecognized subcommand 'frobnicate'", "--help"]);
    refused(&["--host", "localhost.example"], 2, &["--host", "localhost.example"]);
}

#[test]
fn a_port_that_is_taken_and_an_address_of_another_machine() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("bound").port().to_string();
    let words = [&*format!("cannot listen on 127.0.0.1:{port}"), "in use", "--port 0"];
    refused(&["--in-memory", "--port", &port], 1, &words);
    // An address for documents, which no machine has.
    refused(&["--in-memory", "--host", "192.0.2.1", "--port", "0"], 1, &["cannot listen on 192.0.2.1", "--host"]);
}

#[test]
fn a_data_directory_of_another_version() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path().to_str().expect("UTF-8");
    assert_eq!(Process::durable(folder.path()).terminate(), Some(0));
    let identity = folder.path().join("node");
    let text = std::fs::read_to_string(&identity).expect("an identity");
    let format = text.lines().find(|line| line.starts_with("format ")).expect("it states its format");
    std::fs::write(&identity, text.replace(format, "format 99")).expect("written");
    let words = ["the data directory", dir, "format 99", "the version that wrote it", "--data-dir"];
    refused(&["--port", "0", "--data-dir", dir], 1, &words);
}

#[test]
fn a_data_directory_that_cannot_be_one() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("file");
    std::fs::write(&file, "").expect("written");
    let file = file.to_str().expect("UTF-8");
    refused(&["--port", "0", "--data-dir", file], 1, &["the data directory cannot be used", file]);
}

#[test]
fn a_data_directory_that_may_not_be_written() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o500)).expect("set");
    let mut command = Command::new(path());
    command.args(["--port", "0", "--data-dir"]).arg(folder.path());
    /// `CAP_DAC_OVERRIDE`, with which root writes everywhere. Others have it not, and may not give it up.
    const WRITES_EVERYWHERE: libc::c_ulong = 1;
    let give_up = || {
        // SAFETY: the call takes numbers.
        unsafe { libc::prctl(libc::PR_CAPBSET_DROP, WRITES_EVERYWHERE, 0, 0, 0) };
        Ok(())
    };
    // SAFETY: between fork and exec only a system call is made.
    unsafe { command.pre_exec(give_up) };
    let dir = folder.path().to_str().expect("UTF-8");
    said(&ended(&mut command), 1, &["the data directory cannot be used", dir, "Permission denied"]);
}

#[test]
fn a_setting_that_nobody_knows() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("settings.toml");
    std::fs::write(&file, "prot = 8000\n").expect("written");
    refused(&["--config", file.to_str().expect("UTF-8")], 1, &["settings.toml", "prot", "port"]);
}

/// `./run` with a Rust that is too old, or none: nothing is installed or built, and one line says what to do.
#[test]
fn a_rust_that_is_too_old_or_missing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the clone").join("run");
    let cargo = folder.path().join("cargo");
    std::fs::write(&cargo, "#!/bin/sh\necho cargo 1.75.0\n").expect("written");
    std::fs::set_permissions(&cargo, Permissions::from_mode(0o755)).expect("set");
    let with = |first: &Path| {
        let path = format!("{}:/usr/bin:/bin", first.display());
        let mut command = Command::new(&run);
        command.env_clear().env("PATH", path).env("HOME", folder.path());
        ended(&mut command)
    };
    let old = with(folder.path());
    said(&old, 1, &["Rust 1.75.0 is too old", env!("CARGO_PKG_RUST_VERSION"), "rustup update"]);
    assert_eq!(old.1.lines().count(), 1, "{}", old.1);
    if !["/usr/bin/cargo", "/bin/cargo"].iter().any(|path| Path::new(path).exists()) {
        let missing = with(&folder.path().join("nothing"));
        said(&missing, 1, &["Rust is missing", env!("CARGO_PKG_RUST_VERSION"), "rustup"]);
    }
}
