//! Which processors this program uses, and how soon one of its threads gets one.

use std::io;

/// Slice of a thread that measures: the shortest that Linux gives.
const SLICE_NS: u64 = 100_000;

/// Lets the calling thread, and all threads and processes that it starts from now on, run on these processors only.
///
/// # Errors
/// When there are no such processors for this process.
pub fn run_on(processors: &[usize]) -> io::Result<()> {
    // SAFETY: a set of processors is plain numbers, of which all zeros is the empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    for processor in processors {
        // SAFETY: the set is ours; what lies beyond it is left out.
        unsafe { libc::CPU_SET(*processor, &mut set) };
    }
    // SAFETY: the set lives through the call and is as long as is said.
    let result = unsafe { libc::sched_setaffinity(0, size_of_val(&set), &set) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The processors that the calling thread may run on.
pub fn processors() -> Vec<usize> {
    // SAFETY: as above.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set lives through the call and is as long as is said.
    unsafe { libc::sched_getaffinity(0, size_of_val(&set), &mut set) };
    // SAFETY: every number is below the size of the set.
    (0..libc::CPU_SETSIZE as usize).filter(|processor| unsafe { libc::CPU_ISSET(*processor, &set) }).collect()
}

/// Asks for short slices for the calling thread, so that what it measures is not its own wait for a processor (Linux from 6.12
/// on; elsewhere nothing happens).
pub fn measure_soon() {
    /// The kernel's `struct sched_attr`, first version.
    #[repr(C)]
    struct Attributes {
        size: u32,
        policy: u32,
        flags: u64,
        niceness: i32,
        priority: u32,
        runtime_ns: u64,
        deadline_ns: u64,
        period_ns: u64,
    }
    let attributes = Attributes {
        size: size_of::<Attributes>() as u32,
        policy: libc::SCHED_OTHER as u32,
        flags: 0,
        niceness: 0,
        priority: 0,
        runtime_ns: SLICE_NS,
        deadline_ns: 0,
        period_ns: 0,
    };
    // SAFETY: the structure is as the kernel has it, says how long it is, and lives through the call.
    unsafe {
        libc::syscall(libc::SYS_sched_setattr, 0, std::ptr::from_ref(&attributes), 0);
    }
}
