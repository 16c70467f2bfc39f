//! Directories and small files, written so that they survive power loss.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;

use bytes::Bytes;

use crate::StoreError;

/// The file in which RocksDB names its manifest.
const CURRENT: &str = "CURRENT";

const MAGIC: &[u8; 4] = b"OKVF";
/// Magic, format version, length.
const HEADER_BYTES: usize = 9;
const CHECKSUM_BYTES: usize = 4;
const FORMAT: u8 = 1;

/// Creates `dir` with its parents where they are missing. What is created is synced in its parent, since RocksDB syncs
/// inside its directory only.
pub(super) fn create_dir(dir: &Path) -> Result<(), StoreError> {
    if dir.is_dir() {
        return Ok(());
    }
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        create_dir(parent)?;
    }
    match fs::create_dir(dir) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error.into()),
        _ => {}
    }
    sync_dir(parent.unwrap_or(Path::new(".")))
}

/// Makes renames and new names in `dir` durable.
pub(super) fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    Ok(File::open(dir)?.sync_all()?)
}

/// A file that an instance in `dir` needs to be opened again and that was deleted under it, by its name: CURRENT, the manifest
/// that it names, or one of the `live` table files. The instance itself deletes files that it no longer needs, so what is
/// missing is asked for a second time.
///
/// # Errors
/// What the system says, but for a missing file.
pub(super) fn deleted_file(dir: &Path, live: impl Fn() -> Vec<String>) -> Result<Option<String>, StoreError> {
    let is_missing = |name: &String| Ok::<_, StoreError>(!dir.join(name).try_exists()?);
    let manifest = || match fs::read_to_string(dir.join(CURRENT)) {
        Ok(name) => Ok(Some(name.trim_end().to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StoreError::from(error)),
    };
    let Some(named) = manifest()? else { return Ok(Some(CURRENT.to_owned())) };
    if is_missing(&named)? && manifest()?.as_ref() == Some(&named) {
        return Ok(Some(named));
    }
    let mut missing = Vec::new();
    for name in live() {
        if is_missing(&name)? {
            missing.push(name);
        }
    }
    if missing.is_empty() {
        return Ok(None);
    }
    Ok(live().into_iter().find(|name| missing.contains(name)))
}

/// Replaces the small file `name` in `dir` by one with `content`, atomically and durably.
///
/// ```text
/// "OKVF" · format 0x01 · length (4 bytes, little endian) · content · CRC-32 of all before (4 bytes, little endian)
/// ```
pub(super) fn replace_record(dir: &Path, name: &str, content: &[u8]) -> Result<(), StoreError> {
    let length = u32::try_from(content.len()).map_err(|_| StoreError::Misuse("a record is below 4 GiB".into()))?;
    let mut bytes = Vec::with_capacity(HEADER_BYTES + content.len() + CHECKSUM_BYTES);
    bytes.extend_from_slice(MAGIC);
    bytes.push(FORMAT);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(content);
    let checksum = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());

    let new = dir.join(format!("{name}.new"));
    let mut file = File::create(&new)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    fs::rename(&new, dir.join(name))?;
    sync_dir(dir)
}

/// The content of the small file `name` in `dir`, `None` where there is no such file.
pub(super) fn read_record(dir: &Path, name: &str) -> Result<Option<Bytes>, StoreError> {
    let bytes = match fs::read(dir.join(name)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let content = check_record(&bytes).ok_or_else(|| StoreError::Corruption(format!("{name} does not check out")))?;
    Ok(Some(Bytes::copy_from_slice(content)))
}

fn check_record(bytes: &[u8]) -> Option<&[u8]> {
    let (body, checksum) = bytes.split_last_chunk::<CHECKSUM_BYTES>()?;
    let (header, content) = body.split_first_chunk::<HEADER_BYTES>()?;
    let length = u32::from_le_bytes(header[5..].try_into().ok()?);
    let fits = header[..4] == *MAGIC && header[4] == FORMAT && length as usize == content.len();
    let checks = crc32fast::hash(body) == u32::from_le_bytes(*checksum);
    (fits && checks).then_some(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back_and_a_damaged_one_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read_record(dir.path(), "R").unwrap(), None);
        for content in [b"".as_slice(), b"content"] {
            replace_record(dir.path(), "R", content).unwrap();
            assert_eq!(read_record(dir.path(), "R").unwrap().unwrap(), content);
        }
        let path = dir.path().join("R");
        let good = fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 4;
            fs::write(&path, &bad).unwrap();
            assert!(matches!(read_record(dir.path(), "R"), Err(StoreError::Corruption(_))), "byte {at}");
            fs::write(&path, &good[..at]).unwrap();
            assert!(matches!(read_record(dir.path(), "R"), Err(StoreError::Corruption(_))), "cut at {at}");
        }
    }
}
