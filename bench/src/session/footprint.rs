//! What a server takes besides processor time: start-up, memory, disk.

use crate::client::{Caller, Endpoint, scan};
use crate::error::Result;
use crate::machine::{disk_bytes, resident};
use crate::target::Target;
use crate::workload::Table;

/// Start-up, memory and disk of one target; what cannot be seen from here is `None` or empty.
#[derive(Clone, Debug, Default)]
pub struct Footprint {
    /// From the start of the process on an empty folder to its first answer, median, in milliseconds.
    pub start_ms: Option<f64>,
    /// The same on the loaded data after SIGKILL.
    pub restart_ms: Option<f64>,
    /// Resident memory after the start.
    pub idle_bytes: Option<u64>,
    /// Resident memory after loading.
    pub loaded_bytes: Option<u64>,
    /// The largest resident memory of the run.
    pub peak_bytes: Option<u64>,
    /// Seconds that loading took.
    pub load_seconds: f64,
    /// What was loaded, as DynamoDB bills it.
    pub payload_bytes: u64,
    /// Bytes on disk at the end of the measurements, by the names in the data folder.
    pub disk_busy: Vec<(String, u64)>,
    /// Bytes on disk after the server was stopped in order.
    pub disk_at_rest: Vec<(String, u64)>,
}

impl Footprint {
    /// Notes memory after the start.
    pub fn idle(&mut self, target: &Target) {
        self.idle_bytes = memory(target).map(|memory| memory.0);
    }

    /// Notes memory after loading.
    pub fn loaded(&mut self, target: &Target) {
        self.loaded_bytes = memory(target).map(|memory| memory.0);
    }

    /// Notes memory and disk after all loads.
    pub fn worked(&mut self, target: &Target) {
        self.peak_bytes = memory(target).map(|memory| memory.1);
        self.disk_busy = disk(target);
    }

    /// Notes the disk after the server was stopped.
    pub fn stopped(&mut self, target: &Target) {
        self.disk_at_rest = disk(target);
    }
}

/// Bytes of a folder's parts: the log's (whose name begins so), and all others'.
pub fn log_and_state(parts: &[(String, u64)]) -> (u64, u64) {
    let (log, state): (Vec<_>, Vec<_>) = parts.iter().partition(|part| part.0.starts_with("log"));
    let sum = |parts: Vec<&(String, u64)>| parts.into_iter().map(|part| part.1).sum();
    (sum(log), sum(state))
}

/// Whether item 0 is there; says what came instead.
pub fn first_item_is_there(endpoint: &Endpoint) -> Result<Option<String>> {
    let mut caller = Caller::new(endpoint)?;
    let request = format!(
        r#"{{"TableName":"{}","Key":{{"pk":{{"S":"item-00000000"}}}},"ConsistentRead":true}}"#,
        Table::Items.name()
    );
    let (status, body) = caller.post("GetItem", &request)?;
    let there = status == 200 && scan::contains(&body, b"\"v-00000000 ");
    Ok((!there).then(|| format!("item 0 is read as {status} {}", String::from_utf8_lossy(&body))))
}

fn memory(target: &Target) -> Option<(u64, u64)> {
    resident(target.pid?)
}

fn disk(target: &Target) -> Vec<(String, u64)> {
    let data = target.process.as_ref().and_then(|process| process.data());
    data.map(disk_bytes).unwrap_or_default()
}
