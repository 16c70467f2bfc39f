//! The control of faults exists in the binary for tests and in no other.

use std::process::Command;

use tests::binary::{Process, path};
use tests::cluster::client::Client;
use tests::cluster::fleet::{Fleet, Shape};

use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(5);

#[tokio::test]
async fn the_binary_that_people_run_has_no_faults_to_offer() {
    let refused = Command::new(path()).args(["--in-memory", "--faults", "cut 2"]).output().expect("runs");
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && text.contains("--faults"), "{text}");
    let server = Process::start(&["--in-memory", "--port", "0"]).expect("it starts");
    let (status, _) = Client::new(server.address()).plain("POST", "/faults", "cut 2", LIMIT).await.expect("an answer");
    assert_eq!(status, 404);
}

#[tokio::test]
async fn a_node_executes_what_it_understands() {
    let mut fleet = Fleet::prepare(Shape { nodes: 1, shards: 1, ..Shape::default() });
    let alone = |port: String| vec!["--in-memory".to_owned(), format!("--port={port}")];
    fleet.start_with(1, &alone(fleet.address(1).port().to_string())).expect("it starts");
    fleet.wait_live(1).await;
    fleet.must(1, "cut 2; delay to 3 5\ndisk slow 1; mend disk; break hold-off; keep rules; mend network").await;
    let (status, text) = fleet.plain(1, "POST", "/faults", "disk slow 1; eat 3").await.expect("an answer");
    assert_eq!((status, text.contains("eat 3")), (400, true), "{text}");
    let (status, text) = fleet.plain(1, "POST", "/faults", "transfer 9 1").await.expect("an answer");
    assert_eq!((status, text.contains("shard 9")), (400, true), "{text}");
}
