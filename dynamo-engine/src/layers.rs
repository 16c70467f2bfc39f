//! The layers of this crate, from the bottom: each uses those below it and itself, none above it.
//!
//! What is left of the list is used everywhere: `codec`, the primitives of the binary formats.

/// From the bottom.
const LAYERS: [&str; 17] = [
    "ids", "cost", "context", "keyspace", "item", "ttl", "fault", "capacity", "catalog", "messages", "outbox",
    "command", "stream", "apply", "reply", "read", "plan",
];

#[test]
fn no_layer_uses_one_above_it() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut files, mut wrong) = (Vec::new(), Vec::new());
    for (at, layer) in LAYERS.iter().enumerate() {
        sources(&root.join(layer), &mut files);
        sources(&root.join(format!("{layer}.rs")), &mut files);
        assert!(!files.is_empty(), "{layer} is not where it was");
        for file in files.drain(..).filter(|file| !file.ends_with("tests.rs")) {
            let text = std::fs::read_to_string(&file).expect("text");
            // Tests may look at everything.
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            for line in code.lines().filter(|line| !line.trim().starts_with("//")) {
                let used = line.split("crate::").skip(1);
                let used = used.map(|rest| rest.split(|letter: char| !letter.is_alphanumeric()).next());
                let upward = used.flatten().filter(|used| LAYERS[at + 1..].contains(used));
                wrong.extend(upward.map(|used| format!("{} uses {used}: {}", file.display(), line.trim())));
            }
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
