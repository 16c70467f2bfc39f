//! The declared Rust version is true: no package needs a dependency that needs a newer Rust.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
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

#[test]
fn no_dependency_needs_a_newer_rust_than_the_package_declares() {
    let clone = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the clone");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--format-version", "1", "--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(clone)
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
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
