//! What of this node's data could not be read, remembered over restarts.
//!
//! A damaged block is met by whoever needs it, and only then. A node that forgot it with its process would lead the shard again,
//! and its status would say that all is well, until somebody needs the block once more. So what was met stands in a file of its
//! own beside the identity, one line for each shard:
//!
//! ```text
//! dynamo-server damage
//! shard 3: stored data is corrupt: Corruption: block checksum mismatch: … in …/state/000012.sst offset 4032 size 4016
//! node: …                                                 where nobody knows whose records they are
//! ```
//!
//! A line that names a table file is struck out at the first start without that file. Any other stays until the file is deleted,
//! as whoever restores a directory may do. The file is for people, too: it has no checksum, and what cannot be understood of it
//! counts as a line of the node's.

use std::io;
use std::path::PathBuf;

use parking_lot::Mutex;

use super::directory::{DAMAGE_FILE, Directory, DirectoryError, STATE_PART, replace_file};

const TITLE: &str = "dynamo-server damage";

/// Something that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamageNote {
    /// Of which shard; `None` where that is not known.
    pub shard: Option<u32>,
    /// What the store said.
    pub what: String,
}

impl DamageNote {
    /// The table file of the state that it names.
    pub fn table_file(&self) -> Option<&str> {
        let mut words = self.what.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '.');
        words.find(|word| word.strip_suffix(".sst").is_some_and(|number| !number.is_empty()))
    }

    fn encode(&self) -> String {
        let what = self.what.replace(['\n', '\r'], " ");
        match self.shard {
            Some(shard) => format!("shard {shard}: {what}\n"),
            None => format!("node: {what}\n"),
        }
    }

    fn decode(line: &str) -> DamageNote {
        let of_shard = || {
            let (shard, what) = line.strip_prefix("shard ")?.split_once(": ")?;
            Some(DamageNote { shard: Some(shard.parse().ok()?), what: what.to_owned() })
        };
        let of_node = || DamageNote { shard: None, what: line.strip_prefix("node: ").unwrap_or(line).to_owned() };
        of_shard().unwrap_or_else(of_node)
    }
}

/// The notes of one node.
#[derive(Debug)]
pub struct DamageNotes {
    /// `None` for a node without a disk.
    file: Option<PathBuf>,
    /// At most one for each shard, and one for the node.
    notes: Mutex<Vec<DamageNote>>,
}

impl DamageNotes {
    /// Those of a node without a disk.
    pub fn in_memory() -> DamageNotes {
        DamageNotes { file: None, notes: Mutex::default() }
    }

    /// Reads the notes of a directory, without those whose table files have gone.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn open(directory: &Directory) -> Result<DamageNotes, DirectoryError> {
        let path = directory.part(DAMAGE_FILE);
        let text = match std::fs::read(&path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(DirectoryError::Io { path, source }),
        };
        let mut notes: Vec<DamageNote> = Vec::new();
        for line in text.lines().filter(|line| !line.is_empty() && *line != TITLE) {
            let note = DamageNote::decode(line);
            let is_there = note.table_file().is_none_or(|name| directory.part(STATE_PART).join(name).exists());
            if is_there && notes.iter().all(|known| known.shard != note.shard) {
                notes.push(note);
            }
        }
        Ok(DamageNotes { file: Some(path), notes: Mutex::new(notes) })
    }

    /// What is noted.
    pub fn notes(&self) -> Vec<DamageNote> {
        self.notes.lock().clone()
    }

    /// Whether something is noted of this shard, or of the node.
    pub fn is_noted(&self, shard: Option<u32>) -> bool {
        self.notes.lock().iter().any(|known| known.shard == shard)
    }

    /// Whether a table file of the state is known to be damaged.
    pub fn name_a_table_file(&self) -> bool {
        self.notes.lock().iter().any(|note| note.table_file().is_some())
    }

    /// Adds a note, unless there is one of the shard. Durable on return.
    ///
    /// # Errors
    /// When the file system refuses; this process remembers it all the same, and does not try again.
    pub fn add(&self, note: DamageNote) -> Result<(), DirectoryError> {
        let mut notes = self.notes.lock();
        if notes.iter().any(|known| known.shard == note.shard) {
            return Ok(());
        }
        notes.push(note);
        let Some(path) = &self.file else { return Ok(()) };
        let text = notes.iter().fold(format!("{TITLE}\n"), |text, note| text + &note.encode());
        replace_file(path, text.as_bytes()).map_err(|source| DirectoryError::Io { path: path.clone(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(shard: Option<u32>, what: &str) -> DamageNote {
        DamageNote { shard, what: what.to_owned() }
    }

    #[test]
    fn notes_are_read_back_until_the_file_that_they_name_has_gone() {
        let dir = tempfile::tempdir().unwrap();
        let directory = Directory::open(dir.path()).unwrap();
        let table = directory.part(STATE_PART).join("000012.sst");
        std::fs::create_dir(directory.part(STATE_PART)).unwrap();
        std::fs::write(&table, "").unwrap();
        let notes = DamageNotes::open(&directory).unwrap();
        assert_eq!(notes.notes(), []);
        let of_file = note(Some(3), "mismatch in /d/state/000012.sst offset 4 size 5");
        let of_record = note(None, "a record\nis damaged");
        for (added, again) in [(&of_file, "another"), (&of_record, "another")] {
            notes.add(added.clone()).unwrap();
            notes.add(note(added.shard, again)).unwrap();
        }
        let opened = DamageNotes::open(&directory).unwrap();
        assert_eq!(opened.notes(), [of_file.clone(), note(None, "a record is damaged")]);
        assert!(opened.name_a_table_file() && opened.is_noted(Some(3)) && !opened.is_noted(Some(4)));
        std::fs::remove_file(table).unwrap();
        let opened = DamageNotes::open(&directory).unwrap();
        assert_eq!(opened.notes(), [note(None, "a record is damaged")]);
        assert!(!opened.name_a_table_file());
    }

    #[test]
    fn the_file_is_pinned_and_what_is_not_understood_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let directory = Directory::open(dir.path()).unwrap();
        DamageNotes::open(&directory).unwrap().add(note(Some(3), "x")).unwrap();
        let path = dir.path().join(DAMAGE_FILE);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "dynamo-server damage\nshard 3: x\n");
        std::fs::write(&path, b"shard x: y\n\xff\n").unwrap();
        assert_eq!(DamageNotes::open(&directory).unwrap().notes(), [note(None, "shard x: y")]);
    }

    #[test]
    fn table_files_are_found_in_what_the_store_says() {
        let named = |what: &str| note(None, what).table_file().map(str::to_owned);
        assert_eq!(named("in /a.b/state/000012.sst offset 1").as_deref(), Some("000012.sst"));
        assert_eq!(named("Corruption in file 7.sst: bad").as_deref(), Some("7.sst"));
        assert_eq!(named("a record of the state is damaged"), None);
        assert_eq!(named("the ending .sst alone"), None);
    }
}
