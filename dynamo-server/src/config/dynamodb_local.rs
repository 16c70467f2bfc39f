//! Compatibility with DynamoDB Local's command line: its single-dash flags are translated, so that scripts written for it start
//! this server unchanged. Its files are recognised and not read.
//!
//! Source: AWS, *DynamoDB local usage notes* (command line options, and the names of its files: `shared-local-instance.db`,
//! or `ACCESSKEY_REGION.db` for each key and region).

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// Its flags, and ours for them; none where they describe what we do anyway (`-sharedDb`) or have no meaning here
/// (`-disableTelemetry`).
const FLAGS: [(&str, Option<&str>); 10] = [
    ("inMemory", Some("--in-memory")),
    ("dbPath", Some("--data-dir")),
    ("port", Some("--port")),
    ("cors", Some("--cors")),
    ("help", Some("--help")),
    ("version", Some("--version")),
    ("sharedDb", None),
    ("delayTransientStatuses", None),
    ("optimizeDbBeforeStartup", None),
    ("disableTelemetry", None),
];

/// The arguments with DynamoDB Local's flags replaced by ours, with one dash or two and in capitals or not: nobody means
/// anything else by them. What its container image has in front of them for Java is dropped.
pub(super) fn translate(mut args: impl Iterator<Item = String>) -> Vec<String> {
    let mut out = Vec::new();
    while let Some(arg) = args.next() {
        if arg == "-jar" {
            drop(args.next());
        } else if let Some((_, ours)) = flag(&arg) {
            out.extend(ours.map(str::to_owned));
        } else if !arg.starts_with("-Djava.") && !arg.starts_with("-Xm") {
            out.push(arg);
        }
    }
    out
}

fn flag(arg: &str) -> Option<(&'static str, Option<&'static str>)> {
    let name = arg.strip_prefix("--").or_else(|| arg.strip_prefix('-'))?;
    FLAGS.into_iter().find(|(theirs, _)| theirs.eq_ignore_ascii_case(name))
}

/// What to say of a flag with one dash that is not understood: clap takes it for a heap of flags of one letter each, and speaks
/// of the first of them.
pub(super) fn unknown_flag(args: &[String]) -> Option<String> {
    let is_word = |arg: &&String| {
        let name = arg.strip_prefix('-').unwrap_or_default();
        name.len() > 1 && name.starts_with(|first: char| first.is_ascii_alphabetic())
    };
    let unknown = args.iter().skip(1).find(is_word)?;
    let theirs: Vec<String> = FLAGS.iter().map(|(name, _)| format!("-{name}")).collect();
    Some(format!(
        "{unknown} is no flag: those of this server have two dashes (see --help), and of DynamoDB Local's these are understood: \
         {}",
        theirs.join(", ")
    ))
}

/// What of DynamoDB Local is found where data is to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Files {
    /// Nothing.
    None,
    /// The place is one of its files.
    Itself,
    /// The folder has files of this name.
    In(Vec<String>),
}

/// Looks for DynamoDB Local's files: SQLite's, ending in `.db`.
pub(crate) fn files_at(place: &Path) -> Files {
    if is_sqlite(place) {
        return Files::Itself;
    }
    let entries = std::fs::read_dir(place).into_iter().flatten().flatten().map(|entry| entry.path());
    let ours = entries.filter(|path| path.extension().is_some_and(|ending| ending == "db") && is_sqlite(path));
    let mut names: Vec<String> =
        ours.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).take(NAMES_MAX).collect();
    names.sort();
    if names.is_empty() { Files::None } else { Files::In(names) }
}

/// Files that are named in a message.
const NAMES_MAX: usize = 4;

/// Whether a file begins as SQLite's do (*Database File Format*, section 1.3).
fn is_sqlite(path: &Path) -> bool {
    const BEGIN: &[u8; 16] = b"SQLite format 3\0";
    let mut begin = [0; BEGIN.len()];
    path.is_file() && File::open(path).and_then(|mut file| file.read_exact(&mut begin)).is_ok() && begin == *BEGIN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_files_are_told_from_others() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert_eq!(files_at(folder.path()), Files::None);
        std::fs::write(folder.path().join("other.db"), "no database").expect("written");
        assert_eq!(files_at(folder.path()), Files::None);
        let shared = folder.path().join("shared-local-instance.db");
        std::fs::write(&shared, b"SQLite format 3\0 and so on").expect("written");
        assert_eq!(files_at(folder.path()), Files::In(vec!["shared-local-instance.db".to_owned()]));
        assert_eq!(files_at(&shared), Files::Itself);
        assert_eq!(files_at(&folder.path().join("not there")), Files::None);
    }

    #[test]
    fn its_flags_are_understood_however_they_are_written() {
        let translated = |line: &str| translate(line.split(' ').map(str::to_owned)).join(" ");
        for line in
            ["-inMemory -dbPath /d -sharedDb", "-inmemory -dbpath /d -shareddb", "--inMemory --dbPath /d --sharedDb"]
        {
            assert_eq!(translated(&format!("x {line}")), "x --in-memory --data-dir /d");
        }
        assert_eq!(translated("x --port 1 -h /dbPath"), "x --port 1 -h /dbPath", "values and our own flags stay");
    }

    #[test]
    fn a_flag_with_one_dash_that_is_unknown_is_named_whole() {
        let said = |line: &str| unknown_flag(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        let of_theirs = said("x --port 1 -dbFolder /d").expect("unknown");
        assert!(of_theirs.starts_with("-dbFolder is no flag") && of_theirs.contains("-dbPath"), "{of_theirs}");
        for line in ["x", "x -h", "x --prot 1", "x --ttl-interval-ms -1"] {
            assert_eq!(said(line), None, "{line}");
        }
    }

    #[test]
    fn the_command_of_its_container_image_starts_us() {
        let command = "dynamo-server -Xmx1g -Djava.library.path=./DynamoDBLocal_lib -jar DynamoDBLocal.jar -sharedDb -dbPath /data";
        let translated = translate(command.split(' ').map(str::to_owned));
        assert_eq!(translated, ["dynamo-server", "--data-dir", "/data"]);
        assert_eq!(translate(["x", "-jar"].into_iter().map(str::to_owned)), ["x"]);
    }
}
