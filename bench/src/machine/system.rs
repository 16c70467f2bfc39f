//! Processor time of the whole machine, to see how much of it others took.

use std::fs;

/// Kernel ticks a second in `/proc/stat` (`USER_HZ`, 100 on every Linux that matters).
const NS_PER_TICK: u64 = 10_000_000;

/// Processor time of all cores since boot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SystemTime {
    /// Time in which some process or interrupt of this machine ran.
    pub busy_ns: u64,
    /// Time that the hypervisor gave to other machines.
    pub steal_ns: u64,
}

impl SystemTime {
    /// A reading now; zero where there is no `/proc/stat`.
    pub fn now() -> SystemTime {
        fs::read_to_string("/proc/stat").ok().and_then(|text| parse(&text)).unwrap_or_default()
    }

    /// What passed since an earlier reading.
    pub fn since(self, earlier: SystemTime) -> SystemTime {
        SystemTime {
            busy_ns: self.busy_ns.saturating_sub(earlier.busy_ns),
            steal_ns: self.steal_ns.saturating_sub(earlier.steal_ns),
        }
    }
}

/// First line, `proc(5)`: user nice system idle iowait irq softirq steal …
fn parse(text: &str) -> Option<SystemTime> {
    let line = text.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<u64> = line.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect();
    let busy: u64 = [0, 1, 2, 5, 6].iter().filter_map(|&at| ticks.get(at)).sum();
    Some(SystemTime { busy_ns: busy * NS_PER_TICK, steal_ns: ticks.get(7).copied().unwrap_or(0) * NS_PER_TICK })
}

/// Number of processors that this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_counts() {
        let time = parse("cpu  1 2 3 100 50 4 5 6 0 0\ncpu0 9 9 9 9 9 9 9 9 0 0\n").expect("valid");
        assert_eq!(time, SystemTime { busy_ns: 15 * NS_PER_TICK, steal_ns: 6 * NS_PER_TICK });
    }
}
