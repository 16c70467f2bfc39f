//! What the manifests declare is true: no dependency needs a newer Rust, and none is there for nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn version(text: &str) -> Vec<u32> {
    let mut parts: Vec<u32> = text.split('.').map(|part| part.parse().expect("a number")).collect();
    parts.resize(3, 0);
    parts
}

fn list<'a>(value: &'a Value, key: &str) -> &'a Vec<Value> {
    value[key].as_array().expect("cargo's metadata has this list")
}

/// Depended on for their versions alone: the alphas of openraft's crates name each other loosely.
const PINNED: [&str; 2] = ["openraft-macros", "openraft-rt"];

/// What cargo knows of the workspace and of all that it depends on.
fn metadata() -> Value {
    let clone = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the clone");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--format-version", "1", "--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(clone)
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn no_dependency_needs_a_newer_rust_than_the_package_declares() {
    let metadata = metadata();
    let packages: BTreeMap<&str, &Value> =
        list(&metadata, "packages").iter().map(|package| (package["id"].as_str().expect("an id"), package)).collect();
    let nodes = list(&metadata["resolve"], "nodes").iter();
    let needs: BTreeMap<&str, &Vec<Value>> =
        nodes.map(|node| (node["id"].as_str().expect("an id"), list(node, "deps"))).collect();

    let mut wrong = Vec::new();
    for member in list(&metadata, "workspace_members") {
        let member = packages[member.as_str().expect("an id")];
        let declared = member["rust_version"].as_str().expect("every package declares it");
        let (mut seen, mut todo) = (BTreeSet::new(), vec![member["id"].as_str().expect("an id")]);
        while let Some(id) = todo.pop() {
            if !seen.insert(id) {
                continue;
            }
            if let Some(needed) =
                packages[id]["rust_version"].as_str().filter(|needed| version(needed) > version(declared))
            {
                wrong.push(format!("{} says {declared}, but {} needs {needed}", member["name"], packages[id]["name"]));
            }
            // What only tests of the package need is not the concern of those who depend on it.
            let kinds = |dep: &Value| list(dep, "dep_kinds").iter().any(|kind| kind["kind"] != "dev");
            todo.extend(needs[id].iter().filter(|dep| kinds(dep)).map(|dep| dep["pkg"].as_str().expect("an id")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_dependency_is_used() {
    let metadata = metadata();
    let members = list(&metadata, "workspace_members");
    let packages = list(&metadata, "packages").iter().filter(|package| members.contains(&package["id"]));
    let mut unused = Vec::new();
    for package in packages {
        let manifest = Path::new(package["manifest_path"].as_str().expect("a path"));
        let sources = sources(manifest.parent().expect("a folder"));
        for dependency in list(package, "dependencies") {
            let name = dependency["name"].as_str().expect("a name");
            let crate_name = dependency["rename"].as_str().unwrap_or(name).replace('-', "_");
            if !PINNED.contains(&name) && !sources.iter().any(|text| names(text, &crate_name)) {
                unused.push(format!("{} does not use {crate_name}", package["name"]));
            }
        }
    }
    assert!(unused.is_empty(), "{}", unused.join("\n"));
}

/// Rust's sources below a folder, without those of other packages.
fn sources(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let (folders, files): (Vec<PathBuf>, Vec<PathBuf>) = entries.partition(|path| path.is_dir());
    let rust = files.into_iter().filter(|file| file.extension().is_some_and(|ending| ending == "rs"));
    let mut found: Vec<String> = rust.map(|file| std::fs::read_to_string(file).expect("UTF-8")).collect();
    for folder in folders.iter().filter(|folder| !folder.join("Cargo.toml").exists() && !folder.ends_with("target")) {
        found.extend(sources(folder));
    }
    found
}

/// Whether a source has the name of a crate where a path begins, or in a `use`.
fn names(text: &str, crate_name: &str) -> bool {
    text.match_indices(crate_name).any(|(at, _)| {
        let begins = !text[..at].ends_with(|before: char| before.is_alphanumeric() || "_:.".contains(before));
        let rest = &text[at + crate_name.len()..];
        begins && ["::", ";", " as "].iter().any(|after| rest.starts_with(after))
    })
}

#[test]
fn a_name_of_a_crate_is_told_from_other_words() {
    for text in ["use bytes;", "x(bytes::Bytes)", "use bytes as b;", "#[bytes::test]"] {
        assert!(names(text, "bytes"), "{text}");
    }
    for text in ["let bytes = 1", "crate::bytes::x", "my_bytes::x", "self.bytes;"] {
        assert!(!names(text, "bytes"), "{text}");
    }
}
