//! The layers of this crate, from the bottom: each uses those below it and beside it, none above it.
//!
//! The list is in ARCHITECTURE.md, too. What is not in it is small and used everywhere, or belongs to the process.

/// From the bottom.
const LAYERS: [&str; 16] = [
    "env",
    "raft",
    "shard",
    "guard",
    "peer",
    "router",
    "index",
    "transaction",
    "read",
    "catalog",
    "upkeep",
    "cluster",
    "node",
    "ops",
    "http",
    "embedded",
];

/// The one use of a layer above: what the simulation may break are rules, and the rules are Raft's and the lease's.
const ALLOWED: (&str, &str) = ("env/sim/mod.rs", "raft");

#[test]
fn no_layer_uses_one_above_it() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut files, mut wrong) = (Vec::new(), Vec::new());
    for layer in LAYERS {
        sources(&root.join(layer), &mut files);
        sources(&root.join(format!("{layer}.rs")), &mut files);
    }
    assert!(files.len() > 150, "{} files: the layers are not where they were", files.len());
    for file in files {
        let name = file.strip_prefix(&root).expect("below src").to_string_lossy().into_owned();
        let own =
            LAYERS.iter().position(|layer| name == format!("{layer}.rs") || name.starts_with(&format!("{layer}/")));
        let above = &LAYERS[own.expect("a layer's") + 1..];
        for line in std::fs::read_to_string(&file).expect("text").lines().filter(|line| !line.trim().starts_with("//"))
        {
            let used = line.split("crate::").skip(1).map(|rest| {
                rest.split(|letter: char| !letter.is_alphanumeric() && letter != '_').next().unwrap_or_default()
            });
            let upward = used.filter(|used| above.contains(used));
            let upward = upward.filter(|used| (&*name, *used) != ALLOWED && !name.contains("tests"));
            wrong.extend(upward.map(|used| format!("{name} uses {used}: {}", line.trim())));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn sources(path: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).expect("readable") {
            sources(&entry.expect("readable").path(), found);
        }
    } else if path.is_file() && path.extension().is_some_and(|ending| ending == "rs") {
        found.push(path.to_owned());
    }
}
