//! A test in a network of its own: the whole process runs once more, in a network namespace that only it is in.
//!
//! Joining a namespace of a user namespace is for processes with one thread, which a test never is; so the executable of
//! the test is started again by `unshare`, asked for this one test. Whatever is done to the network in there is seen by
//! nobody else, needs no root where user namespaces may be made, and is gone when that process has ended.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// Set for the process that is inside.
const INSIDE: &str = "NEMESIS_INSIDE";

/// How a namespace may be made: the first is for root, the second for anybody where user namespaces are allowed.
const WAYS: [&[&str]; 2] = [&["--net"], &["--user", "--map-root-user", "--net"]];

/// Everything that [`super::network::Network`] needs, tried out in a namespace that ends with it.
const TRIAL: &str = "ip link set lo up && ip link add trial type bridge && ip link add trial-a type veth peer name trial-b \
                     && ip rule add pref 1 from 192.0.2.1 blackhole && unshare --net true && nsenter --version";

/// Where the caller is.
#[derive(Debug, PartialEq, Eq)]
pub enum Place {
    /// In a network namespace of its own: go on.
    Inside,
    /// Outside; the test has run inside, and this says whether it passed. What it printed was printed here, too.
    Done(bool),
    /// Outside, and there is no way in, for this reason.
    Closed(String),
}

/// Runs the test of this full name again inside, unless this is inside already. Called first by the test itself.
pub fn enter(test: &str) -> Place {
    if std::env::var_os(INSIDE).is_some() {
        return Place::Inside;
    }
    let mut reason = String::new();
    for way in WAYS {
        match trial(way) {
            Ok(()) => return Place::Done(again(way, test)),
            Err(error) => reason = error,
        }
    }
    Place::Closed(reason)
}

/// Runs a test inside, or says that it is passed over and why.
///
/// # Panics
/// When it fails inside.
pub fn inside(test: &str, scenario: impl Future<Output = ()>) {
    match enter(test) {
        Place::Inside => runtime().block_on(scenario),
        Place::Done(has_passed) => assert!(has_passed, "{test} failed in its network namespace, see above"),
        Place::Closed(reason) => crate::pass_over(&format!("{test}: no network namespaces can be had here: {reason}")),
    }
}

/// What a scenario runs on.
pub fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().expect("the system gives threads")
}

/// Whether a namespace can be made in this way, and used.
fn trial(way: &[&str]) -> Result<(), String> {
    let ended = Command::new("unshare").args(way).args(["sh", "-c", TRIAL]).output();
    let ended = ended.map_err(|error| format!("unshare: {error}"))?;
    match ended.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&ended.stderr).trim().to_owned()),
    }
}

/// Runs this executable for one test and prints what it prints; whether the test passed.
fn again(way: &[&str], test: &str) -> bool {
    let (output, input) = std::io::pipe().expect("the system gives a pipe");
    let executable = std::env::current_exe().expect("this test has a path");
    let mut command = Command::new("unshare");
    command.args(way).arg(executable).args([test, "--exact", "--include-ignored", "--nocapture"]);
    command.env(INSIDE, "1").stdin(Stdio::null());
    command.stdout(input.try_clone().expect("a second handle of the pipe")).stderr(input);
    let mut child = command.spawn().expect("unshare was there a moment ago");
    // It holds our ends of the pipe, which would otherwise never be at its end.
    drop(command);
    let mut has_run = false;
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        has_run |= line.starts_with("test result: ok. 1 passed");
        println!("{line}");
    }
    // A name that no test bears would pass with nothing run.
    child.wait().expect("a child of ours can be waited for").success() && has_run
}
