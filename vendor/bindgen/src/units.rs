//! Which of RocksDB's sources are compiled together, and how.
//!
//! Most of the compiler's time for one file goes into RocksDB's headers, so the sources of a folder are compiled as one or
//! a few large files that include them one after the other, as RocksDB's own "unity" build does. Sources that a server runs through all the
//! time are optimised with -O2, the others with -O1. Some are left out: nothing that the C interface can reach is in them,
//! so the linker has never taken them from the archive either.

/// The most source text of one unit, in bytes. Larger units need less processor time in all, but more memory (about 1.2 GiB
/// for this size), and leave cores idle where there are many.
const UNIT_BYTES: u64 = 700_000;

/// Folders of which the C interface (`db/c.cc`) can reach nothing. If that were wrong, nothing would link.
const LEFT_OUT: [&str; 13] = [
    "table/adaptive/",
    "test_util/",
    "tools/",
    "utilities/agg_merge/",
    "utilities/blob_db/",
    "utilities/cassandra/",
    "utilities/convenience/",
    "utilities/leveldb_options/",
    "utilities/option_change_migration/",
    "utilities/persistent_cache/",
    "utilities/secondary_index/",
    "utilities/simulator_cache/",
    "utilities/sorted_run_builder/",
];

/// Folders that run when a database is opened, or never in this server.
const COLD: [&str; 5] = ["options/", "table/cuckoo/", "table/plain/", "trace_replay/", "utilities/"];

/// Sources that are compiled as one file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unit {
    /// File name without ending.
    pub(crate) name: String,
    /// Whether -O2 is worth its time here.
    pub(crate) hot: bool,
    /// The sources, relative to RocksDB's folder.
    pub(crate) files: Vec<String>,
}

impl Unit {
    /// The file to compile.
    pub(crate) fn text(&self) -> String {
        self.files.iter().map(|file| format!("#include \"{file}\"\n")).collect()
    }
}

/// Groups the sources named in `list`, one a line; `size` tells a source's length.
pub(crate) fn units(list: &str, size: impl Fn(&str) -> u64) -> Vec<Unit> {
    let folder = |file: &str| file.rsplit_once('/').map_or(String::new(), |(folder, _)| folder.to_owned());
    let in_any = |file: &str, folders: &[&str]| folders.iter().any(|folder| file.starts_with(folder));
    let mut files: Vec<&str> = list
        .lines()
        .map(str::trim)
        // `librocksdb-sys` brings its own, beside RocksDB's folder.
        .filter(|file| !file.is_empty() && *file != "util/build_version.cc" && !in_any(file, &LEFT_OUT))
        .collect();
    files.sort_by_key(|file| (in_any(file, &COLD), folder(file)));
    files.dedup();
    let mut units: Vec<Unit> = Vec::new();
    let (mut bytes, mut last) = (0, None);
    for file in files {
        bytes += size(file);
        let here = folder(file);
        match units.last_mut() {
            Some(unit) if last.as_ref() == Some(&here) && bytes <= UNIT_BYTES => unit.files.push(file.to_owned()),
            _ => {
                bytes = size(file);
                let name = format!("{:02}-{}", units.len(), here.replace('/', "-"));
                units.push(Unit { name, hot: !in_any(file, &COLD), files: vec![file.to_owned()] });
                last = Some(here);
            }
        }
    }
    units
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_is_in_one_unit_and_cold_ones_are_apart() {
        let list = "db/a.cc\r\nutil/build_version.cc\ndb/a.cc\n\noptions/o.cc\ntools/ldb.cc\ndb/b.cc\ndb/blob/c.cc\n\
                    db/blob/d.cc\n";
        let units = units(list, |file| if file == "db/b.cc" { UNIT_BYTES } else { 10 });
        let plan: Vec<(&str, bool, Vec<&str>)> = units
            .iter()
            .map(|unit| (unit.name.as_str(), unit.hot, unit.files.iter().map(String::as_str).collect()))
            .collect();
        assert_eq!(
            plan,
            [
                ("00-db", true, vec!["db/a.cc"]),
                ("01-db", true, vec!["db/b.cc"]),
                ("02-db-blob", true, vec!["db/blob/c.cc", "db/blob/d.cc"]),
                ("03-options", false, vec!["options/o.cc"]),
            ]
        );
        assert_eq!(units[0].text(), "#include \"db/a.cc\"\n");
    }
}
