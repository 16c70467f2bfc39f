//! Bytes of a folder on disk.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Bytes that the files below a folder take on disk (allocated blocks, so that preallocated log files count in full),
/// by the name of the folder's own entries.
pub fn disk_bytes(folder: &Path) -> Vec<(String, u64)> {
    let mut parts: Vec<(String, u64)> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), below(&entry.path())))
        .collect();
    parts.sort();
    parts
}

/// Files may vanish while we look: they count as nothing.
fn below(path: &Path) -> u64 {
    let Ok(metadata) = fs::symlink_metadata(path) else { return 0 };
    if metadata.is_dir() {
        return fs::read_dir(path).into_iter().flatten().flatten().map(|entry| below(&entry.path())).sum();
    }
    metadata.blocks() * 512
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_summed_by_name() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir_all(folder.path().join("log/deep")).expect("created");
        fs::write(folder.path().join("log/deep/a"), vec![1; 10_000]).expect("written");
        fs::write(folder.path().join("small"), b"x").expect("written");
        let parts = disk_bytes(folder.path());
        assert_eq!(parts[0].0, "log");
        assert!(parts[0].1 >= 10_000, "{parts:?}");
        assert_eq!(parts[1].0, "small");
    }
}
