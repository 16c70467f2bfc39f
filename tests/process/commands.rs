//! Every command that a document shows works: its flags, files, packages and examples exist, its requests are answered.
//!
//! Commands are read from blocks marked `sh` and from code in running text. What starts a server has its flags looked
//! at by the real binary; examples run; `aws` commands are sent as the requests that they stand for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value, json};
use tests::binary::{self, Process};
use tests::raw::Connection;

/// Programs of others, which the documents tell how to use beside this one.
const FOREIGN: [&str; 15] = [
    "cd",
    "pip",
    "moto_server",
    "npx",
    "npm",
    "curl",
    "docker",
    "kubectl",
    "apt-get",
    "systemctl",
    "node",
    "git",
    "cat",
    "head",
    "base64",
];

/// How code in running text begins that is a command of ours.
const OURS: [&str; 8] = [
    "cargo ",
    "./run",
    "./check",
    "dynamo-server -",
    "dynamo-server cluster",
    "dynamo-server join",
    "dynamo-server healthcheck",
    "npx dynamo-server",
];

pub fn clone() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the clone").to_owned()
}

fn documents() -> Vec<PathBuf> {
    let mut found = vec![clone().join("README.md"), clone().join("CONTRIBUTING.md")];
    let below =
        |folder: &str| std::fs::read_dir(clone().join(folder)).expect(folder).flatten().map(|entry| entry.path());
    found.extend(below("docs").filter(|path| path.extension().is_some_and(|ending| ending == "md")));
    let folders = below(".").chain(below("tools")).chain(below("packaging")).chain(below("examples"));
    found.extend(folders.map(|folder| folder.join("README.md")).filter(|path| path.exists()));
    let examples = below(".").map(|folder| folder.join("examples")).filter(|folder| folder.is_dir());
    let examples =
        examples.flat_map(|folder| std::fs::read_dir(folder).expect("a folder").flatten()).map(|entry| entry.path());
    found
        .extend(below("examples").chain(examples).filter(|path| path.extension().is_some_and(|ending| ending == "rs")));
    found
}

/// The text of a document, or what the comment of a module says.
fn text_of(document: &Path) -> String {
    let text = std::fs::read_to_string(document).expect("a document");
    if document.extension().is_none_or(|ending| ending != "rs") {
        return text;
    }
    let comment = text.lines().filter_map(|line| line.strip_prefix("//!"));
    comment.map(|line| format!("{}\n", line.strip_prefix(' ').unwrap_or(line))).collect()
}

/// The lines of a document that are commands: those of blocks marked `sh`, without comments and with continued lines
/// joined, and code in the text that starts like a command of ours.
pub fn commands(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let (mut shell, mut other, mut continued) = (false, false, false);
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            let opens = !shell && !other;
            shell = opens && line.trim() == "```sh";
            other = opens && !shell;
            continued = false;
        } else if shell {
            let line = if line.starts_with('#') { "" } else { line.split(" #").next().unwrap_or_default() };
            let ends = line.trim_end();
            let part = ends.strip_suffix('\\').unwrap_or(ends).trim();
            match found.last_mut().filter(|_| continued) {
                Some(whole) => *whole = format!("{whole} {part}"),
                None => found.push(part.to_owned()),
            }
            continued = ends.ends_with('\\');
        } else if !other {
            let spans = line.split('`').skip(1).step_by(2);
            let ours = |span: &&str| OURS.iter().any(|ours| span.starts_with(ours));
            found.extend(spans.filter(ours).map(str::to_owned));
        }
    }
    found.retain(|command| !command.is_empty());
    found
}

/// Words as a shell splits them, variables filled in. `&&`, `&`, `|` and `;` are words of their own.
pub fn words(line: &str, variables: &BTreeMap<String, String>) -> Vec<String> {
    let mut line = line.to_owned();
    for (name, value) in variables {
        line = line.replace(&format!("${name}"), value);
    }
    let (mut words, mut word, mut quote): (Vec<String>, Option<String>, Option<char>) = (Vec::new(), None, None);
    for letter in line.chars() {
        match (letter, quote) {
            (_, Some(open)) if letter == open => quote = None,
            ('\'' | '"', None) => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (' ', None) => words.extend(word.take()),
            (';', None) => words.extend(word.take().into_iter().chain([";".to_owned()])),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

/// What is wrong with a program's flags, according to itself.
fn refuses(binary: &Path, flags: &[String]) -> Option<String> {
    let output = Command::new(binary).args(flags).arg("--help").output().expect("it starts");
    (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

fn after<'a>(words: &'a [String], flag: &str) -> Option<&'a String> {
    words.iter().position(|word| word == flag).and_then(|at| words.get(at + 1))
}

/// Whether a package of the workspace, or a target of one, has that name.
fn named(name: &str) -> bool {
    let line = format!("name = \"{name}\"");
    let below = |folder: PathBuf| std::fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path());
    below(clone()).chain(below(clone().join("examples"))).any(|folder| {
        let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
        let tests = folder.join("tests");
        manifest.lines().any(|found| found == line)
            || tests.join(name).join("main.rs").exists()
            || tests.join(format!("{name}.rs")).exists()
    })
}

fn named_example(package: &str, example: &str) -> bool {
    let line = format!("name = \"{package}\"");
    std::fs::read_dir(clone()).expect("the clone").flatten().map(|entry| entry.path()).any(|folder| {
        let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
        manifest.lines().any(|found| found == line) && folder.join("examples").join(format!("{example}.rs")).exists()
    })
}

fn built(name: &str) -> PathBuf {
    binary::path().with_file_name(name)
}

/// What is wrong with a `cargo` command.
fn cargo(words: &[String]) -> Option<String> {
    let at = words.iter().position(|word| word == "--").unwrap_or(words.len());
    let (own, flags) = (&words[..at], words.get(at + 1..).unwrap_or_default());
    let package = after(own, "-p");
    // Features come together from all packages that a command is about.
    if own.get(1).is_some_and(|word| word == "run") && package.is_none() && after(own, "--example").is_some() {
        return Some("without its package (-p) cargo compiles once more what the server is compiled from".to_owned());
    }
    for name in [package, after(own, "--test"), after(own, "--bin")].into_iter().flatten() {
        if !named(name) {
            return Some(format!("there is no {name}"));
        }
    }
    let program = match (own.get(1).map(String::as_str), after(own, "--example"), package.map(String::as_str)) {
        // Examples of the small crates measure something, and take their time.
        (Some("run"), Some(example), Some(package)) if package != "examples" => {
            let missing = !named_example(package, example);
            return missing.then(|| format!("{package} has no example {example}"));
        }
        // The server itself does not end by itself; its flags are looked at.
        (Some("run"), Some(example), _) if flags.is_empty() && example != "dynamo_server" => {
            let scratch = tempfile::tempdir().expect("a folder");
            let ended = Command::new(built("examples").join(example)).current_dir(scratch.path()).output();
            return match ended {
                Ok(output) if output.status.success() => None,
                Ok(output) => Some(String::from_utf8_lossy(&output.stderr).into_owned()),
                Err(error) => Some(format!("{error}: build the examples with this profile first")),
            };
        }
        (Some("run"), Some(example), _) => built("examples").join(example),
        (Some("run"), None, Some(program @ ("bench" | "stream-consumer"))) => built(program),
        (Some("run"), None, _) => binary::path(),
        (Some("bench" | "build" | "clippy" | "fmt" | "test"), _, _) => return None,
        _ => return Some("nobody knows what this does".to_owned()),
    };
    refuses(&program, flags)
}

/// The request that an `aws dynamodb` command sends, as (operation, body).
fn request(words: &[String]) -> (String, Value) {
    let pascal = |kebab: &str| -> String {
        let parts = kebab.split('-').map(|part| part[..1].to_uppercase() + &part[1..]);
        parts.collect()
    };
    let mut body = Map::new();
    for (at, flag) in words.iter().enumerate().skip(3) {
        let Some(name) = flag.strip_prefix("--") else { continue };
        let value = words.get(at + 1).filter(|value| !value.starts_with("--"));
        let value = match value {
            None => json!(true),
            Some(text) if text.starts_with(['{', '[']) => serde_json::from_str(text).expect("JSON"),
            Some(text) if text.contains('=') => {
                let fields = text.split(',').filter_map(|field| field.split_once('='));
                json!([fields.map(|(key, value)| (key.to_owned(), json!(value))).collect::<Map<String, Value>>()])
            }
            Some(text) => json!(text),
        };
        body.insert(pascal(name), value);
    }
    (pascal(&words[2]), Value::Object(body))
}

/// What is wrong with an `aws` command.
fn aws(words: &[String], server: &Process) -> Option<String> {
    let (operation, body) = request(words);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let reply = runtime.block_on(async { Connection::open(server.address()).await.call(&operation, body).await });
    (reply.status != 200).then(|| format!("{}: {}", reply.status, String::from_utf8_lossy(&reply.body)))
}

fn check(line: &str, variables: &mut BTreeMap<String, String>, server: &Process) -> Option<String> {
    let words = words(line, variables);
    let separators = ["&&", "&", "|", ";"];
    words.split(|word| separators.contains(&word.as_str())).filter(|command| !command.is_empty()).find_map(|command| {
        let mut command = command;
        while let Some((name, value)) = command.first().and_then(|word| word.split_once('=')) {
            variables.insert(name.to_owned(), value.to_owned());
            command = &command[1..];
        }
        let program = command.first()?;
        match program.as_str() {
            "export" => None,
            "./run" => refuses(&binary::path(), &command[1..]),
            "dynamo-server" => refuses(&binary::path(), &command[1..]),
            "npx" if command.get(1).is_some_and(|package| package == "dynamo-server") => {
                refuses(&binary::path(), &command[2..])
            }
            "cargo" => cargo(command),
            "aws" => aws(command, server),
            "python3" | "bash" => {
                let file = command.get(1)?;
                (!file.starts_with('-') && !clone().join(file).exists()).then(|| format!("there is no {file}"))
            }
            _ if FOREIGN.contains(&program.as_str()) => None,
            file if file.contains('/') && clone().join(file).exists() => None,
            _ => Some("nobody knows what this does".to_owned()),
        }
    })
}

#[test]
fn every_command_that_a_document_shows_works() {
    let server = Process::start(&["--port", "0", "--in-memory"]).expect("it starts");
    let mut wrong = Vec::new();
    let mut seen = 0;
    for document in documents() {
        let text = text_of(&document);
        let mut variables = BTreeMap::new();
        for command in commands(&text) {
            seen += 1;
            if let Some(reason) = check(&command, &mut variables, &server) {
                wrong.push(format!("{}: {command}\n    {}", document.display(), reason.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen >= 20, "only {seen} commands were found");
}

/// What the documents have people make in the clone is nothing that git would add to it.
#[test]
fn what_documents_have_people_make_is_ignored() {
    let mut made = Vec::new();
    for document in documents() {
        let commands = commands(&text_of(&document));
        let words = commands.iter().map(|command| words(command, &BTreeMap::new()));
        for words in words {
            let written = [after(&words, ">"), after(&words, ">>"), after(&words, "--data-dir")].into_iter().flatten();
            made.extend(written.filter(|path| !path.starts_with('/')).cloned());
        }
    }
    assert!(made.len() >= 5, "{made:?}");
    let output = Command::new("git").args(["check-ignore", "--no-index"]).args(&made).current_dir(clone()).output();
    let Ok(output) = output else { return tests::pass_over("what git ignores: git is missing") };
    if output.status.code() == Some(128) {
        return tests::pass_over("what git ignores: this is no clone of git");
    }
    let ignored = String::from_utf8_lossy(&output.stdout);
    for path in made {
        assert!(ignored.lines().any(|line| line == path), "{path} is not in .gitignore");
    }
}

/// With the features of the server and no others: what `./run` has compiled serves them.
#[test]
fn the_examples_are_compiled_from_what_the_server_is() {
    let packages = |package: &str| -> BTreeSet<String> {
        let tree = ["tree", "--locked", "-e", "normal,build", "--prefix", "none", "-f", "{p} {f}", "-p", package];
        let output = Command::new(env!("CARGO")).args(tree).current_dir(clone()).output().expect("cargo runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        lines.lines().map(|line| line.trim_end_matches(" (*)").trim().to_owned()).collect()
    };
    let (server, examples) = (packages("dynamo-server"), packages("examples"));
    let others: Vec<&String> = examples.difference(&server).filter(|line| !line.starts_with("examples ")).collect();
    assert!(server.len() > 100 && others.is_empty(), "{others:?}");
}

#[test]
fn a_settings_file_that_a_document_shows_is_understood() {
    let text = std::fs::read_to_string(clone().join("docs/configuration.md")).expect("a document");
    let settings = text.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("it shows a file");
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), settings).expect("written");
    // The document's port may be taken.
    let flags = ["--config", file.path().to_str().expect("UTF-8"), "--port", "0"];
    let server = Process::start(&flags).unwrap_or_else(|log| panic!("{settings}\n{log}"));
    assert!(server.log().contains("in memory"), "{}", server.log());
}

#[test]
fn a_command_that_does_not_work_is_found() {
    let server = Process::start(&["--port", "0", "--in-memory"]).expect("it starts");
    let text = "`./run --no-such-flag`\n```sh\ncargo run --release -p examples --example no_such\ncargo build -p no-such\n\
                cargo run --release --example embedded\n\
                aws dynamodb get-item --table-name none \\\n  --key '{\"a\": {\"S\": \"b\"}}'\nfrobnicate\n\
                python3 tools/none.py\n```\n```text\nfrobnicate\n```\n";
    let found = commands(text);
    assert_eq!(found.len(), 7, "{found:?}");
    for command in found {
        assert!(check(&command, &mut BTreeMap::new(), &server).is_some(), "{command}");
    }
}
