//! What those find who come from DynamoDB Local: its single-dash flags are translated, so that scripts written for it start
//! us unchanged; its files are not read, and told from ours.
//!
//! Source: AWS, *DynamoDB local usage notes* (command line options, and the names of its files: `shared-local-instance.db`,
//! or `ACCESSKEY_REGION.db` for each key and region).

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// The arguments with DynamoDB Local's flags replaced by ours. Flags that describe what we do anyway (`-sharedDb`) or
/// that have no meaning here (`-disableTelemetry`) are dropped, and so is what its container image has in front of them
/// for Java.
pub(super) fn translate(mut args: impl Iterator<Item = String>) -> Vec<String> {
    let mut out = Vec::new();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "-jar" => drop(args.next()),
            _ if arg.starts_with("-Djava.") || arg.starts_with("-Xm") => {}
            "-inMemory" => out.push("--in-memory".to_owned()),
            "-dbPath" => out.push("--data-dir".to_owned()),
            "-port" => out.push("--port".to_owned()),
            "-cors" => out.push("--cors".to_owned()),
            "-help" => out.push("--help".to_owned()),
            "-version" => out.push("--version".to_owned()),
            "-sharedDb" | "-delayTransientStatuses" | "-optimizeDbBeforeStartup" | "-disableTelemetry" => {}
            _ => out.push(arg),
        }
    }
    out
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
    fn the_command_of_its_container_image_starts_us() {
        let command = "dynamo-server -Xmx1g -Djava.library.path=./DynamoDBLocal_lib -jar DynamoDBLocal.jar -sharedDb -dbPath /data";
        let translated = translate(command.split(' ').map(str::to_owned));
        assert_eq!(translated, ["dynamo-server", "--data-dir", "/data"]);
        assert_eq!(translate(["x", "-jar"].into_iter().map(str::to_owned)), ["x"]);
    }
}
