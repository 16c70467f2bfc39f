//! What the machine is, for the head of every table, and today's date.

use std::fs;
use std::path::Path;

use super::system::cores;

/// The machine that a run was made on.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Model of the processor.
    pub processor: String,
    /// Processors that may be used.
    pub cores: usize,
    /// Main memory in bytes.
    pub memory_bytes: u64,
    /// Name and version of the operating system's kernel.
    pub kernel: String,
    /// File system below the server's data.
    pub file_system: String,
}

impl Machine {
    /// This machine, with the file system of this folder.
    pub fn here(data: &Path) -> Machine {
        Machine {
            processor: field("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: cores(),
            memory_bytes: memory_bytes(),
            kernel: kernel(),
            file_system: file_system(data),
        }
    }
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let gib = self.memory_bytes as f64 / (1 << 30) as f64;
        write!(f, "{} cores of {}, {gib:.0} GiB, {}, {}", self.cores, self.processor, self.kernel, self.file_system)
    }
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn memory_bytes() -> u64 {
    let kib = field("/proc/meminfo", "MemTotal").and_then(|text| text.trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

fn kernel() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let version = release.trim().split(['-', '+']).next().unwrap_or_default().to_owned();
    format!("Linux {version}")
}

/// Type of the file system that holds a path; a figure for durable writes on a memory file system means nothing.
fn file_system(path: &Path) -> String {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let holding = mounts.lines().filter_map(|line| {
        // Device, mount point, type, …; of two mounts on one point the later one counts.
        let mut fields = line.split(' ').skip(1);
        let (point, kind) = (fields.next()?, fields.next()?);
        path.starts_with(point).then_some((point.len(), kind))
    });
    holding.max_by_key(|(length, _)| *length).map_or("unknown file system", |(_, kind)| kind).to_owned()
}

/// The date of a moment, in UTC.
///
/// Days to civil date: H. Hinnant, *chrono-Compatible Low-Level Date Algorithms*, `civil_from_days`.
pub fn date_utc(unix_ms: u64) -> String {
    let days = (unix_ms / 86_400_000) as i64 + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for (seconds, date) in [(0, "1970-01-01"), (951_782_400, "2000-02-29"), (1_767_225_599, "2025-12-31")] {
            assert_eq!(date_utc(seconds * 1000), date);
        }
    }

    #[test]
    fn a_machine_has_cores_and_memory() {
        let machine = Machine::here(Path::new("."));
        assert!(machine.cores > 0 && machine.memory_bytes > 0, "{machine}");
    }
}
