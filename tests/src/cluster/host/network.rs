//! A real network between the nodes of a cluster: each has a network namespace of its own, all are joined by a bridge.
//!
//! ```text
//!  this process, in the namespace it has entered (see `namespace`): clients at 10.99.255.254 on the bridge
//!  ───────┬─────────────────┬─────────────────┬──────── bridge
//!    port of node 1    port of node 2    port of node 3
//!         │ veth            │ veth            │ veth
//!   ┌─ namespace ─┐   ┌─ namespace ─┐   ┌─ namespace ─┐
//!   │ 10.99.0.1   │   │ 10.99.0.2   │   │ 10.99.0.3   │      server processes
//!   └─────────────┘   └─────────────┘   └─────────────┘
//! ```
//!
//! A cut drops the packets of one node where they arrive at another, before any socket sees them: a rule `from SENDER
//! blackhole` that is looked at before all others. Nobody is told, neither by an error nor by an ICMP message: connections
//! hang, the kernel of the sender tries again, later and later, and what one side has given up is half open at the other.
//! That is what the fault switch inside our own transport cannot show. The clients' packets come from elsewhere and pass.
//!
//! A namespace lives as long as a process in it, here a `cat` that ends with the pipe from this process; so nothing is left
//! behind, however this process ends, and a node that is killed and started again finds its network, and its cuts, as
//! they were.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// The bridge, and the address of clients on it.
const BRIDGE: &str = "bridge";
const CLIENTS: &str = "10.99.255.254/16";

/// Rules of cuts come first, the kernel's own table of local addresses, which is otherwise first, after them.
const CUT_PREFERENCE: u32 = 1;
const LOCAL_PREFERENCE: u32 = 10;

/// The bridge and the namespaces on it.
pub struct Network {
    sites: BTreeMap<u64, Site>,
    cuts: Mutex<Vec<Cut>>,
}

/// Packets of one node that do not arrive at another.
#[derive(Clone, Copy)]
struct Cut {
    from: u64,
    to: u64,
}

/// The namespace of one node, which is there while its keeper lives.
struct Site {
    keeper: Child,
}

impl Network {
    /// A bridge with nothing but clients on it.
    ///
    /// # Panics
    /// Outside of a namespace of this process's own, or when there is another one in it.
    pub fn lay() -> Network {
        ip(None, &format!("link set lo up\nlink add {BRIDGE} type bridge\naddr add {CLIENTS} dev {BRIDGE}\n"));
        ip(None, &format!("link set {BRIDGE} up\n"));
        Network { sites: BTreeMap::new(), cuts: Mutex::default() }
    }

    /// The address of a node.
    pub fn address(id: u64) -> Ipv4Addr {
        let place = u16::try_from(id).expect("few nodes are ever made");
        let [high, low] = place.to_be_bytes();
        Ipv4Addr::new(10, 99, high, low)
    }

    /// Makes the namespace of a node.
    pub fn add(&mut self, id: u64) {
        let site = Site::make();
        let (keeper, address) = (site.keeper.id(), Network::address(id));
        let port = port(id);
        ip(None, &format!("link add {port} type veth peer name eth0 netns {keeper}\n"));
        ip(None, &format!("link set {port} master {BRIDGE}\nlink set {port} up\n"));
        ip(Some(&site), &format!("link set lo up\naddr add {address}/16 dev eth0\nlink set eth0 up\n"));
        ip(Some(&site), &format!("rule add pref {LOCAL_PREFERENCE} lookup local\nrule del pref 0\n"));
        self.sites.insert(id, site);
    }

    /// Removes the namespace of a node whose process has ended. All cuts end.
    pub fn remove(&mut self, id: u64) {
        self.mend();
        ip(None, &format!("link del {}\n", port(id)));
        self.sites.remove(&id);
    }

    /// A command that runs `program` in the namespace of a node, as the same process.
    pub fn command(&self, id: u64, program: &Path) -> Command {
        let mut command = self.site(id).command();
        command.arg(program);
        command
    }

    /// Packets of `from` no longer arrive at `to`.
    pub fn cut(&self, from: u64, to: u64) {
        let sender = Network::address(from);
        ip(Some(self.site(to)), &format!("rule add pref {CUT_PREFERENCE} from {sender} blackhole\n"));
        self.cuts.lock().unwrap_or_else(PoisonError::into_inner).push(Cut { from, to });
    }

    /// Pulls the cable of a node: not even clients reach it.
    pub fn unplug(&self, id: u64) {
        ip(None, &format!("link set {} down\n", port(id)));
    }

    /// Ends all cuts, and plugs everybody in.
    pub fn mend(&self) {
        for Cut { from, to } in self.cuts.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let sender = Network::address(from);
            ip(Some(self.site(to)), &format!("rule del pref {CUT_PREFERENCE} from {sender} blackhole\n"));
        }
        for id in self.sites.keys() {
            ip(None, &format!("link set {} up\n", port(*id)));
        }
    }

    /// Packets that were dropped where they arrived at a node, since it has a namespace: the kernel's own count of those
    /// that are for nobody there.
    pub fn dropped(&self, id: u64) -> u64 {
        let counters = self.proc(id, "snmp");
        let mut lines = counters.lines().filter_map(|line| line.strip_prefix("Ip: "));
        let (names, values) = (lines.next().expect("names"), lines.next().expect("values"));
        let counter = names.split(' ').zip(values.split(' ')).find(|(name, _)| *name == "InAddrErrors");
        counter.and_then(|(_, value)| value.parse().ok()).expect("Linux counts them")
    }

    /// Connections between two nodes that are established, as the kernel of the first one believes.
    pub fn connections(&self, id: u64, other: u64) -> usize {
        established(&self.proc(id, "tcp"), Network::address(other))
    }

    fn proc(&self, id: u64, file: &str) -> String {
        let path = format!("/proc/{}/net/{file}", self.site(id).keeper.id());
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    fn site(&self, id: u64) -> &Site {
        &self.sites[&id]
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // The next cluster of this process gives the same names; a namespace alone would take its cable along only later.
        let links = self.sites.keys().map(|id| port(*id)).chain([BRIDGE.to_owned()]);
        for link in links {
            let _ = Command::new("ip").args(["link", "del", &link]).status();
        }
    }
}

impl Site {
    fn make() -> Site {
        let mut command = Command::new("unshare");
        command.args(["--net", "cat"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut keeper = command.spawn().expect("unshare runs, as it did for this process");
        // Once it answers, it is in its namespace.
        let (mut echo, said) = ([0], keeper.stdin.as_mut().expect("piped").write_all(b"?"));
        said.and_then(|()| keeper.stdout.as_mut().expect("piped").read_exact(&mut echo)).expect("cat repeats");
        Site { keeper }
    }

    fn command(&self) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", self.keeper.id()));
        command
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

/// The port of a node on the bridge.
fn port(id: u64) -> String {
    format!("node-{id}")
}

/// Commands of `ip`, one a line, in the namespace of a node or in that of this process.
fn ip(site: Option<&Site>, lines: &str) {
    let mut command = match site {
        Some(site) => {
            let mut command = site.command();
            command.arg("ip");
            command
        }
        None => Command::new("ip"),
    };
    command.args(["-batch", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("ip is here, it was tried");
    child.stdin.take().expect("piped").write_all(lines.as_bytes()).expect("ip reads");
    let ended = child.wait_with_output().expect("a child of ours can be waited for");
    assert!(ended.status.success(), "{lines}: {}", String::from_utf8_lossy(&ended.stderr));
}

/// How many lines of `/proc/net/tcp` are established connections with this address.
fn established(table: &str, other: Ipv4Addr) -> usize {
    // An address as the kernel prints it is a number of the machine's own byte order.
    let other = format!("{:08X}", u32::from_ne_bytes(other.octets()));
    let is_with = |line: &&str| {
        let mut fields = line.split_whitespace().skip(2);
        let (remote, state) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
        remote.starts_with(&other) && state == "01"
    };
    table.lines().filter(is_with).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_has_an_address_of_its_own() {
        assert_eq!(Network::address(1), Ipv4Addr::new(10, 99, 0, 1));
        assert_eq!(Network::address(258), Ipv4Addr::new(10, 99, 1, 2));
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn established_connections_are_counted() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt\n\
                     \x20  0: 0100630A:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000\n\
                     \x20  1: 0100630A:8C00 0200630A:1F90 01 00000010:00000000 01:00000014 00000003\n\
                     \x20  2: 0100630A:8C02 0200630A:1F90 02 00000001:00000000 01:00000014 00000001\n";
        assert_eq!(established(table, Ipv4Addr::new(10, 99, 0, 2)), 1);
        assert_eq!(established(table, Ipv4Addr::new(10, 99, 0, 3)), 0);
    }
}
