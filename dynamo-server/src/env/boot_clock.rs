//! CLOCK_BOOTTIME, the clock of leases.
//!
//! It only rises, it is slewed by at most 10.05 % (inside the lease's drift allowance) and, unlike CLOCK_MONOTONIC, it
//! goes on counting while the machine is suspended: a leader that slept must not hold its lease for valid still.

/// Nanoseconds since boot, suspension included; `None` where the system has no such clock or refuses to read it.
#[cfg(target_os = "linux")]
pub fn boot_ns() -> Option<u64> {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a live, writable timespec, which is all that clock_gettime asks for.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &mut now) };
    if status != 0 {
        return None;
    }
    let seconds = u64::try_from(now.tv_sec).ok()?;
    let nanos = u64::try_from(now.tv_nsec).ok()?;
    seconds.checked_mul(1_000_000_000)?.checked_add(nanos)
}

/// Other systems have no clock that we have studied: no lease is ever valid there and reads confirm by quorum.
#[cfg(not(target_os = "linux"))]
pub fn boot_ns() -> Option<u64> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn the_boot_clock_rises() {
        let first = super::boot_ns().unwrap();
        let second = super::boot_ns().unwrap();
        assert!(second >= first);
        assert!(first > 0);
    }
}
