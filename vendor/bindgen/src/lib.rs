//! What `librocksdb-sys` calls of bindgen, without libclang, and RocksDB's archive on the way.
//!
//! Its build script first generates the bindings to RocksDB's C header through bindgen, then looks whether
//! `ROCKSDB_LIB_DIR` names a compiled RocksDB, and else compiles 342 C++ files one by one, for every profile and target
//! folder anew. `[patch.crates-io]` puts this crate in bindgen's place, which changes both for whoever builds this
//! workspace, by whatever cargo command:
//!
//! - The bindings are in `bindings.rs`, generated beforehand (`scripts/bindings.sh`). Their first line says of which
//!   header; another header is refused.
//! - In the same call, inside that build script's process, the archive is provided ([`archive`]): taken from a cache
//!   outside the clone, or compiled from the sources that `librocksdb-sys` brings, in a few large files ([`units`]); and
//!   `ROCKSDB_LIB_DIR` is set to where it is.
//!
//! Whoever sets `ROCKSDB_LIB_DIR` has the archive there looked at instead; `ROCKSDB_COMPILE=1` and targets other than
//! Linux get the original way of compiling. docs/decisions/building-rocksdb.md has the reasons and figures.

mod archive;
mod compiler;
mod own;
mod progress;
mod units;

use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// The bindings; the first line names the header's length and hash.
const BINDINGS: &str = include_str!("../bindings.rs");

/// Stands for bindgen's builder. Only the header is looked at: the other choices are those the bindings were made with.
#[derive(Default)]
pub struct Builder {
    header: PathBuf,
}

/// The bindings of a header, ready to be written.
pub struct Bindings(());

/// Why there are no bindings or no archive, as shown to whoever builds.
#[derive(Debug)]
pub struct Error(String);

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl Builder {
    /// The C header that bindings are for.
    #[must_use]
    pub fn header(mut self, path: impl Into<String>) -> Builder {
        self.header = PathBuf::from(path.into());
        self
    }

    /// As the bindings were made: no `Debug`.
    #[must_use]
    pub fn derive_debug(self, _: bool) -> Builder {
        self
    }

    /// As the bindings were made: nothing that is not RocksDB's.
    #[must_use]
    pub fn blocklist_type(self, _: impl AsRef<str>) -> Builder {
        self
    }

    /// As the bindings were made: types of crate `libc`.
    #[must_use]
    pub fn ctypes_prefix(self, _: impl Into<String>) -> Builder {
        self
    }

    /// As the bindings were made.
    #[must_use]
    pub fn size_t_is_usize(self, _: bool) -> Builder {
        self
    }

    /// Checks that the bindings are this header's, and provides RocksDB's archive to the build script that calls.
    ///
    /// # Errors
    /// The header is another one, `ROCKSDB_LIB_DIR` holds another RocksDB, or RocksDB cannot be compiled.
    pub fn generate(self) -> Result<Bindings, Error> {
        check_header(&self.header).and_then(|()| provide()).map_err(|reason| {
            // The build script panics with the error's `Debug`, in which line ends cannot be read.
            eprintln!("\n{reason}\n");
            Error(reason.lines().next().unwrap_or_default().to_owned())
        })?;
        Ok(Bindings(()))
    }
}

impl Bindings {
    /// Writes the bindings to a file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_to_file(&self, path: impl AsRef<Path>) -> io::Result<()> {
        fs::write(path, BINDINGS)
    }
}

/// What the first line of the bindings says about this header.
fn signature(header: &[u8]) -> String {
    format!("// Of a rocksdb/c.h with {} bytes, FNV-1a {:016x}.", header.len(), hash(&[header]))
}

fn check_header(path: &Path) -> Result<(), String> {
    let header = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let signature = signature(&header);
    if BINDINGS.lines().next() == Some(&signature) {
        return Ok(());
    }
    Err(format!(
        "The bindings in vendor/bindgen are not those of {}.\n\
         After another version of librocksdb-sys was chosen: scripts/bindings.sh makes them anew.",
        path.display()
    ))
}

/// Points the build script at the archive.
fn provide() -> Result<(), String> {
    println!("cargo:rerun-if-env-changed=DYNAMO_SERVER_CACHE");
    let variable = |name| env::var(name).unwrap_or_default();
    let compile = variable("ROCKSDB_COMPILE").to_lowercase();
    if compile == "1" || compile == "true" || variable("CARGO_CFG_TARGET_OS") != "linux" {
        return Ok(());
    }
    if let Some(folder) = env::var_os("ROCKSDB_LIB_DIR") {
        return own::check(Path::new(&folder), &variable("CARGO_PKG_VERSION"));
    }
    let folder = archive::provide(&caches(|name| env::var_os(name)), &compiler::recipe()?)?;
    // SAFETY: the build script has one thread here; those that compiled have ended.
    unsafe {
        env::set_var("ROCKSDB_LIB_DIR", folder);
        env::set_var("ROCKSDB_STATIC", "1");
    }
    Ok(())
}

/// Where the archive may be kept, in this order: a cache that clones, profiles and target folders share, or else (no home
/// folder, or one that cannot be written) the build script's own folder.
fn caches(variable: impl Fn(&str) -> Option<std::ffi::OsString>) -> Vec<PathBuf> {
    let folder = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let shared = folder("DYNAMO_SERVER_CACHE").or_else(|| {
        let cache = folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")));
        Some(cache?.join("dynamo-server"))
    });
    shared.into_iter().chain(folder("OUT_DIR")).collect()
}

/// FNV-1a with 64 bits of the parts, one after the other.
fn hash(parts: &[&[u8]]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.iter());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    fn cache_of(variables: &[(&str, &str)]) -> Vec<PathBuf> {
        caches(|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value)))
    }

    #[test]
    fn the_cache_is_where_the_user_says_or_else_in_the_home_folder_or_else_in_the_target_folder() {
        let home = ("HOME", "/home/a b");
        let out = ("OUT_DIR", "/t/out");
        assert_eq!(cache_of(&[home, out]), [PathBuf::from("/home/a b/.cache/dynamo-server"), PathBuf::from("/t/out")]);
        assert_eq!(cache_of(&[("XDG_CACHE_HOME", "/x"), home])[0], PathBuf::from("/x/dynamo-server"));
        assert_eq!(cache_of(&[("DYNAMO_SERVER_CACHE", "/d"), home])[0], PathBuf::from("/d"));
        assert_eq!(cache_of(&[("HOME", ""), out]), [PathBuf::from("/t/out")]);
    }

    #[test]
    fn another_header_is_refused_and_told_how_to_go_on() {
        let folder = tempfile::tempdir().unwrap();
        let header = folder.path().join("c.h");
        fs::write(&header, "int rocksdb_open();").unwrap();
        let refusal = check_header(&header).unwrap_err();
        assert!(refusal.contains("scripts/bindings.sh"), "{refusal}");
        assert!(check_header(&folder.path().join("none.h")).unwrap_err().contains("none.h"));
    }

    /// RocksDB's header and the bindings are read independently of each other, by their text.
    #[test]
    fn every_function_of_the_bindings_is_distinct_and_the_signature_is_in_front() {
        let mut names: Vec<&str> = BINDINGS
            .lines()
            .filter_map(|line| line.trim_start().strip_prefix("pub fn "))
            .filter_map(|line| line.split('(').next())
            .collect();
        assert!(names.len() > 1_000 && names.iter().all(|name| name.starts_with("rocksdb_")), "{}", names.len());
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
        assert!(BINDINGS.starts_with("// Of a rocksdb/c.h with "));
    }
}
