//! A disk whose power can be cut: a file system of its own for one node's data, which loses what was written and not synced.
//!
//! kill -9 proves little about durability, since the page cache survives it. Here the kernel shuts the file system down
//! instead, without writing its journal or anything else (`EXT4_IOC_SHUTDOWN`): what the cache holds is gone, and what is
//! mounted again from the image is what was on the disk at that moment.
//!
//! ```text
//! node-3/     ext4, mounted by a loop device from
//! node-3.disk an image as long as a disk and with as few blocks as are used
//! ```
//!
//! Loop devices and mounts are for root; whoever has them not is told so ([`PowerDisk::trial`]).

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// How long the disk says that it is.
const BYTES: u64 = 2 << 30;

/// Shuts a file system down: `_IOR('X', 125, __u32)` of the kernel.
const SHUTDOWN: u32 = 0x8004_587d;

/// ... without writing its journal.
const WITHOUT_JOURNAL: u32 = 2;

/// A mounted disk. Its image stays where it is.
pub struct PowerDisk {
    /// Where it is mounted.
    path: PathBuf,
}

impl PowerDisk {
    /// Mounts an empty disk at `path`, with its image beside it.
    ///
    /// # Errors
    /// What the programs of the system say, such as that this process may not.
    pub fn format(path: &Path) -> io::Result<PowerDisk> {
        std::fs::create_dir_all(path)?;
        let image = image(path);
        File::create(&image)?.set_len(BYTES)?;
        let mut mkfs = Command::new("mkfs.ext4");
        mkfs.args(["-q", "-F", "-N", "4096", "-J", "size=8", "-E", "lazy_itable_init=1,lazy_journal_init=1"]);
        run(mkfs.arg(image))?;
        let disk = PowerDisk { path: path.to_owned() };
        disk.mount()?;
        Ok(disk)
    }

    /// Whether such disks can be had here: writes to one, cuts its power, and looks at what is left.
    ///
    /// # Errors
    /// Why not.
    pub fn trial() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let disk = PowerDisk::format(&folder.path().join("trial"))?;
        let (synced, written) = (disk.path.join("synced"), disk.path.join("written"));
        std::fs::write(&synced, "1")?;
        File::open(&synced)?.sync_all()?;
        File::open(&disk.path)?.sync_all()?;
        std::fs::write(&written, "1")?;
        disk.cut()?;
        disk.replug()?;
        match (synced.exists(), written.exists()) {
            (true, false) => Ok(()),
            found => {
                Err(io::Error::other(format!("after a cut there is {found:?} of what was synced and what was not")))
            }
        }
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Cuts its power: from now on nothing can be read or written, until [`PowerDisk::replug`].
    ///
    /// # Errors
    /// What the system says.
    pub fn cut(&self) -> io::Result<()> {
        let (folder, how) = (File::open(&self.path)?, WITHOUT_JOURNAL);
        // SAFETY: the descriptor is open, and the argument is a number that outlives the call.
        match unsafe { libc::ioctl(folder.as_raw_fd(), SHUTDOWN as _, &raw const how) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Gives it power again, with what was on it when that was cut. Nobody may use a file of it.
    ///
    /// The image is copied for that: the kernel goes on with a file system that was shut down for as long as anybody has it
    /// mounted, and every new mount namespace of another process has it.
    ///
    /// # Errors
    /// What the system says.
    pub fn replug(&self) -> io::Result<()> {
        self.unmount()?;
        let (image, copy) = (image(&self.path), self.path.with_extension("copy"));
        run(Command::new("cp").arg("--sparse=always").args([&image, &copy]))?;
        std::fs::rename(copy, image)?;
        self.mount()
    }

    fn mount(&self) -> io::Result<()> {
        run(Command::new("mount").args(["-o", "loop,noinit_itable"]).arg(image(&self.path)).arg(&self.path))
    }

    fn unmount(&self) -> io::Result<()> {
        let target = CString::new(self.path.as_os_str().as_bytes())?;
        // SAFETY: a string that ends with a zero and outlives the call.
        match unsafe { libc::umount2(target.as_ptr(), libc::MNT_DETACH) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

impl Drop for PowerDisk {
    fn drop(&mut self) {
        // Where it is not mounted there is nothing to undo.
        let _ = self.unmount();
    }
}

fn image(path: &Path) -> PathBuf {
    path.with_extension("disk")
}

fn run(command: &mut Command) -> io::Result<()> {
    let ended = command.stdin(Stdio::null()).output()?;
    match ended.status.success() {
        true => Ok(()),
        false => Err(io::Error::other(format!("{command:?}: {}", String::from_utf8_lossy(&ended.stderr).trim()))),
    }
}
