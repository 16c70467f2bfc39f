//! Processor time and memory of a process, and which process listens on a port.

use std::fs;
use std::io;
use std::net::TcpListener;

use super::clock;

/// Reads the processor time of one process, to the nanosecond. (`/proc/PID/stat` counts in steps of 10 ms, and
/// `schedstat` forgets threads that ended.)
#[derive(Clone, Copy, Debug)]
pub struct ProcessClock(libc::clockid_t);

impl ProcessClock {
    /// The clock of this process.
    pub fn of(pid: u32) -> io::Result<ProcessClock> {
        clock::of_process(pid).map(ProcessClock)
    }

    /// Processor time that it used since its start, user and system together.
    pub fn cpu_ns(self) -> io::Result<u64> {
        clock::read(self.0)
    }
}

/// Processor time that this process used since its start.
pub fn own_cpu_ns() -> u64 {
    clock::read(libc::CLOCK_PROCESS_CPUTIME_ID).expect("every Linux counts processor time")
}

/// Time that the threads of a process were ready to run and had no processor, all of them together (`proc_pid_schedstat(5)`,
/// second field). What threads waited that have ended is forgotten; `None` where the kernel does not count it.
pub fn waited_ns(pid: u32) -> Option<u64> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten();
    let of_thread = |thread: fs::DirEntry| -> Option<u64> {
        let counts = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        counts.split_whitespace().nth(1)?.parse().ok()
    };
    threads.filter_map(of_thread).reduce(|sum, waited| sum + waited)
}

/// Resident memory of a process in bytes: now, and at its peak.
pub fn resident(pid: u32) -> Option<(u64, u64)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: u64 = line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().ok()?;
        Some(kib * 1024)
    };
    Some((field("VmRSS")?, field("VmHWM")?))
}

/// A port of the loopback interface that is free now.
pub fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// The process of this machine that listens on a TCP port, where it may be looked at.
pub fn listener_pid(port: u16) -> Option<u32> {
    let inodes: Vec<String> =
        ["/proc/net/tcp", "/proc/net/tcp6"].iter().filter_map(|table| listening_inode(table, port)).collect();
    let links: Vec<String> = inodes.iter().map(|inode| format!("socket:[{inode}]")).collect();
    fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let mut files = fs::read_dir(entry.path().join("fd")).ok()?.flatten();
        let holds = |link: std::path::PathBuf| links.iter().any(|wanted| link.as_os_str() == wanted.as_str());
        files.any(|file| fs::read_link(file.path()).is_ok_and(holds)).then_some(pid)
    })
}

/// The socket's inode in a kernel table (`proc(5)`): column 1 is the local address, 3 the state (0A listens), 9 the
/// inode.
fn listening_inode(table: &str, port: u16) -> Option<String> {
    let text = fs::read_to_string(table).ok()?;
    let ending = format!(":{port:04X}");
    text.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let listens = fields.get(1)?.ends_with(&ending) && *fields.get(3)? == "0A";
        listens.then(|| fields.get(9).map(|inode| (*inode).to_owned()))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_found_by_its_port_and_its_time_passes() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        assert_eq!(listener_pid(port), Some(std::process::id()));
        let clock = ProcessClock::of(std::process::id()).expect("we exist");
        let before = clock.cpu_ns().expect("readable");
        let mut sum = 0_u64;
        while clock.cpu_ns().expect("readable") == before {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(own_cpu_ns() > before);
        assert!(waited_ns(std::process::id()).is_none_or(|waited| waited < 1 << 60));
        assert_eq!(waited_ns(0), None);
        let (now, peak) = resident(std::process::id()).expect("readable");
        assert!(now > 100_000 && peak >= now);
    }
}
