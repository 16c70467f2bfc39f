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

/// What stands between backticks and looks like the path of a source file: `raft/log/wal.rs`.
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

/// The functions that a text names with their files, in order: `raft/log/wal.rs::append`, or `raft/log/wal.rs::{append, write}`.
fn named_functions(text: &str) -> Vec<(&str, &str)> {
    let quoted = text.split('`').skip(1).step_by(2).filter_map(|word| word.split_once("::"));
    let of_files = quoted.filter(|(file, _)| file.contains('/') && file.ends_with(".rs"));
    of_files
        .flat_map(|(file, functions)| {
            functions.trim_matches(['{', '}']).split(',').map(move |function| (file, function.trim()))
        })
        .collect()
}

/// A source file by its short path.
fn source(file: &str) -> String {
    let root = root();
    let found = ROOTS.iter().map(|from| root.join(from).join(file)).find(|path| path.exists());
    found.map(|path| std::fs::read_to_string(path).expect("a source is text")).unwrap_or_default()
}

/// The text of all functions of a source that have this name.
fn bodies(source: &str, function: &str) -> String {
    let mut bodies = String::new();
    let is_end = |rest: &str| rest.starts_with(['(', '<']);
    let head = format!("fn {function}");
    let heads = source.match_indices(&head);
    for (at, head) in heads.filter(|(at, head)| is_end(&source[at + head.len()..])) {
        let rest = &source[at + head.len()..];
        let mut depth = 0;
        let end = rest.char_indices().find(|(_, letter)| {
            depth += i32::from(*letter == '{') - i32::from(*letter == '}');
            *letter == '}' && depth == 0
        });
        bodies.push_str(&rest[..end.map_or(0, |(end, _)| end)]);
    }
    bodies
}

#[test]
fn documents_name_functions_that_exist() {
    let (mut found, mut missing) = (0, Vec::new());
    for page in pages() {
        let text = std::fs::read_to_string(&page).expect("a page is text");
        for (file, function) in named_functions(&text) {
            found += 1;
            if bodies(&source(file), function).is_empty() {
                missing.push(format!("{}: `{file}::{function}`", page.display()));
            }
        }
    }
    assert!(found > 60, "{found} functions: the documents are not read rightly");
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// What begins a task, and what openraft calls.
const CALLED_FROM_OUTSIDE: [(&str, &str); 4] = [
    ("http/connection/listener.rs", "serve"),
    ("shard/sequencer.rs", "run"),
    ("raft/log/mod.rs", "append"),
    ("raft/machine/mod.rs", "apply"),
];

/// The way of three requests through the code is as ARCHITECTURE.md says: each step is called by one before it, and they
/// are no more, in functions and in files, than a reader can follow.
#[test]
fn requests_take_the_way_that_is_described() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("the page is text");
    let part = |begin: &str, end: &str| {
        let text = text.split_once(begin).unwrap_or_else(|| panic!("{begin:?} is in the page")).1;
        text.split_once(end).unwrap_or_else(|| panic!("{end:?} follows")).0
    };
    let ends = named_functions(part("Every request, from socket to socket:", "A GetItem, where"));
    let get = named_functions(part("A GetItem, where", "An UpdateItem, where"));
    let update = named_functions(part("An UpdateItem, where", "A TransactWriteItems over"));
    let own = named_functions(part("A TransactWriteItems over", "Where a coordinator was lost"));
    let update: Vec<_> = update.into_iter().filter(|(file, _)| *file != "router/leaders.rs").collect();
    let of_item = |file: &str| file.contains("update_item") || file.ends_with("/item_write.rs");
    let shared = update.iter().copied().filter(|(file, _)| !of_item(file));
    let transact = own.into_iter().chain(shared).collect();
    for (name, steps, files_max, functions_max) in
        [("GetItem", get, 14, 22), ("UpdateItem", update, 22, 35), ("TransactWriteItems", transact, 30, usize::MAX)]
    {
        let steps = [&ends[..], &steps].concat();
        let all: Vec<String> = steps.iter().map(|(file, function)| bodies(&source(file), function)).collect();
        for (at, step @ (file, function)) in steps.iter().enumerate() {
            let calls = |body: &String| {
                let is_call = |end: &str| end.starts_with(['(', ':']) || end.starts_with("::<");
                body.match_indices(function).any(|(at, _)| {
                    !body[..at].ends_with(|letter: char| letter.is_alphanumeric() || letter == '_')
                        && is_call(&body[at + function.len()..])
                })
            };
            let is_called = all.iter().enumerate().any(|(from, body)| from != at && calls(body));
            assert!(is_called || CALLED_FROM_OUTSIDE.contains(step), "{name}: no other step calls {file}::{function}");
        }
        let files: std::collections::BTreeSet<&str> = steps.iter().map(|(file, _)| *file).collect();
        let functions: std::collections::BTreeSet<_> = steps.iter().collect();
        assert!(files.len() <= files_max, "{name} passes {} files", files.len());
        assert!(functions.len() <= functions_max, "{name} passes {} functions", functions.len());
    }
}
