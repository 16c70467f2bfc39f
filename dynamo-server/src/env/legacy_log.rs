//! Logs of builds before format 2 of the directory, which lay in RocksDB: they are taken over when the directory is opened.
//!
//! ```text
//! format 1   log/ (RocksDB) ─▶ log.new/ (segments, complete and durable) ─▶ the identity says format 2
//! format 2   log/ (RocksDB) is renamed log.old/ ─▶ log.new/ is renamed log/ ─▶ log.old/ is removed
//! ```
//!
//! A crash between any two steps is continued at the next opening: in format 1 from the beginning, since an older program may
//! have written meanwhile; from format 2 on no older program opens the directory.
//!
//! The old log was cut off in silence at the first record that did not check out, so it had a *floor* beside it that said
//! how far it had certainly come; a log that ends before it is refused, as it was then.
//!
//! ```text
//! 01 · group (4, BE) · kind (1)           vote 01, committed 02, purged 03, incoming 04
//! 02 · group (4, BE) · index (8, BE)      an entry
//! floor   format (1) · n groups · (group · last log id? · vote?) …
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use dynamo_engine::codec::{DecodeError, finish, get_bool, get_list, get_option, get_u8, get_u32, get_u64};
use ordered_kv::rocks::{LogOptions, open_log};
use ordered_kv::{Direction, KeyRange, Reader, StoreError};
use raft_log::{Batch, FileDisk, Log, LogError, Options};

use super::directory::{Directory, DirectoryError, Identity};

/// What format 1 and the log in RocksDB belong to.
const FORMAT_OF_ROCKS: u32 = 1;

/// The format of votes, entries and floors.
const LOG_FORMAT: u8 = 1;

const KIND_PURGED: u8 = 3;
/// The kinds of entries that are memberships.
const KINDS_MEMBERSHIP: [u8; 2] = [2, 3];

/// Bytes that are written at once.
const BATCH_BYTES: usize = 1 << 20;

/// Why an old log cannot be taken over. It is as it was.
#[derive(Debug, thiserror::Error)]
pub enum LegacyError {
    /// It cannot be read.
    #[error("the log of an older build cannot be read: {0}")]
    Old(#[from] StoreError),
    /// The new one cannot be written.
    #[error("the log of an older build cannot be taken over: {0}")]
    New(#[from] LogError),
    /// What stands in it is not what this program knows.
    #[error("the log of an older build cannot be decoded: {0}")]
    Decode(#[from] DecodeError),
    /// It ends before what was known to be durable.
    #[error("the log of shard {group} ends at index {found:?} but was known to be durable up to index {known}")]
    Ends {
        /// The group.
        group: u32,
        /// The last index in the log.
        found: Option<u64>,
        /// The last index that the floor knows.
        known: u64,
    },
    /// It has forgotten a vote.
    #[error("the log of shard {0} does not hold the last vote that was saved")]
    Vote(u32),
    /// An entry is missing in between.
    #[error("the log of shard {group} has no entry {missing} although later ones are there")]
    Gap {
        /// The group.
        group: u32,
        /// The first index that is missing.
        missing: u64,
    },
    /// The file system refused.
    #[error("the log of an older build cannot be taken over: {0}")]
    Io(#[from] io::Error),
    /// The directory's identity.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
}

/// Sees to it that `log` in the directory holds segments, if it holds anything.
pub(super) fn take_over(directory: &Directory, identity: Option<&Identity>, log_id: u64) -> Result<(), LegacyError> {
    let (log, new, old) = (directory.part("log"), directory.part("log.new"), directory.part("log.old"));
    match directory.format()? {
        Some(FORMAT_OF_ROCKS) if !is_rocks(&log) => return Err(LogError::Gone.into()),
        Some(FORMAT_OF_ROCKS) | None if is_rocks(&log) => {
            remove(&new)?;
            copy(&log, &new, identity.map_or(log_id, |identity| identity.incarnation))?;
            if let Some(identity) = identity {
                directory.write_identity(identity)?;
            }
            tracing::info!("the log of an older build was taken over");
        }
        _ => {}
    }
    if new.is_dir() {
        if is_rocks(&log) {
            fs::rename(&log, &old)?;
        }
        fs::rename(&new, &log)?;
        directory.sync()?;
    }
    Ok(remove(&old)?)
}

fn is_rocks(log: &Path) -> bool {
    log.join("CURRENT").exists()
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// What is known of a group while it is copied.
#[derive(Default)]
struct Copied {
    /// The vote, if there was one.
    vote: Option<Vec<u8>>,
    /// The index of the last entry.
    last: Option<u64>,
}

/// Copies the log in `from` to segments in `to`; durable on return.
fn copy(from: &Path, to: &Path, log_id: u64) -> Result<(), LegacyError> {
    let old = open_log(from, &LogOptions::default())?;
    let new = Log::open(Arc::new(FileDisk::open(to)?), &Options { log_id, ..Options::default() })?;
    let mut groups: BTreeMap<u32, Copied> = BTreeMap::new();
    let mut batch = Batch::new();
    // The small values come first, and with them up to where each group was purged.
    let mut cursor = old.cursor(KeyRange::all(), Direction::Forward)?;
    while let Some((key, value)) = cursor.next()? {
        match *key {
            [1, a, b, c, d, kind] => {
                let group = u32::from_be_bytes([a, b, c, d]);
                put_value(&mut batch, groups.entry(group).or_default(), group, kind, value)?;
            }
            [2, a, b, c, d, ref index @ ..] if index.len() == 8 => {
                let group = u32::from_be_bytes([a, b, c, d]);
                let index = u64::from_be_bytes(index.try_into().expect("eight bytes, as was just seen"));
                put_entry(&mut batch, groups.entry(group).or_default(), group, index, value)?;
            }
            _ => return Err(StoreError::Corruption("a key of another kind".to_owned()).into()),
        }
        if batch.byte_len() > BATCH_BYTES {
            new.write(std::mem::take(&mut batch), false)?;
        }
    }
    if let Some(floor) = old.floor()? {
        check(&floor, &groups)?;
    }
    new.write(batch, true)?;
    Ok(new.settle()?)
}

fn put_value(batch: &mut Batch, group: &mut Copied, number: u32, kind: u8, value: &[u8]) -> Result<(), LegacyError> {
    if kind == KIND_PURGED {
        let mut input = value;
        let (term, index) = (get_u64(&mut input)?, get_u64(&mut input)?);
        finish(input)?;
        batch.purge(number, term, index, &[]);
        group.last = Some(index);
    } else {
        batch.put(number, kind, value);
        if kind == 1 {
            group.vote = Some(value.to_vec());
        }
    }
    Ok(())
}

fn put_entry(batch: &mut Batch, group: &mut Copied, number: u32, index: u64, value: &[u8]) -> Result<(), LegacyError> {
    if let Some(last) = group.last
        && index != last + 1
    {
        // What was purged may still lie there: its removal was not durable yet.
        return if index <= last { Ok(()) } else { Err(LegacyError::Gap { group: number, missing: last + 1 }) };
    }
    let mut input = value;
    let (_format, term, _index, kind) =
        (get_u8(&mut input)?, get_u64(&mut input)?, get_u64(&mut input)?, get_u8(&mut input)?);
    batch.append(number, term, index, value, KINDS_MEMBERSHIP.contains(&kind));
    group.last = Some(index);
    Ok(())
}

/// Compares what was found with the floor.
fn check(mut floor: &[u8], groups: &BTreeMap<u32, Copied>) -> Result<(), LegacyError> {
    let input = &mut floor;
    if get_u8(input)? != LOG_FORMAT {
        return Err(StoreError::Corruption("a floor of another format".to_owned()).into());
    }
    let known = get_list(input, |input| {
        let group = get_u32(input)?;
        let last = get_option(input, |input| Ok((get_u64(input)?, get_u64(input)?)))?;
        Ok((group, last, get_option(input, get_vote)?))
    })?;
    finish(input)?;
    for (group, last, vote) in known {
        let copied = groups.get(&group);
        let found = copied.and_then(|copied| copied.last);
        if let Some((_, known)) = last.filter(|(_, known)| found < Some(*known)) {
            return Err(LegacyError::Ends { group, found, known });
        }
        let found = copied.and_then(|copied| copied.vote.as_deref());
        let found = found.map(|mut bytes| get_vote(&mut bytes)).transpose()?;
        if vote.is_some_and(|known| !found.is_some_and(|found| covers(found, known))) {
            return Err(LegacyError::Vote(group));
        }
    }
    Ok(())
}

/// Term, node, and whether it is that of a leader.
type Vote = (u64, u64, bool);

fn get_vote(input: &mut &[u8]) -> Result<Vote, DecodeError> {
    get_u8(input)?;
    Ok((get_u64(input)?, get_u64(input)?, get_bool(input)?))
}

/// Whether the vote found is the known one or a later one.
fn covers(found: Vote, known: Vote) -> bool {
    found.0 > known.0 || (found.0 == known.0 && found.1 == known.1 && found.2 >= known.2)
}

#[cfg(test)]
mod tests {
    use ordered_kv::WriteBatch;

    use super::*;
    use crate::env::{OpenError, Storage, StoreOptions, Stores};

    fn scalar(group: u32, kind: u8) -> Vec<u8> {
        [&[1], group.to_be_bytes().as_slice(), &[kind]].concat()
    }

    fn entry_key(group: u32, index: u64) -> Vec<u8> {
        [&[2], group.to_be_bytes().as_slice(), &index.to_be_bytes()].concat()
    }

    fn entry(index: u8, kind: u8) -> Vec<u8> {
        vec![1, 3, index, kind, index]
    }

    /// A directory of format 1: group 0 is purged up to 4 and holds 5 to 9, group 1 holds 0 to 2.
    fn old_directory(floor: Option<&[u8]>) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let directory = Directory::open(dir.path()).unwrap();
        let log = open_log(&directory.part("log"), &LogOptions::default()).unwrap();
        let mut batch = WriteBatch::new();
        batch.put(&scalar(0, 1), &[1, 3, 2, 1]);
        batch.put(&scalar(0, 2), &[3, 8]);
        batch.put(&scalar(0, 3), &[3, 4]);
        (3..10).for_each(|index| {
            batch.put(&entry_key(0, u64::from(index)), &entry(index, if index == 6 { 2 } else { 0 }))
        });
        (0..3).for_each(|index| batch.put(&entry_key(1, u64::from(index)), &entry(index, 0)));
        log.write_synced(&batch).unwrap();
        if let Some(floor) = floor {
            log.record_floor(floor).unwrap();
        }
        let text = "dynamo-server node\nformat 1\ncluster 0000000000000000000000000000feed\nnode 3\n\
                    incarnation 000000000000beef\nshards 2\n";
        let checksum = crc32fast::hash(text.as_bytes());
        fs::write(dir.path().join("node"), format!("{text}crc32 {checksum:08x}\n")).unwrap();
        dir
    }

    fn open(dir: &tempfile::TempDir) -> Result<Stores, OpenError> {
        Stores::open(&Storage::Directory(dir.path().to_owned()), &StoreOptions::default(), 5)
    }

    fn assert_taken_over(dir: &tempfile::TempDir) {
        let stores = open(dir).unwrap();
        let log = &stores.log;
        assert_eq!((log.purged(0), log.last(0), log.last(1)), (Some((3, 4)), Some(9), Some(2)));
        assert_eq!(log.value(0, 1).unwrap(), [1, 3, 2, 1]);
        assert_eq!(log.notable(0), [6]);
        let entries = log.read(0, 5, 10, usize::MAX).unwrap();
        assert_eq!(entries.iter().map(|entry| entry.body.to_vec()).collect::<Vec<_>>(), {
            (5..10).map(|index| entry(index, if index == 6 { 2 } else { 0 })).collect::<Vec<_>>()
        });
        assert_eq!(stores.directory.unwrap().format().unwrap(), Some(2));
        assert!(!dir.path().join("log/CURRENT").exists());
        assert!(!dir.path().join("log.old").exists() && !dir.path().join("log.new").exists());
    }

    #[test]
    fn log_of_an_older_build_is_taken_over_whereever_that_was_interrupted() {
        let floor = [1, 1, 0, 1, 3, 9, 1, 1, 3, 2, 1];
        let dir = old_directory(Some(&floor));
        assert_taken_over(&dir);
        assert_taken_over(&dir);

        // Killed while the copy was written.
        let dir = old_directory(None);
        fs::create_dir(dir.path().join("log.new")).unwrap();
        fs::write(dir.path().join("log.new/segment-00000001"), b"torn").unwrap();
        assert_taken_over(&dir);

        // Killed after the identity said format 2, and after the first rename.
        for renamed in [false, true] {
            let dir = old_directory(None);
            copy(&dir.path().join("log"), &dir.path().join("log.new"), 5).unwrap();
            let directory = Directory::open(dir.path()).unwrap();
            directory.write_identity(&directory.identity().unwrap().unwrap()).unwrap();
            drop(directory);
            if renamed {
                fs::rename(dir.path().join("log"), dir.path().join("log.old")).unwrap();
            }
            assert_taken_over(&dir);
        }
    }

    #[test]
    fn damaged_log_of_an_older_build_is_refused() {
        for floor in [[1, 1, 0, 1, 3, 10, 0].as_slice(), &[1, 1, 0, 0, 1, 1, 4, 1, 0], &[1, 1, 7, 1, 1, 1, 0], &[2]] {
            let dir = old_directory(Some(floor));
            for _ in 0..2 {
                assert!(matches!(open(&dir), Err(OpenError::Legacy(_))), "{floor:?}");
            }
        }
        let dir = old_directory(None);
        fs::remove_dir_all(dir.path().join("log")).unwrap();
        assert!(open(&dir).is_err());
    }
}
