//! The parts of a crate use each other in one direction: layers, and no two files that need each other.
//!
//! Read out of the sources: what a file imports or names by a path, followed through re-exports to the file that defines it.
//! A method that is called on a value is not seen.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The layers of dynamo-server, from the bottom: each uses those below it and beside it, none above it. The list is in
/// ARCHITECTURE.md, too. What is not in it is small and used everywhere, or belongs to the process.
const OF_SERVER: [&str; 16] = [
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

/// The layers of dynamo-engine. What is left of the list is used everywhere: `codec`, the primitives of the binary formats.
const OF_ENGINE: [&str; 17] = [
    "ids", "cost", "context", "keyspace", "item", "ttl", "fault", "capacity", "catalog", "messages", "outbox",
    "command", "stream", "apply", "reply", "read", "plan",
];

/// The one use of a layer above: what the simulation may break are rules, and the rules are Raft's and the lease's.
const ALLOWED: (&str, &str) = ("env::sim", "raft");

/// The crates in which no two files need each other.
const CRATES: [&str; 9] = [
    "lease",
    "hlc",
    "shard-router",
    "ordered-kv",
    "raft-log",
    "dynamo-protocol",
    "dynamo-expression",
    "dynamo-engine",
    "dynamo-server",
];

/// A module that is a file, by its path from the crate's root.
type Module = Vec<String>;

/// A crate's files.
#[derive(Default)]
struct Crate {
    files: BTreeMap<Module, File>,
}

/// What a file says, without its tests.
#[derive(Default)]
struct File {
    /// What it names by a path, imports included.
    named: Vec<Vec<String>>,
    /// What it gives others under a name of its own: re-exports, and imports.
    imported: BTreeMap<String, Vec<String>>,
    /// What it re-exports whole.
    globs: Vec<Vec<String>>,
    /// What it defines.
    defined: BTreeSet<String>,
}

impl Crate {
    fn read(name: &str) -> Crate {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a folder of the workspace");
        let (mut found, mut paths) = (Crate::default(), vec![root.join(name).join("src")]);
        let src = paths[0].clone();
        while let Some(path) = paths.pop() {
            if path.is_dir() {
                paths.extend(std::fs::read_dir(&path).expect("readable").map(|entry| entry.expect("readable").path()));
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let module = module_of(&path, &src);
                if !module.iter().any(|part| part == "tests" || part.ends_with("_tests") || part.ends_with("_laws")) {
                    let text = std::fs::read_to_string(&path).expect("text");
                    found.files.insert(module, File::parse(&text));
                }
            }
        }
        assert!(found.files.len() > 5, "{name} is not where it was");
        found
    }

    /// The files that each file needs, with the path by which it names them.
    fn needs(&self) -> BTreeMap<&Module, BTreeMap<Module, String>> {
        let mut needs: BTreeMap<&Module, BTreeMap<Module, String>> = BTreeMap::new();
        for (module, file) in &self.files {
            let of_file = needs.entry(module).or_default();
            for path in &file.named {
                if let Some(found) = self.absolute(module, path).and_then(|path| self.definer(&path, 0))
                    && found != *module
                {
                    of_file.insert(found, path.join("::"));
                }
            }
        }
        needs
    }

    /// A path from the crate's root; `None` where it leads out of the crate.
    fn absolute(&self, module: &Module, path: &[String]) -> Option<Vec<String>> {
        let supers = path.iter().take_while(|part| *part == "super").count();
        let first = path.first()?.as_str();
        let child = || [&module[..], &path[..1]].concat();
        match first {
            "crate" => Some(path[1..].to_vec()),
            "self" => Some([&module[..], &path[1..]].concat()),
            "super" => Some([module.get(..module.len().checked_sub(supers)?)?, &path[supers..]].concat()),
            _ if self.files.contains_key(&child()) => Some([&module[..], path].concat()),
            _ => {
                let imported = self.files.get(module)?.imported.get(first).filter(|imported| imported[0] != first)?;
                Some([&self.absolute(module, imported)?[..], &path[1..]].concat())
            }
        }
    }

    /// The file that defines what is at this path, behind re-exports.
    fn definer(&self, path: &[String], depth: usize) -> Option<Module> {
        let known = (0..=path.len()).rev().find(|length| self.files.contains_key(&path[..*length]))?;
        let (module, rest) = (path[..known].to_vec(), &path[known..]);
        let (Some(name), file) = (rest.first(), &self.files[&module]) else { return Some(module) };
        if file.defined.contains(name) || depth > 12 {
            return Some(module);
        }
        if let Some(imported) = file.imported.get(name)
            && let Some(mut imported) = self.absolute(&module, imported)
        {
            imported.extend_from_slice(&rest[1..]);
            return if imported == path { Some(module) } else { self.definer(&imported, depth + 1) };
        }
        let behind_globs = file.globs.iter().find_map(|glob| {
            let found = self.definer(&[&self.absolute(&module, glob)?[..], rest].concat(), depth + 1)?;
            self.files[&found].defined.contains(name).then_some(found)
        });
        Some(behind_globs.unwrap_or(module))
    }
}

fn module_of(path: &Path, src: &Path) -> Module {
    let path = path.strip_prefix(src).expect("below src").with_extension("");
    let mut module: Module = path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if module.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
        module.pop();
    }
    module
}

impl File {
    fn parse(text: &str) -> File {
        let mut code = String::new();
        for (at, part) in text.split("#[cfg(test)]\n").enumerate() {
            let (marked, rest) = if at == 0 { ("", part) } else { part.split_once('\n').unwrap_or_default() };
            if marked.contains("mod ") && marked.ends_with('{') {
                break;
            }
            for line in rest.lines() {
                code.push_str(line.split("//").next().unwrap_or_default());
                code.push('\n');
            }
        }
        let words = words(&code);
        let (mut file, mut at) = (File::default(), 0);
        while at < words.len() {
            match words[at].as_str() {
                "use" => {
                    let is_public = at > 0 && (words[at - 1] == "pub" || words[at - 1] == ")");
                    let end = at + words[at..].iter().position(|word| word == ";").unwrap_or(1);
                    file.import(&words[at + 1..end], &[], is_public);
                    at = end;
                }
                "fn" | "struct" | "enum" | "trait" | "type" | "const" | "static" | "union" | "!" => {
                    let is_macro = words[at] == "!" && words[at - 1] == "macro_rules";
                    if words[at] != "!" || is_macro {
                        file.defined.extend(words.get(at + 1).cloned());
                    }
                    at += 1;
                }
                "(" if words[at + 1..].first().is_some_and(|word| word == "in") => {
                    // `pub(in …)` names no more than who may look.
                    at += words[at..].iter().position(|word| word == ")").unwrap_or(1);
                }
                _ => {
                    let length = path_length(&words[at..]);
                    if length > 1 {
                        file.named.push(words[at..at + length].iter().step_by(2).cloned().collect());
                    }
                    at += length.max(1);
                }
            }
        }
        file
    }

    /// Takes an import apart: `a::{b, c as d}`.
    fn import(&mut self, words: &[String], prefix: &[String], is_public: bool) {
        let mut path = prefix.to_vec();
        let mut at = 0;
        while at < words.len() {
            match words[at].as_str() {
                "::" => {}
                "{" => {
                    let inner = &words[at + 1..words.len() - 1];
                    let (mut depth, mut from) = (0, 0);
                    for (place, word) in inner.iter().enumerate() {
                        depth += i32::from(word == "{") - i32::from(word == "}");
                        if word == "," && depth == 0 {
                            self.import(&inner[from..place], &path, is_public);
                            from = place + 1;
                        }
                    }
                    if from < inner.len() {
                        self.import(&inner[from..], &path, is_public);
                    }
                    return;
                }
                "*" => return if is_public { self.globs.push(path) } else { self.named.push(path) },
                "as" => {
                    self.imported.insert(words[at + 1].clone(), path.clone());
                    if !is_public {
                        self.named.push(path);
                    }
                    return;
                }
                "self" if !path.is_empty() => {}
                word => path.push(word.to_owned()),
            }
            at += 1;
        }
        if let Some(name) = path.last() {
            self.imported.insert(name.clone(), path.clone());
            if !is_public {
                self.named.push(path);
            }
        }
    }
}

/// How many of the words are a path: names with `::` between them.
fn path_length(words: &[String]) -> usize {
    let is_name = |word: &String| word.starts_with(|letter: char| letter.is_alphabetic() || letter == '_');
    let mut length = usize::from(words.first().is_some_and(is_name));
    while length > 0 && words.get(length).is_some_and(|word| word == "::") && words.get(length + 1).is_some_and(is_name)
    {
        length += 2;
    }
    length
}

/// Names, `::`, and single marks; texts are left out.
fn words(code: &str) -> Vec<String> {
    let (mut words, mut letters) = (Vec::new(), code.chars().peekable());
    while let Some(letter) = letters.next() {
        if letter.is_alphanumeric() || letter == '_' {
            let mut word = letter.to_string();
            while let Some(next) = letters.next_if(|next| next.is_alphanumeric() || *next == '_') {
                word.push(next);
            }
            words.push(word);
        } else if letter == ':' && letters.next_if_eq(&':').is_some() {
            words.push("::".to_owned());
        } else if letter == '"' {
            while let Some(next) = letters.next() {
                match next {
                    '\\' => drop(letters.next()),
                    '"' => break,
                    _ => {}
                }
            }
        } else if !letter.is_whitespace() {
            words.push(letter.to_string());
        }
    }
    words
}

#[test]
fn no_layer_uses_one_above_it() {
    let mut wrong = Vec::new();
    for (name, layers) in [("dynamo-server", &OF_SERVER[..]), ("dynamo-engine", &OF_ENGINE[..])] {
        let files = Crate::read(name);
        let rank = |module: &Module| layers.iter().position(|layer| module.first().is_some_and(|first| first == layer));
        assert!(layers.iter().all(|layer| files.files.keys().any(|module| module.first().is_some_and(|m| m == layer))));
        for (module, needs) in files.needs() {
            for (needed, by) in needs {
                let is_allowed =
                    module.join("::") == ALLOWED.0 && needed.first().is_some_and(|layer| layer == ALLOWED.1);
                if !is_allowed && rank(module).zip(rank(&needed)).is_some_and(|(own, other)| other > own) {
                    wrong.push(format!("{name}: {} uses {by}", module.join("::")));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_two_files_need_each_other() {
    let mut wrong = Vec::new();
    for name in CRATES {
        let files = Crate::read(name);
        let mut needs = files.needs();
        // What needs nothing that is left is in no circle.
        while let Some(free) = {
            let left: BTreeSet<Module> = needs.keys().map(|module| (*module).clone()).collect();
            let is_free = |of_file: &BTreeMap<Module, String>| of_file.keys().all(|needed| !left.contains(needed));
            needs.iter().find(|(_, of_file)| is_free(of_file)).map(|(module, _)| *module)
        } {
            needs.remove(free);
        }
        // What nobody needs that is left hangs on a circle and is none.
        while let Some(free) =
            needs.keys().copied().find(|module| needs.values().all(|of_file| !of_file.contains_key(*module)))
        {
            needs.remove(free);
        }
        for (module, of_file) in &needs {
            for (needed, by) in of_file.iter().filter(|(needed, _)| needs.contains_key(needed)) {
                wrong.push(format!("{name}: {} needs {} ({by})", module.join("::"), needed.join("::")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Lines that a folder may have without folders in it: more are too many files side by side.
const FLAT_LINES_MAX: usize = 2_500;

#[test]
fn large_folders_have_folders() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a folder of the workspace");
    let (mut paths, mut looked_at) = (vec![root.to_owned()], 0);
    while let Some(folder) = paths.pop() {
        let entries = std::fs::read_dir(&folder).expect("readable").map(|entry| entry.expect("readable").path());
        let is_hidden = |path: &Path| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let is_foreign = |path: &Path| ["target", "vendor", "dynamo-data"].iter().any(|name| path.ends_with(name));
        let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
        let of_sources = |path: &&std::path::PathBuf| path.extension().is_some_and(|ending| ending == "rs");
        let text = |path| std::fs::read_to_string(path).expect("text");
        let lines: usize = files.iter().filter(of_sources).map(|path| text(path).lines().count()).sum();
        let has_folder = |path: &std::path::PathBuf| path.join("mod.rs").exists();
        assert!(
            lines <= FLAT_LINES_MAX || folders.iter().any(has_folder),
            "{} has {lines} lines and no folders",
            folder.display()
        );
        looked_at += usize::from(lines > 0);
        paths.extend(folders.into_iter().filter(|path| !is_hidden(path) && !is_foreign(path)));
    }
    assert!(looked_at > 50, "{looked_at} folders: the sources are not where they were");
}
