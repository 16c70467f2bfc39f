//! RocksDB's archive in a cache: taken from there, or compiled into it.
//!
//! Under the cache there is one folder for each key, the hash of everything that decides the archive's bytes: version,
//! units, flags, compiler. In it are `librocksdb.a` and `librocksdb.a.sum`, the archive's hash, which is compared at each
//! use: a damaged archive is compiled anew. Objects lie beside them until the archive is complete, and each comes into
//! place whole, so an interrupted compilation goes on where it was. Whoever works in the folder holds a lock on it, which
//! the system releases should the process die; others wait, then find the archive.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::compiler::{copy, shown};
use crate::progress::Progress;
use crate::units::Unit;

const ARCHIVE: &str = "librocksdb.a";
const SUM: &str = "librocksdb.a.sum";
const LOCK: &str = "lock";

/// How to make the archive.
pub(crate) struct Recipe {
    /// What is compiled together.
    pub(crate) units: Vec<Unit>,
    /// The compiler for units that are hot, without the files' names.
    pub(crate) hot: Command,
    /// The compiler for the others.
    pub(crate) cold: Command,
    /// The archiver.
    pub(crate) archiver: Command,
    /// What else decides the archive's bytes.
    pub(crate) identity: Vec<String>,
}

impl Recipe {
    fn key(&self) -> String {
        let units = self.units.iter().flat_map(|unit| [unit.name.clone(), unit.text()]);
        let lines: Vec<String> = units.chain(self.identity.iter().cloned()).map(|line| line + "\n").collect();
        format!("{:016x}", crate::hash(&lines.iter().map(String::as_bytes).collect::<Vec<_>>()))
    }
}

/// The folder with the archive, in the first cache that can be written.
pub(crate) fn provide(caches: &[PathBuf], recipe: &Recipe) -> Result<PathBuf, String> {
    let jobs = std::env::var("NUM_JOBS").ok().and_then(|jobs| jobs.parse().ok()).unwrap_or(1);
    // SAFETY: cargo keeps the descriptors it names open for its build scripts, and nothing else here uses them.
    let tokens = unsafe { jobserver::Client::from_env() };
    provide_with(caches, recipe, &Progress::open(), jobs, tokens.as_ref())
}

fn provide_with(
    caches: &[PathBuf],
    recipe: &Recipe,
    progress: &Progress,
    jobs: usize,
    tokens: Option<&jobserver::Client>,
) -> Result<PathBuf, String> {
    let mut refusal = String::from("There is no folder to keep RocksDB's archive in.");
    for cache in caches {
        let folder = cache.join(format!("rocksdb-{}", recipe.key()));
        let opened = fs::create_dir_all(&folder).and_then(|()| File::create(folder.join(LOCK)));
        let lock = match opened {
            Ok(lock) => lock,
            Err(error) => {
                refusal = format!("{} cannot be written: {error}", folder.display());
                continue;
            }
        };
        take(&lock, || progress.say("RocksDB: another build compiles it; waiting for that"))
            .map_err(|error| format!("{}: {error}", folder.display()))?;
        if is_sound(&folder, progress) {
            return Ok(folder);
        }
        let made =
            compile(&folder, recipe, progress, jobs, tokens).and_then(|objects| archive(&folder, recipe, &objects));
        return made.map(|()| folder.clone()).map_err(|reason| explained(&reason, &folder));
    }
    Err(refusal)
}

/// Locks the file until it is closed.
fn take(file: &File, waiting: impl Fn()) -> io::Result<()> {
    let lock = |how| {
        // SAFETY: the descriptor is open, and flock touches no memory of ours.
        if unsafe { libc::flock(file.as_raw_fd(), how) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    };
    lock(libc::LOCK_EX | libc::LOCK_NB).or_else(|_| {
        waiting();
        lock(libc::LOCK_EX)
    })
}

fn sum_of(path: &Path) -> io::Result<String> {
    Ok(format!("{:016x}", crate::hash(&[&fs::read(path)?])))
}

/// Whether the archive is there, whole, and what was written.
fn is_sound(folder: &Path, progress: &Progress) -> bool {
    let archive = folder.join(ARCHIVE);
    let Ok(sum) = sum_of(&archive) else { return false };
    let written = fs::read_to_string(folder.join(SUM)).unwrap_or_default();
    if written != sum {
        progress.say(&format!("RocksDB: {} is damaged and is compiled again", archive.display()));
    }
    written == sum
}

/// Compiles the units whose objects are missing, and returns all objects.
fn compile(
    folder: &Path,
    recipe: &Recipe,
    progress: &Progress,
    jobs: usize,
    tokens: Option<&jobserver::Client>,
) -> Result<Vec<PathBuf>, String> {
    let objects: Vec<PathBuf> = recipe.units.iter().map(|unit| folder.join(format!("{}.o", unit.name))).collect();
    let missing: Vec<usize> =
        (0..objects.len()).filter(|at| fs::metadata(&objects[*at]).map_or(0, |object| object.len()) == 0).collect();
    let all = recipe.units.len();
    if missing.len() < all {
        progress.say(&format!("RocksDB: {} of {all} files are compiled already", all - missing.len()));
    } else {
        progress.say(&format!("RocksDB is compiled, once for this machine, into {}", folder.display()));
    }
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(all - missing.len()));
    let failed = AtomicBool::new(false);
    let failure = Mutex::new(None);
    // Each thread but the first needs one of cargo's tokens for each file, as compilers beside this build script do.
    let work = |with_token: bool| {
        loop {
            if failed.load(Ordering::Relaxed) || next.load(Ordering::Relaxed) >= missing.len() {
                return;
            }
            let token = match tokens.filter(|_| with_token).map(jobserver::Client::try_acquire) {
                Some(Ok(None)) => {
                    std::thread::sleep(Duration::from_millis(20));
                    continue;
                }
                Some(Ok(token)) => token,
                Some(Err(_)) => return,
                None => None,
            };
            let Some(&at) = missing.get(next.fetch_add(1, Ordering::Relaxed)) else { return };
            let unit = &recipe.units[at];
            match compile_one(folder, recipe, unit, &objects[at]) {
                Ok(()) => {
                    let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                    progress.say(&format!("RocksDB: {done} of {all} files compiled"));
                }
                Err(reason) => {
                    failed.store(true, Ordering::Relaxed);
                    if let Ok(mut failure) = failure.lock() {
                        failure.get_or_insert(reason);
                    }
                }
            }
            drop(token);
        }
    };
    std::thread::scope(|scope| {
        for thread in 0..jobs.max(1) {
            let work = &work;
            scope.spawn(move || work(thread > 0));
        }
    });
    match failure.into_inner() {
        Ok(None) => Ok(objects),
        Ok(Some(reason)) => Err(reason),
        Err(_) => Err("a thread that compiled has panicked".to_owned()),
    }
}

fn compile_one(folder: &Path, recipe: &Recipe, unit: &Unit, object: &Path) -> Result<(), String> {
    let source = folder.join(format!("{}.cc", unit.name));
    fs::write(&source, unit.text()).map_err(|error| format!("{}: {error}", source.display()))?;
    let part = object.with_extension("part");
    let mut command = copy(if unit.hot { &recipe.hot } else { &recipe.cold });
    command.arg("-c").arg(&source).arg("-o").arg(&part);
    run(command)?;
    fs::rename(&part, object).map_err(|error| format!("{}: {error}", object.display()))
}

/// Puts the objects into the archive, and lets nothing but the archive and its hash lie there.
fn archive(folder: &Path, recipe: &Recipe, objects: &[PathBuf]) -> Result<(), String> {
    let failed = |error: io::Error| format!("{}: {error}", folder.display());
    let (part, sum) = (folder.join("librocksdb.part"), folder.join(SUM));
    if part.exists() {
        fs::remove_file(&part).map_err(failed)?;
    }
    let mut command = copy(&recipe.archiver);
    command.arg("crs").arg(&part).args(objects);
    run(command)?;
    fs::write(&sum, sum_of(&part).map_err(failed)?).map_err(failed)?;
    fs::rename(&part, folder.join(ARCHIVE)).map_err(failed)?;
    let kept = [ARCHIVE, SUM, LOCK];
    for entry in fs::read_dir(folder).map_err(failed)?.flatten() {
        if !kept.iter().any(|name| entry.file_name() == *name) {
            fs::remove_file(entry.path()).map_err(failed)?;
        }
    }
    Ok(())
}

fn run(mut command: Command) -> Result<(), String> {
    let output = command.output().map_err(|error| {
        let program = Path::new(command.get_program()).display();
        format!("{program} cannot be started: {error}. A C++ compiler is needed (Debian: apt-get install g++).")
    })?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    // Many pages where a header is missing; the first lines say which.
    let words: Vec<&str> = words.lines().take(40).collect();
    Err(format!("{}\n{}: {}", words.join("\n"), output.status, shown(&command)))
}

/// The reason, with what to do where that is known in front of it.
fn explained(reason: &str, folder: &Path) -> String {
    let full = ["No space left on device", "Disk quota exceeded"].iter().any(|text| reason.contains(text));
    if full {
        let folder = folder.display();
        return format!(
            "The disk is full: compiling RocksDB needs about 100 MB in {folder}.\n\
             DYNAMO_SERVER_CACHE=FOLDER keeps it elsewhere. What is compiled already stays, and the next build goes on.\n{reason}"
        );
    }
    if reason.contains("signal: 9") || reason.contains("Killed signal") {
        return format!(
            "A compiler was killed, probably for want of memory (one takes about 1 GiB): cargo build -j 1 runs fewer.\n{reason}"
        );
    }
    format!("RocksDB cannot be compiled.\n{reason}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three units, compiled by a shell script that counts in `calls` how often it ran.
    fn recipe(folder: &Path, script: &str) -> Recipe {
        let shell = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script, "compiler", folder.join("calls").to_str().unwrap()]);
            command
        };
        let unit = |name: &str, hot| Unit { name: name.to_owned(), hot, files: vec![format!("{name}.cc")] };
        Recipe {
            units: vec![unit("a", true), unit("b", true), unit("c", false)],
            hot: shell(&format!("echo \"$3\" >>\"$1\"; {script}")),
            cold: shell("echo \"$3\" >>\"$1\"; cat \"$3\" >\"$5\""),
            archiver: shell("shift 2; part=$1; shift; cat \"$@\" >\"$part\""),
            identity: vec!["1".to_owned()],
        }
    }

    /// The plain compiler: the object is the source.
    const COPY: &str = "cat \"$3\" >\"$5\"";

    fn calls(folder: &Path) -> usize {
        fs::read_to_string(folder.join("calls")).unwrap_or_default().lines().count()
    }

    fn provided(folder: &Path, recipe: &Recipe, jobs: usize) -> Result<PathBuf, String> {
        provide_with(&[folder.join("a cache")], recipe, &Progress::none(), jobs, None)
    }

    #[test]
    fn compiled_once_and_then_taken_from_the_cache() {
        let folder = tempfile::tempdir().unwrap();
        let recipe = recipe(folder.path(), COPY);
        let made = provided(folder.path(), &recipe, 2).unwrap();
        let archive = fs::read_to_string(made.join(ARCHIVE)).unwrap();
        assert_eq!(archive, "#include \"a.cc\"\n#include \"b.cc\"\n#include \"c.cc\"\n");
        assert_eq!(provided(folder.path(), &recipe, 1).unwrap(), made);
        assert_eq!(calls(folder.path()), 3);
        let mut left: Vec<_> = fs::read_dir(&made).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["librocksdb.a", "librocksdb.a.sum", "lock"]);
    }

    #[test]
    fn a_damaged_or_cut_archive_is_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let recipe = recipe(folder.path(), COPY);
        let archive = provided(folder.path(), &recipe, 1).unwrap().join(ARCHIVE);
        let whole = fs::read(&archive).unwrap();
        for (times, damaged) in [(2, &whole[1..]), (3, b"".as_slice())] {
            fs::write(&archive, damaged).unwrap();
            provided(folder.path(), &recipe, 1).unwrap();
            assert_eq!((fs::read(&archive).unwrap(), calls(folder.path())), (whole.clone(), 3 * times));
        }
    }

    #[test]
    fn an_interrupted_compilation_goes_on_where_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let failing = recipe(folder.path(), &format!("case $3 in */b.cc) echo half >\"$5\"; exit 1;; esac; {COPY}"));
        let refusal = provided(folder.path(), &failing, 1).unwrap_err();
        assert!(refusal.starts_with("RocksDB cannot be compiled."), "{refusal}");
        assert_eq!(calls(folder.path()), 2, "nothing is begun after a failure");
        let made = provided(folder.path(), &recipe(folder.path(), COPY), 1).unwrap();
        assert_eq!(calls(folder.path()), 4, "a.cc was compiled before");
        assert_eq!(fs::read_dir(made).unwrap().count(), 3, "what was half made is gone");
    }

    #[test]
    fn two_builds_at_once_compile_once() {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| provided(folder.path(), &recipe(folder.path(), COPY), 2).unwrap());
            }
        });
        assert_eq!(calls(folder.path()), 3);
    }

    #[test]
    fn a_full_disk_is_called_so_and_a_compiler_that_is_missing_too() {
        let folder = tempfile::tempdir().unwrap();
        let full = recipe(folder.path(), "echo 'cc1plus: fatal error: x.o: No space left on device' >&2; exit 1");
        let refusal = provided(folder.path(), &full, 1).unwrap_err();
        assert!(refusal.starts_with("The disk is full") && refusal.contains("DYNAMO_SERVER_CACHE"), "{refusal}");
        let mut none = recipe(folder.path(), COPY);
        none.hot = Command::new("no-such-compiler");
        let refusal = provided(folder.path(), &none, 1).unwrap_err();
        assert!(refusal.contains("apt-get install g++"), "{refusal}");
    }

    #[test]
    fn the_next_cache_is_used_where_one_cannot_be_written() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        let caches = [folder.path().join("file/cache"), folder.path().join("second")];
        let recipe = recipe(folder.path(), COPY);
        let made = provide_with(&caches, &recipe, &Progress::none(), 1, None).unwrap();
        assert!(made.starts_with(&caches[1]));
        let refusal = provide_with(&caches[..1], &recipe, &Progress::none(), 1, None).unwrap_err();
        assert!(refusal.contains("cannot be written"), "{refusal}");
    }

    #[test]
    fn the_key_covers_everything_that_decides_the_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let key = |change: fn(&mut Recipe)| {
            let mut recipe = recipe(folder.path(), COPY);
            change(&mut recipe);
            recipe.key()
        };
        assert_eq!(key(|_| ()), key(|_| ()));
        assert_ne!(key(|_| ()), key(|recipe| recipe.identity[0].push('x')));
        assert_ne!(key(|_| ()), key(|recipe| recipe.units[0].files.push("d.cc".to_owned())));
    }
}
