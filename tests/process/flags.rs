//! Flags, environment, health and stopping of the real binary.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::json;
use tests::binary::{Process, path};
use tests::raw::Connection;

const TABLE: &str = "kept";

async fn tables(server: &Process) -> serde_json::Value {
    Connection::open(server.address()).await.call("ListTables", json!({})).await.json()["TableNames"].clone()
}

async fn create(server: &Process) {
    let body = tests::table_of(TABLE, "pk");
    assert_eq!(Connection::open(server.address()).await.call("CreateTable", body).await.status, 200);
}

#[tokio::test]
async fn sigterm_stops_cleanly_and_data_is_there_after_a_restart() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = Process::durable(folder.path());
    create(&server).await;
    assert_eq!(server.terminate(), Some(0));
    let server = Process::durable(folder.path());
    assert_eq!(tables(&server).await, json!([TABLE]));
}

/// Folders are for their owner, files as well; a folder that an older build left open to all is closed.
#[tokio::test]
async fn data_is_for_the_user_of_the_process_alone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path().join("data");
    create(&Process::durable(&dir)).await;
    std::fs::set_permissions(&dir, Permissions::from_mode(0o755)).expect("set");
    assert_eq!(tables(&Process::durable(&dir)).await, json!([TABLE]));
    let mut folders = vec![dir];
    let mut files = 0;
    while let Some(dir) = folders.pop() {
        assert_eq!(mode(&dir), 0o700, "{}", dir.display());
        for entry in std::fs::read_dir(&dir).expect("readable") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                assert_eq!(mode(&path), 0o600, "{}", path.display());
                files += 1;
            }
        }
    }
    assert!(files > 5, "{files} files");
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[tokio::test]
async fn flags_of_dynamodb_local_start_it() {
    let server = Process::start(&["-inMemory", "-sharedDb", "-port", "0", "-cors", "*"]).expect("it starts");
    create(&server).await;
    assert_eq!(tables(&server).await, json!([TABLE]));
}

#[tokio::test]
async fn two_processes_cannot_share_a_folder() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let first = Process::durable(folder.path());
    let log = Process::start(&["--port", "0", "--data-dir", folder.path().to_str().expect("UTF-8")])
        .err()
        .expect("the second one must refuse");
    assert!(log.contains("another process") || log.contains("in use"), "{log}");
    assert!(!log.contains("pthread"), "it ends in order: {log}");
    create(&first).await;
}

#[tokio::test]
async fn healthcheck_tells_ready_from_absent() {
    let server = Process::start(&["--in-memory", "--port", "0"]).expect("it starts");
    let check = |url: String| Command::new(path()).args(["healthcheck", "--url", &url]).status().expect("runs").code();
    let url = server.url();
    assert_eq!(check(url.clone()), Some(0));
    server.kill();
    assert_eq!(check(url), Some(1));
}

#[test]
fn wrong_settings_are_refused_with_a_reason() {
    for (arguments, reason) in [
        (&["--shards", "0"][..], "shard"),
        (&["--node-id", "4", "--peers", "1=127.0.0.1:7001"], "not among the --peers"),
        (&["--node-id", "1"], "--peers is missing"),
        (&["--in-memory", "--data-dir", "x"], "exclude"),
        (&["--config", "/nonexistent/file"], "/nonexistent/file"),
        (&["--port", "hundred"], "--port"),
        (&["--log-level", "=,="], "log-level"),
        (&["-dbFolder", "x"], "-dbFolder is no flag"),
        (&["--log-level", "inof"], "off, error, warn, info, debug and trace"),
    ] {
        let output = Command::new(path()).args(arguments).output().expect("runs");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && text.contains(reason), "{arguments:?}: {text}");
    }
}

/// In compose files, unit files and charts one writes `NAME=` for a value that is left out.
#[test]
fn a_variable_that_is_set_to_nothing_is_not_set() {
    for arguments in
        [&["healthcheck", "--url", "http://127.0.0.1:1"][..], &["cluster", "--url", "http://127.0.0.1:1", "status"]]
    {
        let mut command = Command::new(path());
        for variable in ["IN_MEMORY", "PORT", "HOST", "MEMORY_MIB", "LOG_FORMAT", "URL", "CONFIG", "NODE_ID"] {
            command.env(format!("DYNAMO_SERVER_{variable}"), "");
        }
        let output = command.args(arguments).output().expect("runs");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(text.contains("127.0.0.1:1: ") && text.contains("refused"), "it has asked nobody: {text}");
    }
}
