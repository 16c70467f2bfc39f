//! A disk so small that it can be filled: a file system in memory, mounted for one node's data.
//!
//! Mounting needs privileges that a test may not have; who asks for such a disk is told so, and says it.

use std::ffi::CString;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What takes all the room.
const BALLAST: &str = "ballast";

/// How much is written at a time; the last one is cut off where the disk ends.
const PIECE: usize = 1 << 20;

/// A mounted disk, which goes with everything on it.
pub struct SmallDisk {
    path: PathBuf,
}

impl SmallDisk {
    /// Mounts an empty disk of so many bytes at `path`.
    ///
    /// # Errors
    /// What the system says, such as that this process may not.
    pub fn mount(path: &Path, bytes: u64) -> io::Result<SmallDisk> {
        fs::create_dir_all(path)?;
        let target = CString::new(path.as_os_str().as_bytes())?;
        let options = CString::new(format!("size={bytes}"))?;
        let kind = c"tmpfs";
        // SAFETY: all pointers are to strings that end with a zero and outlive the call.
        let done = unsafe { libc::mount(kind.as_ptr(), target.as_ptr(), kind.as_ptr(), 0, options.as_ptr().cast()) };
        if done == 0 { Ok(SmallDisk { path: path.to_owned() }) } else { Err(io::Error::last_os_error()) }
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes until nothing can be written any more; how many bytes that took.
    pub fn fill(&self) -> u64 {
        let path = self.path.join(BALLAST);
        let mut ballast = OpenOptions::new().create(true).append(true).open(path).expect("one more file");
        let piece = vec![0; PIECE];
        let mut written = 0;
        loop {
            match ballast.write(&piece) {
                Ok(0) | Err(_) => return written,
                Ok(count) => written += count as u64,
            }
        }
    }

    /// Removes what [`SmallDisk::fill`] wrote.
    pub fn make_room(&self) {
        fs::remove_file(self.path.join(BALLAST)).expect("the disk was filled");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let Ok(target) = CString::new(self.path.as_os_str().as_bytes()) else { return };
        // SAFETY: a string that ends with a zero and outlives the call.
        unsafe { libc::umount2(target.as_ptr(), libc::MNT_DETACH) };
    }
}
