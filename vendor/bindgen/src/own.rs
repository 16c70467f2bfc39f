//! A RocksDB that the user brings: its version must be the one that the bindings are for.

use std::fs;
use std::path::Path;

/// Refuses a folder without RocksDB, or with another version than the build metadata of `librocksdb-sys`' own version
/// says ("0.19.0+11.8.1" means 11.8.1).
pub(crate) fn check(folder: &Path, package_version: &str) -> Result<(), String> {
    let version = package_version.split_once('+').map_or(package_version, |(_, rocksdb)| rocksdb);
    let shared = ["librocksdb.so", "librocksdb.dylib"];
    let names = ["librocksdb.a"].into_iter().chain(shared);
    let Some((path, library)) =
        names.map(|name| folder.join(name)).find_map(|path| Some((path.clone(), fs::read(path).ok()?)))
    else {
        return Err(format!(
            "ROCKSDB_LIB_DIR={} holds no librocksdb.a or librocksdb.so. Unset it to have RocksDB provided.",
            folder.display()
        ));
    };
    // What `GetRocksBuildProperties` answers is in the library as text.
    let tag = format!("rocksdb_build_git_tag:v{version}");
    if library.windows(tag.len()).any(|window| window == tag.as_bytes()) {
        return Ok(());
    }
    Err(format!(
        "ROCKSDB_LIB_DIR is refused: {} is not RocksDB {version}, which the bindings are for (it does not contain the \
         text \"{tag}\").\nUnset ROCKSDB_LIB_DIR to have RocksDB provided.",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_version_of_the_bindings_is_accepted() {
        let folder = tempfile::tempdir().unwrap();
        let check = || check(folder.path(), "0.19.0+11.8.1");
        assert!(check().unwrap_err().contains("holds no librocksdb"));
        fs::write(folder.path().join("librocksdb.a"), b"..rocksdb_build_git_tag:v7.8.3..").unwrap();
        let refusal = check().unwrap_err();
        assert!(refusal.contains("is not RocksDB 11.8.1") && refusal.contains("librocksdb.a"), "{refusal}");
        fs::write(folder.path().join("librocksdb.a"), b"\0rocksdb_build_git_tag:v11.8.1\0").unwrap();
        check().unwrap();
    }
}
