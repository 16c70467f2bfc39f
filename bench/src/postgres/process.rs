//! PostgreSQL's processes: found, started as a user who may run them, and stopped.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::error::{Context, Error, Result};
use crate::machine::{ProcessClock, free_port};

/// The database's own user.
pub const USER: &str = "bench";
/// Where Debian puts each version's programs.
const VERSIONS: &str = "/usr/lib/postgresql";
/// The system's user that Debian's package makes.
const SYSTEM_USER: &str = "postgres";
/// Attempts, 50 ms apart, until it listens.
const START_ATTEMPTS_MAX: u32 = 400;

/// The folder with the programs of the newest PostgreSQL that is installed here, and its version.
pub fn installed() -> Option<(PathBuf, u32)> {
    let versions = fs::read_dir(VERSIONS).ok()?.flatten();
    let found = versions.filter_map(|entry| {
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        let programs = entry.path().join("bin");
        (programs.join("initdb").exists() && programs.join("postgres").exists()).then_some((programs, version))
    });
    found.max_by_key(|(_, version)| *version)
}

/// A running server; stopped when dropped.
pub struct Server {
    child: Child,
    port: u16,
}

impl Server {
    /// Makes a database below `folder` and serves it.
    ///
    /// # Errors
    /// When one of its programs fails; its log tells why.
    pub fn start(programs: &Path, folder: &Path) -> Result<Server> {
        let (data, log) = (folder.join("postgres"), folder.join("postgres.log"));
        fs::create_dir_all(&data)?;
        let owner = owner()?;
        if let Some((user, group)) = owner {
            chown(&data, Some(user), Some(group))?;
        }
        let command = |program: &str| -> Result<Command> {
            let mut command = Command::new(programs.join(program));
            if let Some((user, group)) = owner {
                command.uid(user).gid(group);
            }
            let log = fs::OpenOptions::new().create(true).append(true).open(&log)?;
            command.arg("-D").arg(&data).current_dir(&data).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
            Ok(command)
        };
        let failed = |what: &str| Error::new(format!("{what}:\n{}", fs::read_to_string(&log).unwrap_or_default()));
        let made = command("initdb")?.args(["--username", USER, "--auth", "trust", "--no-sync"]).status();
        if !made.context(|| "cannot start initdb".to_owned())?.success() {
            return Err(failed("initdb failed"));
        }
        let port = free_port()?;
        let child = command("postgres")?
            .args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-p", &port.to_string()])
            .spawn()
            .context(|| "cannot start postgres".to_owned())?;
        let mut server = Server { child, port };
        for _ in 0..START_ATTEMPTS_MAX {
            if server.child.try_wait()?.is_some() {
                return Err(failed("postgres ended at start"));
            }
            let log = fs::read_to_string(&log).unwrap_or_default();
            if log.contains("ready to accept connections") {
                return Ok(server);
            }
            thread::sleep(Duration::from_millis(50));
        }
        Err(failed("postgres does not listen"))
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Processor time of the server and of the processes that it has started and that still run.
    pub fn cpu_ns(&self) -> Option<u64> {
        let own = self.child.id();
        let children = fs::read_dir("/proc").ok()?.flatten().filter_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            (parent(pid)? == own).then_some(pid)
        });
        // One that ends in between has used none that counts.
        let used = |pid| ProcessClock::of(pid).ok()?.cpu_ns().ok();
        Some(children.chain([own]).filter_map(used).sum())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SAFETY: no memory is passed; the process is ours and was not waited for, so its id is not another's.
        // SIGQUIT is the immediate shutdown; it ends all processes.
        unsafe { libc::kill(self.child.id() as libc::pid_t, libc::SIGQUIT) };
        let _ = self.child.wait();
    }
}

/// Whom it has to run as: it refuses to run as root.
fn owner() -> Result<Option<(u32, u32)>> {
    // SAFETY: it takes nothing and cannot fail.
    if unsafe { libc::geteuid() } != 0 {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")?;
    let ids = users.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        (fields.first() == Some(&SYSTEM_USER))
            .then(|| Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?)))?
    });
    ids.map(Some)
        .ok_or_else(|| Error::new(format!("PostgreSQL does not run as root, and there is no user {SYSTEM_USER}")))
}

/// The parent of a process: the second field behind its name, which is in brackets (`proc(5)`).
fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}
