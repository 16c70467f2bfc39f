//! What the calling thread has waited for, as the kernel counts it.

/// A thread's counts since it began; only differences mean something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThreadWaits {
    /// Blocks of 512 bytes that had to be fetched from a disk because the page cache did not have them.
    pub blocks_fetched: u64,
    /// How often the thread slept of its own accord: for a disk, a lock, an event. Preemption does not count.
    pub sleeps: u64,
}

/// The counts of the calling thread; `None` where the system does not say. See getrusage(2), `RUSAGE_THREAD`.
#[cfg(target_os = "linux")]
pub fn thread_waits() -> Option<ThreadWaits> {
    // SAFETY: a rusage is integers only, for which zero is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live, writable rusage, which is all that getrusage asks for.
    let status = unsafe { libc::getrusage(libc::RUSAGE_THREAD, &mut usage) };
    if status != 0 {
        return None;
    }
    let blocks_fetched = u64::try_from(usage.ru_inblock).ok()?;
    Some(ThreadWaits { blocks_fetched, sleeps: u64::try_from(usage.ru_nvcsw).ok()? })
}

/// Other systems count for the whole process only.
#[cfg(not(target_os = "linux"))]
pub fn thread_waits() -> Option<ThreadWaits> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn a_sleep_is_counted() {
        let before = super::thread_waits().unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        let other = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(20));
            sender.send(()).unwrap();
        });
        receiver.recv().unwrap();
        other.join().unwrap();
        assert!(super::thread_waits().unwrap().sleeps > before.sleeps);
    }
}
