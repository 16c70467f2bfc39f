//! The benchmark does not rot: the whole tool runs on little data whenever the tests do.
//!
//! `dynamo-server` is a binary of another package, which `./check` builds before the tests and which then lies next to
//! this one's. Where it does not, the parts that need no server are still run, and the test says so.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const BENCH: &str = env!("CARGO_BIN_EXE_bench");

fn bench(arguments: &[&str]) -> Output {
    Command::new(BENCH).args(arguments).output().expect("the binary was built with this test")
}

fn server() -> Option<PathBuf> {
    let path = Path::new(BENCH).with_file_name("dynamo-server");
    path.exists().then_some(path)
}

#[test]
fn a_quick_run_measures_every_workload_and_finds_nothing_wrong() {
    if server().is_none() {
        eprintln!("skipped: dynamo-server is not built in this profile");
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().to_str().expect("a plain path");
    let output = bench(&["--quick", "--folder", out, "--out", out, "--label", "test"]);
    let (text, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}\n{log}");
    for row in ["GetItem", "PutItem", "UpdateItem", "Query 100", "Scan", "BatchWriteItem", "TransactWriteItems", "YCSB"]
    {
        assert!(text.contains(row), "no {row} in {text}");
    }
    let ending = |wanted: &str| {
        let mut entries = folder.path().read_dir().expect("readable").flatten();
        entries.find(|entry| entry.path().extension().is_some_and(|ending| ending == wanted))
    };
    for wanted in ["md", "json", "png"] {
        let file = ending(wanted).unwrap_or_else(|| panic!("no {wanted} file"));
        assert!(file.metadata().expect("readable").len() > 100);
    }
    let left: Vec<_> = folder.path().read_dir().expect("readable").flatten().filter(|e| e.path().is_dir()).collect();
    assert!(left.is_empty(), "the run's own folder is removed: {left:?}");
}

#[test]
fn items_of_twelve_attributes_and_three_sdks_are_answered_and_postgres_is_measured_or_left_out() {
    if server().is_none() {
        eprintln!("skipped: dynamo-server is not built in this profile");
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    // PostgreSQL runs as a user of its own, which must get to its files.
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path(), mode).expect("it is ours");
    let out = folder.path().to_str().expect("a plain path");
    let only = "get,put,update,query-10,scan,batch-get,batch-write,ycsb-b,put-1-index";
    let arguments = ["--quick", "--load", "sdk", "--postgres", "--only", only, "--writers", "16", "--folder", out];
    let output = bench(&[&arguments[..], &["--out", out]].concat());
    let (text, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}\n{log}");
    assert!(text.contains("twelve attributes of all types"), "{text}");
    match text.contains("is not installed here: left out") {
        true => assert!(!text.contains("## PostgreSQL"), "{text}"),
        false => assert!(text.contains("## PostgreSQL"), "{text}"),
    }
}

#[test]
fn growing_and_lasting_are_measured() {
    if server().is_none() {
        eprintln!("skipped: dynamo-server is not built in this profile");
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().to_str().expect("a plain path");
    for (arguments, rows) in [
        (vec!["scale", "--quick"], vec!["| 1000 | ", "| 100 | ", "| 10 | ", "| behind row 4799 | "]),
        (vec!["endure", "--items", "400", "--seconds", "0.4", "--interval", "0.2"], vec!["| 0 | ", "Within bounds."]),
    ] {
        let output = bench(&[&arguments[..], &["--folder", out, "--out", out]].concat());
        let (text, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{arguments:?}: {text}\n{log}");
        for row in rows {
            assert!(text.contains(row), "{arguments:?}: no {row} in {text}");
        }
    }
}

#[test]
fn the_calibrator_answers_and_its_processor_time_is_read() {
    let output = bench(&["calibrate", "--slices", "1", "--seconds", "0.1"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    let row = text.lines().last().expect("a row");
    let figures: Vec<f64> = row.split('|').filter_map(|field| field.trim().parse().ok()).collect();
    assert!(figures[0] > 100.0 && figures[2] > 0.1, "requests/s and CPU µs: {row}");
}

#[test]
fn the_disk_is_measured() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = bench(&["disk", "--folder", folder.path().to_str().expect("a plain path"), "--seconds", "0.05"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.lines().count() == 5, "{text}");
}

#[test]
fn mistakes_are_named() {
    for (arguments, part) in [
        (vec!["--server", "/nonexistent/dynamo-server"], "cannot start /nonexistent/dynamo-server"),
        (vec!["--endpoint", "http://127.0.0.1:1"], "127.0.0.1:1"),
        (vec!["--only", "nonsense"], "nonsense"),
        (vec!["--items", "10"], "too few items"),
    ] {
        let output = bench(&arguments);
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && log.contains(part), "{arguments:?}: {log}");
    }
}
