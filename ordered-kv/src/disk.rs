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
    use std::os::unix::ffi::OsStrExt;
    let path = std::ffi::CString::new(path.as_os_str().as_bytes())
        .map_err(|_| StoreError::Misuse("a path cannot hold a zero byte".into()))?;
    let mut stats = std::mem::MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the path is a C string and the buffer is large enough; it is read only if the call filled it.
    let stats = unsafe {
        if libc::statvfs(path.as_ptr(), stats.as_mut_ptr()) != 0 {
            return Err(std::io::Error::last_os_error().into());
        }
        stats.assume_init()
    };
    #[allow(clippy::unnecessary_cast)] // the widths of these fields differ between systems
    Ok(stats.f_bavail as u64 * stats.f_frsize as u64)
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

#[cfg(test)]
mod tests {
    #[cfg(unix)]
    #[test]
    fn there_is_room_somewhere_and_none_nowhere() {
        assert!(super::free_bytes(std::path::Path::new("/")).is_ok());
        assert!(super::free_bytes(std::path::Path::new("/no/such/path")).is_err());
    }
}
