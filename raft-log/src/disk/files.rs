//! A directory of the file system.
//!
//! A file that somebody deletes while it is open takes writes and syncs as before, and nobody finds them again. So a sync looks
//! whether the file still has a name (`fstat`, some tenths of a microsecond beside a sync's tens), and fails where it has none.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Disk, DiskFile};

/// A directory.
#[derive(Debug)]
pub struct FileDisk {
    /// The folder.
    path: PathBuf,
}

impl FileDisk {
    /// The directory at `path`, which is created with its parents where it is missing; what is created is durable.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(path: &Path) -> io::Result<FileDisk> {
        create_dir(path)?;
        Ok(FileDisk { path: path.to_owned() })
    }

    /// The error with the file that it is about. A file, or the whole folder, that is not where it was left has been moved or
    /// deleted by somebody else.
    fn of_file(&self, name: &str, error: io::Error) -> io::Error {
        let what = match error.kind() {
            io::ErrorKind::NotFound => " was moved or deleted while the log was open",
            _ => "",
        };
        io::Error::new(error.kind(), format!("{}{what}: {error}", self.path.join(name).display()))
    }
}

fn create_dir(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        create_dir(parent)?;
    }
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

impl Disk for FileDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(OpenFile::of(OpenOptions::new().read(true).write(true).open(self.path.join(name))?)?))
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<Arc<dyn DiskFile>> {
        let path = self.path.join(name);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path);
        let file = file.map_err(|error| self.of_file(name, error))?;
        if let Err(error) = allocate(&file, bytes) {
            // What is left of it takes the room that others may need.
            let _ = fs::remove_file(&path);
            return Err(error);
        }
        Ok(Arc::new(OpenFile::of(file)?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to)).map_err(|error| self.of_file(from, error))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name)).map_err(|error| self.of_file(name, error))
    }

    fn sync_names(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

/// Gives a new file its length and its room on the disk.
#[cfg(not(any(target_os = "linux", target_os = "freebsd")))]
fn allocate(file: &File, bytes: u64) -> io::Result<()> {
    file.set_len(bytes)
}

/// Gives a new file its length and its room on the disk.
#[cfg(any(target_os = "linux", target_os = "freebsd"))]
fn allocate(file: &File, bytes: u64) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let length = libc::off_t::try_from(bytes).map_err(io::Error::other)?;
    // SAFETY: the descriptor is open for as long as `file` lives.
    match unsafe { libc::posix_fallocate(file.as_raw_fd(), 0, length) } {
        0 => Ok(()),
        // A file system that cannot reserve room: the writes will tell.
        libc::EOPNOTSUPP | libc::EINVAL => file.set_len(bytes),
        code => Err(io::Error::from_raw_os_error(code)),
    }
}

#[derive(Debug)]
struct OpenFile {
    /// What is read and written.
    file: File,
    /// Whether the file system counts names: there are some that say zero of files that have one.
    counts_names: bool,
}

impl OpenFile {
    /// A file that has a name.
    fn of(file: File) -> io::Result<OpenFile> {
        Ok(OpenFile { counts_names: file.metadata()?.nlink() > 0, file })
    }
}

impl DiskFile for OpenFile {
    fn byte_len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn has_name(&self) -> io::Result<bool> {
        Ok(!self.counts_names || self.file.metadata()?.nlink() > 0)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()?;
        match self.has_name()? {
            false => Err(io::Error::other("a file of the log was deleted while it was open")),
            true => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_to_a_deleted_file_is_not_durable() {
        let folder = tempfile::tempdir().unwrap();
        let disk = FileDisk::open(&folder.path().join("log")).unwrap();
        let file = disk.create("one", 4096).unwrap();
        file.write_at(b"kept", 0).unwrap();
        file.sync().unwrap();
        disk.rename("one", "two").unwrap();
        file.sync().expect("it has another name");
        fs::rename(folder.path().join("log"), folder.path().join("moved")).unwrap();
        file.sync().expect("so has its folder");
        fs::remove_dir_all(folder.path()).unwrap();
        file.write_at(b"lost", 0).expect("nothing is noticed yet");
        let error = file.sync().expect_err("nobody finds it again");
        assert!(error.to_string().contains("deleted"), "{error}");
    }
}
