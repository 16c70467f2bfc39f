//! Waits for moments of the monotonic clock, to some tens of microseconds (tokio's own timer counts milliseconds).

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::machine::monotonic_ns;

/// A kernel timer (`timerfd_create(2)`) that the runtime waits for like for a socket.
pub struct Ticker(AsyncFd<OwnedFd>);

impl Ticker {
    /// A timer; must be called within a runtime.
    pub fn new() -> io::Result<Ticker> {
        // SAFETY: no pointers are passed; the descriptor is checked and owned by nobody else.
        let timer = unsafe {
            let fd = libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_NONBLOCK | libc::TFD_CLOEXEC);
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            OwnedFd::from_raw_fd(fd)
        };
        // SAFETY: an `OwnedFd` is open and the same descriptor for as long as it lives.
        let timer = unsafe { AsyncFd::register_with_interest(timer, Interest::READABLE)? };
        Ok(Ticker(timer))
    }

    /// Returns at `due_ns` of the monotonic clock, at once when that has passed.
    pub async fn until(&self, due_ns: u64) -> io::Result<()> {
        if monotonic_ns() >= due_ns {
            return Ok(());
        }
        self.arm(due_ns)?;
        loop {
            let mut ready = self.0.readable().await?;
            match ready.try_io(|timer| read_expirations(timer.get_ref())) {
                Ok(result) => return result,
                Err(_not_yet) => {}
            }
        }
    }

    fn arm(&self, due_ns: u64) -> io::Result<()> {
        let time = |ns: u64| libc::timespec {
            tv_sec: (ns / 1_000_000_000) as libc::time_t,
            tv_nsec: (ns % 1_000_000_000) as libc::c_long,
        };
        let setting = libc::itimerspec { it_interval: time(0), it_value: time(due_ns) };
        // SAFETY: `setting` lives through the call; the old setting is not asked for.
        let result = unsafe {
            libc::timerfd_settime(self.0.as_raw_fd(), libc::TFD_TIMER_ABSTIME, &setting, std::ptr::null_mut())
        };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

fn read_expirations(timer: &OwnedFd) -> io::Result<()> {
    let mut count = 0_u64;
    // SAFETY: eight bytes are written to `count`, or nothing.
    let read = unsafe { libc::read(timer.as_raw_fd(), (&raw mut count).cast(), size_of::<u64>()) };
    if read == size_of::<u64>() as isize { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_never_comes_early() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let ticker = Ticker::new().expect("a timer");
            for step in [0, 50_000, 300_000] {
                let due = monotonic_ns() + step;
                ticker.until(due).await.expect("it fires");
                assert!(monotonic_ns() >= due);
            }
        });
    }
}
