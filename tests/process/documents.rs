//! Documents name files that exist.

use std::path::{Path, PathBuf};

/// Where a short path in a document may begin.
const ROOTS: [&str; 5] = [".", "dynamo-server/src", "dynamo-engine/src", "dynamo-protocol/src", "docs"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests is a folder of the workspace").to_owned()
}

/// The page and every page of `docs/`.
fn pages() -> Vec<PathBuf> {
    let root = root();
    let mut pages: Vec<PathBuf> =
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "tests/README.md", "bench/README.md"]
            .iter()
            .map(|name| root.join(name))
            .collect();
    for folder in ["docs", "docs/decisions"] {
        let entries = std::fs::read_dir(root.join(folder)).expect("the folder is there");
        pages.extend(
            entries
                .map(|entry| entry.expect("readable").path())
                .filter(|path| path.extension().is_some_and(|e| e == "md")),
        );
    }
    pages.sort();
    pages
}

/// What stands between backticks and looks like the path of a source file: `raft/wal.rs`.
fn quoted_paths(text: &str) -> Vec<&str> {
    let quoted = text.split('`').skip(1).step_by(2);
    let is_path = |word: &&str| {
        word.contains('/')
            && word.ends_with(".rs")
            && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"/._-".contains(&byte))
    };
    quoted.filter(is_path).collect()
}

/// The targets of links inside the repository.
fn links(text: &str) -> Vec<&str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let targets = targets.map(|target| target.split('#').next().unwrap_or_default());
    targets.filter(|target| !target.is_empty() && !target.contains("://") && !target.contains(' ')).collect()
}

#[test]
fn documents_name_files_that_exist() {
    let root = root();
    let mut missing = Vec::new();
    let (mut paths, mut targets) = (0, 0);
    for page in pages() {
        let text = std::fs::read_to_string(&page).expect("a page is text");
        let folder = page.parent().expect("a page is in a folder");
        for path in quoted_paths(&text) {
            paths += 1;
            if !ROOTS.iter().any(|from| root.join(from).join(path).exists()) {
                missing.push(format!("{}: `{path}`", page.display()));
            }
        }
        for target in links(&text) {
            targets += 1;
            if !folder.join(target).exists() {
                missing.push(format!("{}: ({target})", page.display()));
            }
        }
    }
    assert!(paths > 30 && targets > 50, "{paths} paths and {targets} links: the documents are not read rightly");
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// Steps name a file and a function in it: `raft/wal.rs::append`.
#[test]
fn documents_name_functions_that_exist() {
    let root = root();
    let (mut found, mut missing) = (0, Vec::new());
    for page in pages() {
        let text = std::fs::read_to_string(&page).expect("a page is text");
        let named = text.split('`').skip(1).step_by(2).filter_map(|word| word.split_once(".rs::"));
        for (file, function) in named.filter(|(file, _)| file.contains('/')) {
            found += 1;
            let source = ROOTS.iter().map(|from| root.join(from).join(format!("{file}.rs"))).find(|path| path.exists());
            let source =
                source.map(|path| std::fs::read_to_string(path).expect("a source is text")).unwrap_or_default();
            let is_there = ["(", "<"].iter().any(|end| source.contains(&format!("fn {function}{end}")));
            if !is_there {
                missing.push(format!("{}: `{file}.rs::{function}`", page.display()));
            }
        }
    }
    assert!(found > 20, "{found} functions: the documents are not read rightly");
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}
