//! What the machine says: clocks, processor time, memory, disk, and what it is.

pub mod clock;
mod describe;
mod process;
mod scheduling;
mod system;
mod usage;

pub use clock::monotonic_ns;
pub use describe::{Machine, date_utc};
pub use process::{ProcessClock, free_port, listener_pid, own_cpu_ns, resident, waited_ns};
pub use scheduling::{measure_soon, processors, run_on};
pub use system::{SystemTime, cores};
pub use usage::disk_bytes;
