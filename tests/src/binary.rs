//! The real `dynamo-server` binary as a child process.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

/// How long a server may take to say that it is ready (a debug build on a busy machine).
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// A running server process; killed when dropped.
pub struct Process {
    child: Child,
    address: SocketAddr,
    /// Its log so far.
    log: Arc<Mutex<String>>,
}

/// Where cargo puts the binary of the profile that these tests were built with.
pub fn path() -> PathBuf {
    built("dynamo-server", "cargo build -p dynamo-server")
}

/// The same for the binary into which faults can be injected.
pub fn faults_path() -> PathBuf {
    let bin = "dynamo-server-faults";
    built(bin, "cargo build -p dynamo-server --features fault-injection --bin dynamo-server-faults")
}

fn built(name: &str, command: &str) -> PathBuf {
    let mut folder = std::env::current_exe().expect("this test has a path");
    folder.pop();
    if folder.ends_with("deps") {
        folder.pop();
    }
    let binary = folder.join(name);
    assert!(binary.exists(), "{} is missing: run `{command}` with this profile", binary.display());
    binary
}

impl Process {
    /// Starts a durable server on a free port with its data in `dir`, and waits until it is ready.
    pub fn durable(dir: &Path) -> Process {
        Process::start(&["--port", "0", "--data-dir", dir.to_str().expect("UTF-8")])
            .unwrap_or_else(|log| panic!("the server did not start:\n{log}"))
    }

    /// Starts a server with these arguments, and waits until it has an address.
    ///
    /// # Errors
    /// What it wrote, when it ended instead.
    pub fn start(arguments: &[&str]) -> Result<Process, String> {
        Process::spawn(Command::new(path()).args(arguments))
    }

    /// The same for a process that may have `soft` open files, and can raise that to `hard`.
    ///
    /// # Errors
    /// As [`Process::start`].
    pub fn start_with_files(arguments: &[&str], soft: u64, hard: u64) -> Result<Process, String> {
        let limit = libc::rlimit { rlim_cur: soft, rlim_max: hard };
        let set_limit = move || {
            // SAFETY: the structure outlives the call, which only reads it.
            match unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) } {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            }
        };
        let mut command = Command::new(path());
        // SAFETY: between fork and exec only a system call is made.
        unsafe { command.pre_exec(set_limit) };
        Process::spawn(command.args(arguments))
    }

    /// Starts this command, which runs a server.
    ///
    /// # Errors
    /// As [`Process::start`].
    pub fn spawn(command: &mut Command) -> Result<Process, String> {
        let hang_up_counts = || {
            // SAFETY: a system call with two numbers.
            unsafe { libc::signal(libc::SIGHUP, libc::SIG_DFL) };
            Ok(())
        };
        // SAFETY: one system call, after the fork and before the program. Whoever runs the tests may have the signal ignored.
        unsafe { command.pre_exec(hang_up_counts) };
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let (sender, ready) = mpsc::channel();
        let log = Arc::<Mutex<String>>::default();
        let written = Arc::clone(&log);
        std::thread::spawn(move || {
            let mut told = false;
            for line in lines.map_while(Result::ok) {
                *written.lock().expect("nobody panics with it") += &format!("{line}\n");
                if !told && let Some(address) = address_in(&line) {
                    told = sender.send(Some(address)).is_ok();
                }
            }
            let _ = sender.send(None);
        });
        match ready.recv_timeout(START_TIMEOUT) {
            Ok(Some(address)) => Ok(Process { child, address, log }),
            Ok(None) => {
                let _ = child.wait();
                let log = log.lock().expect("nobody panics with it").clone();
                Err(log)
            }
            Err(_) => {
                let _ = child.kill();
                Err("not ready in time".to_owned())
            }
        }
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.log.lock().expect("nobody panics with it").clone()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its address as a URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What a page says; empty when nobody answers.
    pub fn get(&self, path: &str) -> String {
        let mut answer = String::new();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let asked = TcpStream::connect(self.address).and_then(|mut stream| {
            stream.write_all(request.as_bytes())?;
            stream.read_to_string(&mut answer)
        });
        if asked.is_ok() { answer } else { String::new() }
    }

    /// The most memory that it has had, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs, on Linux");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the kernel tells");
        let kib: u64 = peak.trim().trim_end_matches(" kB").parse().expect("a number");
        kib << 10
    }

    /// `kill -9`: no chance to flush or say goodbye.
    pub fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: libc::c_int) {
        let id = i32::try_from(self.child.id()).expect("a process id fits");
        // SAFETY: plain system call with a process id that is ours until it has been waited for.
        unsafe { libc::kill(id, signal) };
    }

    /// Waits for its end; the exit code.
    pub fn wait(mut self) -> Option<i32> {
        self.child.wait().expect("it ends").code()
    }

    /// SIGTERM, then waits; the exit code.
    pub fn terminate(self) -> Option<i32> {
        self.signal(libc::SIGTERM);
        self.wait()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A member of a cluster serves its pages before the others are there, and is ready when they are.
fn address_in(line: &str) -> Option<SocketAddr> {
    let rest = ["listens on http://", "ready on http://"].iter().find_map(|said| line.split_once(said))?.1;
    rest.split([',', ' ']).next()?.parse().ok()
}
