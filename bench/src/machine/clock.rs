//! Kernel clocks, read directly: nanoseconds, and the processor time of other processes.

use std::io;

/// Nanoseconds of the monotonic clock, the one that [`crate::load`] arms its timer with.
pub fn monotonic_ns() -> u64 {
    read(libc::CLOCK_MONOTONIC).expect("every Linux has a monotonic clock")
}

/// A reading of this clock in nanoseconds.
pub fn read(clock: libc::clockid_t) -> io::Result<u64> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is valid for writes; an unknown clock is answered with an error.
    if unsafe { libc::clock_gettime(clock, &mut time) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}

/// The clock that counts the processor time of all threads of a process, ended ones included.
pub fn of_process(pid: u32) -> io::Result<libc::clockid_t> {
    let mut clock = 0;
    // SAFETY: `clock` is valid for writes; an unknown process is answered with an error.
    match unsafe { libc::clock_getcpuclockid(pid as libc::pid_t, &mut clock) } {
        0 => Ok(clock),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}
