//! A server under test: one that this run started, or one that was running already.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::client::{Caller, Endpoint};
use crate::error::{Context, Error, Result};
use crate::machine::{ProcessClock, free_port, listener_pid, monotonic_ns};
use crate::postgres::Postgres;

/// Pause between attempts to reach a starting server: what start-up times are exact to.
const START_POLL: Duration = Duration::from_micros(500);
/// A server that does not answer by then has failed to start.
const START_NS_MAX: u64 = 60_000_000_000;

/// A server that has not ended by then after SIGTERM does not stop in order.
const STOP_NS_MAX: u64 = 30_000_000_000;

/// How a server is started.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The binary of dynamo-server.
    pub binary: PathBuf,
    /// Where its data goes; `None` starts it in memory.
    pub data: Option<PathBuf>,
    /// Number of shards; `None` leaves the server's default.
    pub shards: Option<u32>,
    /// Further arguments.
    pub arguments: Vec<String>,
    /// Where its log goes.
    pub log: PathBuf,
}

/// A server process of ours; killed when dropped.
pub struct Process {
    launch: Launch,
    port: u16,
    child: Child,
}

/// A server under test.
pub struct Target {
    /// Its name in tables.
    pub name: String,
    /// Where it listens.
    pub endpoint: Endpoint,
    /// Its process, where it is on this machine and may be looked at.
    pub pid: Option<u32>,
    /// The process, when this run started it.
    pub process: Option<Process>,
    /// The other nodes of its cluster.
    pub others: Vec<Process>,
    /// What it is instead of a server of the API.
    pub postgres: Option<Postgres>,
}

impl Process {
    /// Starts a server and waits for its first answer; also returns the milliseconds that this took.
    pub fn start(launch: &Launch) -> Result<(Process, f64)> {
        let port = free_port()?;
        let start = monotonic_ns();
        let child = spawn(launch, port)?;
        let mut process = Process { launch: launch.clone(), port, child };
        process.await_answer()?;
        Ok((process, elapsed_ms(start)))
    }

    /// Starts a cluster of so many nodes on this machine, each with a folder of its own below the launch's data, and
    /// waits for the first answer of the first one. One node is started without peers.
    pub fn start_cluster(launch: &Launch, nodes: u64) -> Result<(Vec<Process>, f64)> {
        if nodes == 1 {
            return Process::start(launch).map(|(process, ms)| (vec![process], ms));
        }
        let mut peers = Vec::new();
        for node in 1..=nodes {
            peers.push(format!("{node}=127.0.0.1:{}", free_port()?));
        }
        let start = monotonic_ns();
        let mut processes = Vec::new();
        for node in 1..=nodes {
            let mut launch = launch.clone();
            launch.arguments.extend(["--node-id", &node.to_string(), "--peers", &peers.join(",")].map(str::to_owned));
            launch.data = launch.data.map(|data| data.join(format!("node-{node}")));
            launch.log = launch.log.with_extension(format!("{node}.log"));
            let port = free_port()?;
            processes.push(Process { child: spawn(&launch, port)?, launch, port });
        }
        for process in &mut processes {
            process.await_answer()?;
        }
        Ok((processes, elapsed_ms(start)))
    }

    /// Kills it with SIGKILL and starts it again on its data; returns the milliseconds to the first answer.
    pub fn kill_and_restart(&mut self) -> Result<f64> {
        self.child.kill()?;
        self.child.wait()?;
        let start = monotonic_ns();
        self.child = spawn(&self.launch, self.port)?;
        self.await_answer()?;
        Ok(elapsed_ms(start))
    }

    /// Asks it to stop in order (SIGTERM), and waits until it has.
    pub fn stop(&mut self) -> Result<()> {
        // SAFETY: no memory is passed; the process is ours and was not waited for, so its id is not another's.
        unsafe { libc::kill(self.child.id() as libc::pid_t, libc::SIGTERM) };
        let start = monotonic_ns();
        while monotonic_ns() - start < STOP_NS_MAX {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(5));
        }
        Err(Error::new("the server does not stop on SIGTERM"))
    }

    /// Where it listens.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint::local(self.port)
    }

    /// Its data.
    pub fn data(&self) -> Option<&Path> {
        self.launch.data.as_deref()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn await_answer(&mut self) -> Result<()> {
        let mut caller = Caller::new(&self.endpoint())?;
        let start = monotonic_ns();
        while monotonic_ns() - start < START_NS_MAX {
            if caller.post("ListTables", "{}").is_ok_and(|(status, _)| status == 200) {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                let log = fs::read_to_string(&self.launch.log).unwrap_or_default();
                return Err(Error::new(format!("the server ended at start ({status}):\n{log}")));
            }
            thread::sleep(START_POLL);
        }
        Err(Error::new("the server does not answer"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; either way nothing is left running.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(launch: &Launch, port: u16) -> Result<Child> {
    let log = fs::File::create(&launch.log).context(|| format!("cannot write {}", launch.log.display()))?;
    let mut command = Command::new(&launch.binary);
    command.args(["--host", "127.0.0.1", "--port", &port.to_string()]);
    match &launch.data {
        Some(data) => command.arg("--data-dir").arg(data),
        None => command.arg("--in-memory"),
    };
    if let Some(shards) = launch.shards {
        command.args(["--shards", &shards.to_string()]);
    }
    command.args(&launch.arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    command.spawn().context(|| format!("cannot start {}", launch.binary.display()))
}

fn elapsed_ms(start_ns: u64) -> f64 {
    (monotonic_ns() - start_ns) as f64 / 1e6
}

impl Target {
    /// A server that runs already.
    pub fn running(name: &str, url: &str) -> Result<Target> {
        let endpoint = Endpoint::parse(url)?;
        let pid = if endpoint.address.ip().is_loopback() { listener_pid(endpoint.address.port()) } else { None };
        Ok(Target { name: name.to_owned(), endpoint, pid, process: None, others: Vec::new(), postgres: None })
    }

    /// A server, or a cluster with at least one node, that this run started.
    pub fn ours(name: &str, mut nodes: Vec<Process>) -> Target {
        let others = nodes.split_off(1);
        let process = nodes.pop().expect("a cluster has a node");
        Target {
            name: name.to_owned(),
            endpoint: process.endpoint(),
            pid: Some(process.pid()),
            process: Some(process),
            others,
            postgres: None,
        }
    }

    /// PostgreSQL.
    pub fn postgres(name: &str, postgres: Postgres) -> Target {
        Target {
            name: name.to_owned(),
            endpoint: Endpoint::local(postgres.port()),
            pid: None,
            process: None,
            others: Vec::new(),
            postgres: Some(postgres),
        }
    }

    /// Kills and restarts a server of ours; `None` for others.
    pub fn kill_and_restart(&mut self) -> Result<Option<f64>> {
        let Some(process) = &mut self.process else { return Ok(None) };
        let ms = process.kill_and_restart()?;
        self.pid = Some(process.pid());
        Ok(Some(ms))
    }

    /// Processor time that it used so far, all nodes together.
    pub fn cpu_ns(&self) -> Option<u64> {
        let pids = self.others.iter().map(Process::pid).chain([self.pid?]);
        pids.map(|pid| ProcessClock::of(pid).ok()?.cpu_ns().ok()).sum()
    }

    /// Its own counters: the lines `dynamo_… number` without labels at `/metrics`; empty where there are none.
    pub fn counters(&self, caller: &mut Caller) -> BTreeMap<String, f64> {
        // Peers take any path for the API and answer errors: asking them is useless, not harmful.
        let text = if self.process.is_some() || self.pid.is_some() { caller.get("/metrics") } else { None };
        parse_counters(&String::from_utf8_lossy(&text.unwrap_or_default()))
    }
}

fn parse_counters(text: &str) -> BTreeMap<String, f64> {
    let counter = |line: &str| {
        let (name, value) = line.split_once(' ')?;
        let plain = name.starts_with("dynamo_") && !name.contains('{');
        plain.then(|| value.trim().parse().ok().map(|value| (name.to_owned(), value)))?
    };
    text.lines().filter_map(counter).collect()
}

/// What the counters grew by.
pub fn growth(before: &BTreeMap<String, f64>, after: &BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    after.iter().map(|(name, value)| (name.clone(), value - before.get(name).copied().unwrap_or(0.0))).collect()
}

/// The counter of completed syncs of the log among a server's counters.
pub fn fsyncs(counters: &BTreeMap<String, f64>) -> Option<f64> {
    let name =
        counters.keys().find(|name| name.contains("fsync") || name.contains("log_sync") || name.contains("syncs"))?;
    counters.get(name).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_without_labels_count() {
        let text =
            "# HELP dynamo_log_syncs_total x\ndynamo_log_syncs_total 12\ndynamo_requests_total{a=\"b\"} 9\nup 1\n";
        let after = parse_counters(text);
        assert_eq!(after.len(), 1);
        let before = BTreeMap::from([("dynamo_log_syncs_total".to_owned(), 2.0)]);
        assert_eq!(fsyncs(&growth(&before, &after)), Some(10.0));
        assert_eq!(fsyncs(&BTreeMap::new()), None);
    }
}
