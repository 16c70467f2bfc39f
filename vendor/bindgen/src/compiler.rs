//! How RocksDB is compiled: the flags of `librocksdb-sys`, for Linux.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::archive::Recipe;
use crate::units::{Unit, units};

/// The recipe for the version whose build script this process is, from what cargo tells it.
pub(crate) fn recipe() -> Result<Recipe, String> {
    // A build script starts in its package's folder.
    let package = env::current_dir().map_err(|error| format!("no current folder: {error}"))?;
    let sources = package.join("rocksdb");
    let list = package.join("rocksdb_lib_sources.txt");
    let list = fs::read_to_string(&list).map_err(|error| format!("{}: {error}", list.display()))?;
    let mut units = units(&list, |file| fs::metadata(sources.join(file)).map_or(0, |data| data.len()));
    // In librocksdb-sys' own folder, which is among the include folders.
    let stamp = vec!["build_version.cc".to_owned()];
    units.push(Unit { name: "version".to_owned(), hot: false, files: stamp });

    let hot = build(&package, 2).try_get_compiler().map_err(|error| error.to_string())?.to_command();
    let cold = build(&package, 1).try_get_compiler().map_err(|error| error.to_string())?.to_command();
    let archiver = build(&package, 2).try_get_archiver().map_err(|error| error.to_string())?;
    let mut identity = vec![env::var("CARGO_PKG_VERSION").unwrap_or_default(), version(&hot)];
    for command in [&hot, &cold] {
        // Folders differ between users and mean the same; the headers in them come below.
        let flags = command.get_args().filter(|argument| !Path::new(argument).is_absolute());
        identity.extend(flags.map(|argument| argument.to_string_lossy().into_owned()));
    }
    for (folder, header) in [("DEP_LZ4_INCLUDE", "lz4.h"), ("DEP_ZSTD_INCLUDE", "zstd.h")] {
        let header = env::var_os(folder).map(|folder| Path::new(&folder).join(header));
        identity.push(header.and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default());
    }
    Ok(Recipe { units, hot, cold, archiver, identity })
}

/// Everything but the name of the file. The same as in librocksdb-sys' build script, warnings apart.
fn build(package: &Path, level: u32) -> cc::Build {
    let mut build = cc::Build::new();
    let rocksdb = package.join("rocksdb");
    build.cpp(true).opt_level(level).debug(false).warnings(false).flag("-w").flag("-pipe").flag(standard());
    build.include(rocksdb.join("include")).include(&rocksdb).include(package);
    for (feature, define, include) in
        [("CARGO_FEATURE_LZ4", "LZ4", "DEP_LZ4_INCLUDE"), ("CARGO_FEATURE_ZSTD", "ZSTD", "DEP_ZSTD_INCLUDE")]
    {
        if env::var_os(feature).is_some() {
            build.define(define, "1").includes(env::var_os(include).map(PathBuf::from));
        }
    }
    build.define("NDEBUG", "1").define("HAVE_ALIGNED_NEW", None).define("HAVE_UINT128_EXTENSION", None);
    for define in [
        "OS_LINUX",
        "ROCKSDB_PLATFORM_POSIX",
        "ROCKSDB_LIB_IO_POSIX",
        "ROCKSDB_SCHED_GETCPU_PRESENT",
        "ROCKSDB_AUXV_GETAUXVAL_PRESENT",
        "ROCKSDB_FALLOCATE_PRESENT",
        "ROCKSDB_RANGESYNC_PRESENT",
    ] {
        build.define(define, None);
    }
    let features = env::var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
    for flag in processor(&env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default(), &features) {
        build.flag(flag);
    }
    build.flag("-include").flag("cstdint");
    build
}

fn standard() -> String {
    let chosen = env::var("ROCKSDB_CXX_STD").unwrap_or_else(|_| "c++20".to_owned());
    if chosen.starts_with("-std=") { chosen } else { format!("-std={chosen}") }
}

/// The processor's abilities that RocksDB may use, as far as Rust's code may use them too.
fn processor(architecture: &str, features: &str) -> Vec<&'static str> {
    let has = |name: &str| features.split(',').any(|feature| feature == name);
    match architecture {
        "x86_64" => [
            ("sse2", "-msse2"),
            ("sse4.1", "-msse4.1"),
            ("sse4.2", "-msse4.2"),
            ("avx2", "-mavx2"),
            ("bmi1", "-mbmi"),
            ("lzcnt", "-mlzcnt"),
            ("pclmulqdq", "-mpclmul"),
        ]
        .into_iter()
        .filter(|(feature, _)| has(feature))
        .map(|(_, flag)| flag)
        .collect(),
        "aarch64" if has("crc") && has("aes") => vec!["-march=armv8-a+crc+aes+crypto"],
        _ => Vec::new(),
    }
}

/// The compiler's own words about which it is.
fn version(compiler: &Command) -> String {
    let output = Command::new(compiler.get_program()).arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().next().unwrap_or_default().to_owned()
}

/// A command that can be changed, like another one.
pub(crate) fn copy(command: &Command) -> Command {
    let mut copy = Command::new(command.get_program());
    copy.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => copy.env(name, value),
            None => copy.env_remove(name),
        };
    }
    copy
}

/// A command for people.
pub(crate) fn shown(command: &Command) -> String {
    let words: Vec<&OsStr> = std::iter::once(command.get_program()).chain(command.get_args()).collect();
    words.join(&OsString::from(" ")).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processors_abilities_are_those_that_rust_was_told() {
        assert_eq!(processor("x86_64", "fxsr,sse,sse2,pclmulqdq,sse4.2"), ["-msse2", "-msse4.2", "-mpclmul"]);
        assert_eq!(processor("aarch64", "neon,aes,crc"), ["-march=armv8-a+crc+aes+crypto"]);
        assert!(processor("aarch64", "neon").is_empty() && processor("riscv64", "").is_empty());
    }

    #[test]
    fn a_copy_of_a_command_keeps_arguments_and_environment() {
        let mut command = Command::new("c++");
        command.arg("a b").env("K", "v").env_remove("L");
        assert_eq!(format!("{:?}", copy(&command)), format!("{command:?}"));
        assert_eq!(shown(&command), "c++ a b");
    }
}
