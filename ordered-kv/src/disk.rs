//! How much room the disk has, so that writes can be refused before it is full.

use std::path::Path;

use crate::StoreError;

/// The bytes that an unprivileged process can still write to the file system that holds `path`.
///
/// # Errors
///
/// [`StoreError::Io`] if the path does not exist or cannot be asked; [`StoreError::Unsupported`] off Unix.
#[cfg(unix)]
pub fn free_bytes(path: &Path) -> Result<u64, StoreError> {
    let stats = stats(path)?;
    #[allow(clippy::unnecessary_cast)] // the widths of these fields differ between systems
    Ok(stats.f_bavail as u64 * stats.f_frsize as u64)
}

/// The size of the file system that holds `path`, in bytes.
///
/// # Errors
///
/// As [`free_bytes`].
#[cfg(unix)]
pub fn total_bytes(path: &Path) -> Result<u64, StoreError> {
    let stats = stats(path)?;
    #[allow(clippy::unnecessary_cast)] // the widths of these fields differ between systems
    Ok(stats.f_blocks as u64 * stats.f_frsize as u64)
}

#[cfg(unix)]
fn stats(path: &Path) -> Result<libc::statvfs, StoreError> {
    use std::os::unix::ffi::OsStrExt;
    let path = std::ffi::CString::new(path.as_os_str().as_bytes())
        .map_err(|_| StoreError::Misuse("a path cannot hold a zero byte".into()))?;
    let mut stats = std::mem::MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the path is a C string and the buffer is large enough; it is read only if the call filled it.
    unsafe {
        if libc::statvfs(path.as_ptr(), stats.as_mut_ptr()) != 0 {
            return Err(std::io::Error::last_os_error().into());
        }
        Ok(stats.assume_init())
    }
}

/// The bytes that can still be written: unknown on this system.
///
/// # Errors
///
/// Always [`StoreError::Unsupported`].
#[cfg(not(unix))]
pub fn free_bytes(_path: &Path) -> Result<u64, StoreError> {
    Err(StoreError::Unsupported("free space is only known on Unix"))
}

/// The size of the file system: unknown on this system.
///
/// # Errors
///
/// Always [`StoreError::Unsupported`].
#[cfg(not(unix))]
pub fn total_bytes(_path: &Path) -> Result<u64, StoreError> {
    Err(StoreError::Unsupported("the size of a file system is only known on Unix"))
}

#[cfg(test)]
mod tests {
    #[cfg(unix)]
    #[test]
    fn there_is_room_somewhere_and_none_nowhere() {
        let root = std::path::Path::new("/");
        assert!(super::free_bytes(root).unwrap() <= super::total_bytes(root).unwrap());
        assert!(super::free_bytes(std::path::Path::new("/no/such/path")).is_err());
    }
}
