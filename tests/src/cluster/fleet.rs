//! The processes of a cluster: started, killed, paused, asked how they are, told which faults to suffer.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::client::Client;
use super::host::disk::SmallDisk;
use super::host::network::Network;
use super::host::power::PowerDisk;
use super::rng::Rng;
use crate::binary;
use crate::patience::Patience;

/// How long a process may take until it answers: a checked build on a busy machine, with a log to replay.
const START_MAX: Duration = Duration::from_secs(180);

/// How long the members may take to elect a leader for every shard.
const ELECTION_MAX: Duration = Duration::from_secs(180);

/// For how long the members of no shard may change while they are to: on a machine that is starved of processor time one step
/// of one shard takes some seconds, and eight shards take forty of them.
const STEP_MAX: Duration = Duration::from_secs(180);

/// How long a question about health or an order may take.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// Ports are taken below the range from which the system gives outgoing connections theirs, so that the port of a dead
/// node is still free when the node comes back.
const PORTS: (u64, u64) = (18_000, 32_000);

/// What a cluster is to be like.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Founding members.
    pub nodes: u64,
    /// Shards.
    pub shards: u32,
    /// The longest wait before an election, which is the lease.
    pub election_timeout: Duration,
    /// How long a request may take.
    pub request_deadline: Duration,
    /// Further flags of every node.
    pub flags: Vec<String>,
    /// Faults that every process begins with.
    pub faults: String,
    /// Whether every node has a network namespace of its own, so that packets are dropped where messages are to be lost.
    /// Only for a process that is in a namespace itself ([`super::host::namespace`]).
    pub has_namespaces: bool,
    /// Whether every node has a disk of its own whose power can be cut. Only where [`PowerDisk::trial`] succeeds.
    pub has_power_disks: bool,
}

impl Default for Shape {
    fn default() -> Shape {
        Shape {
            nodes: 3,
            shards: 3,
            election_timeout: Duration::from_millis(1_000),
            request_deadline: Duration::from_millis(2_000),
            flags: Vec::new(),
            faults: String::new(),
            has_namespaces: false,
            has_power_disks: false,
        }
    }
}

/// One node: its place, and its process while it has one.
pub struct Machine {
    /// Its number in the cluster.
    pub id: u64,
    /// The number that its clients know it by: its own, or that of the node whose place it has taken.
    place: u64,
    address: Ipv4Addr,
    http_port: u16,
    peer_port: u16,
    child: Option<Child>,
    is_paused: bool,
    /// Its own election timeout, where it is not that of the others.
    election_timeout: Option<Duration>,
}

impl Machine {
    fn new(id: u64, place: u64, address: Ipv4Addr, http_port: u16, peer_port: u16) -> Machine {
        Machine { id, place, address, http_port, peer_port, child: None, is_paused: false, election_timeout: None }
    }
}

/// A cluster of processes. All of them die with it; where a test fails, their logs and data stay and their place is
/// printed.
pub struct Fleet {
    shape: Shape,
    folder: Option<TempDir>,
    machines: Vec<Machine>,
    /// The founding members as flags say them, whatever became of them.
    founders: String,
    /// Places whose data lies on a small disk of their own.
    disks: Vec<SmallDisk>,
    /// The disks of nodes that were started, where they have such whose power can be cut.
    power_disks: BTreeMap<u64, PowerDisk>,
    /// The namespaces, by place; `None` on the loopback interface.
    network: Option<Network>,
    /// The highest number ever given to a node: none is given twice.
    last_id: u64,
}

/// What a node says of one shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardView {
    /// Whether the node leads it, with everything inherited applied.
    pub leads: bool,
    /// Who leads, as far as it knows.
    pub leader: Option<u64>,
    /// Whether reads are let through by a lease.
    pub has_lease: bool,
    /// The index behind the last applied entry.
    pub applied: u64,
}

/// The secret that the nodes of a fleet share.
fn secret_file(folder: &Path) -> PathBuf {
    folder.join("secret")
}

impl Fleet {
    /// Founds a cluster and waits until every shard has a leader.
    pub async fn found(shape: Shape) -> Fleet {
        let mut fleet = Fleet::prepare(shape);
        for id in fleet.ids() {
            fleet.start(id).unwrap_or_else(|log| panic!("node {id} did not start:\n{log}"));
        }
        for id in fleet.ids() {
            fleet.wait_live(id).await;
        }
        fleet.wait_leaders().await;
        fleet
    }

    /// The places of a cluster, with no process running yet.
    pub fn prepare(shape: Shape) -> Fleet {
        let folder = tempfile::tempdir().expect("a temporary folder");
        // Once, before any node runs: a file that is written again is empty for a moment, in which a node may read it.
        std::fs::write(secret_file(folder.path()), "known to all of them").expect("written");
        let ports = free_ports(2 * shape.nodes as usize);
        let mut network = shape.has_namespaces.then(Network::lay);
        let mut machines = Vec::new();
        for (id, ports) in (1..=shape.nodes).zip(ports.chunks(2)) {
            machines.push(Machine::new(id, id, site(&mut network, id), ports[0], ports[1]));
        }
        let founders = peers_flag(machines.iter());
        let (disks, power_disks) = (Vec::new(), BTreeMap::new());
        Fleet { last_id: shape.nodes, shape, folder: Some(folder), machines, founders, disks, power_disks, network }
    }

    /// What it was founded as.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The numbers of all nodes.
    pub fn ids(&self) -> Vec<u64> {
        self.machines.iter().map(|machine| machine.id).collect()
    }

    /// All nodes but this one.
    pub fn others(&self, id: u64) -> Vec<u64> {
        self.ids().into_iter().filter(|other| *other != id).collect()
    }

    /// Where clients reach a node.
    pub fn address(&self, id: u64) -> SocketAddr {
        let machine = self.machine(id);
        SocketAddr::from((machine.address, machine.http_port))
    }

    /// Where peers reach a node.
    pub fn peer_address(&self, id: u64) -> SocketAddr {
        let machine = self.machine(id);
        SocketAddr::from((machine.address, machine.peer_port))
    }

    /// The data directory of a node.
    pub fn data_dir(&self, id: u64) -> PathBuf {
        self.folder().join(format!("node-{id}"))
    }

    /// What a node wrote to its log so far.
    pub fn log(&self, id: u64) -> String {
        std::fs::read_to_string(self.log_path(id)).unwrap_or_default()
    }

    /// The founding members as flags say them. They go on saying so when some of them have gone.
    pub fn peers(&self) -> &str {
        &self.founders
    }

    /// The places of the nodes, by the numbers that clients know.
    pub fn places(&self) -> Vec<u64> {
        self.machines.iter().map(|machine| machine.place).collect()
    }

    /// The flags with which a founding member starts.
    pub fn arguments(&self, id: u64) -> Vec<String> {
        let shape = &self.shape;
        let mut arguments = vec![format!("--node-id={id}"), format!("--peers={}", self.peers())];
        arguments.push(format!("--shards={}", shape.shards));
        arguments.extend(self.common_arguments(id));
        arguments
    }

    fn common_arguments(&self, id: u64) -> Vec<String> {
        let shape = &self.shape;
        let election_timeout = self.machine(id).election_timeout.unwrap_or(shape.election_timeout);
        let mut arguments = vec![
            format!("--port={}", self.machine(id).http_port),
            format!("--data-dir={}", self.data_dir(id).display()),
            format!("--election-timeout-ms={}", election_timeout.as_millis()),
            format!("--request-deadline-ms={}", shape.request_deadline.as_millis()),
        ];
        if !shape.faults.is_empty() {
            arguments.push(format!("--faults={}", shape.faults));
        }
        if shape.has_namespaces {
            // The nemesis, who changes the members, is another machine to the node.
            arguments.extend([format!("--host={}", self.machine(id).address), "--admin-from=any".to_owned()]);
            arguments.push(format!("--cluster-secret-file={}", secret_file(self.folder()).display()));
        }
        arguments.extend(shape.flags.iter().cloned());
        arguments
    }

    /// Starts a node that does not run, with its usual flags; it may not answer yet.
    ///
    /// # Errors
    /// What it wrote, when it ended at once.
    pub fn start(&mut self, id: u64) -> Result<(), String> {
        self.start_with(id, &self.arguments(id))
    }

    /// Starts a node with other flags.
    ///
    /// # Errors
    /// What it wrote, when it ended at once.
    pub fn start_with(&mut self, id: u64, arguments: &[String]) -> Result<(), String> {
        if self.shape.has_power_disks && !self.power_disks.contains_key(&id) {
            self.power_disks.insert(id, PowerDisk::format(&self.data_dir(id)).expect("as in the trial"));
        }
        let log = self.open_log(id);
        let program = binary::faults_path();
        let mut command = match &self.network {
            Some(network) => network.command(self.machine(id).place, &program),
            None => Command::new(program),
        };
        let child = command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the binary starts");
        let machine = self.machine_mut(id);
        assert!(machine.child.is_none(), "node {id} runs already");
        machine.child = Some(child);
        machine.is_paused = false;
        match self.exit_status(id) {
            Some(_) => Err(self.log(id)),
            None => Ok(()),
        }
    }

    /// How the process of a node ended; `None` while it runs or where there is none.
    pub fn exit_status(&mut self, id: u64) -> Option<ExitStatus> {
        let machine = self.machine_mut(id);
        let status = machine.child.as_mut()?.try_wait().expect("a child of ours can be waited for");
        if status.is_some() {
            machine.child = None;
        }
        status
    }

    /// Waits until a process that should end has ended: whether with success, and what it wrote.
    pub async fn wait_end(&mut self, id: u64) -> (bool, String) {
        let began = Instant::now();
        loop {
            if let Some(status) = self.exit_status(id) {
                return (status.success(), self.log(id));
            }
            assert!(began.elapsed() < START_MAX, "node {id} still runs:\n{}", self.log(id));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until a node answers HTTP.
    pub async fn wait_live(&mut self, id: u64) {
        let began = Instant::now();
        loop {
            if let Some(status) = self.exit_status(id) {
                panic!("node {id} ended with {status}:\n{}", self.log(id));
            }
            if self.plain(id, "GET", "/health/live", "").await.is_some_and(|(status, _)| status == 200) {
                return;
            }
            assert!(began.elapsed() < START_MAX, "node {id} does not answer:\n{}", self.log(id));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until every shard has a leader that says so itself.
    pub async fn wait_leaders(&self) {
        let began = Instant::now();
        for shard in 0..self.shape.shards {
            while self.leader(shard).await.is_none() {
                assert!(began.elapsed() < ELECTION_MAX, "shard {shard} has no leader:\n{}", self.log(1));
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    /// The node that leads a shard, by its own word; the first in case several believe it.
    pub async fn leader(&self, shard: u32) -> Option<u64> {
        for id in self.ids() {
            if self.shards(id).await.get(shard as usize).is_some_and(|view| view.leads) {
                return Some(id);
            }
        }
        None
    }

    /// Waits until some node leads a shard.
    pub async fn some_leader(&self, shard: u32) -> u64 {
        let began = Instant::now();
        loop {
            if let Some(leader) = self.leader(shard).await {
                return leader;
            }
            assert!(began.elapsed() < ELECTION_MAX, "shard {shard} has no leader");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// What a node says of its shards; nothing when it does not answer.
    pub async fn shards(&self, id: u64) -> Vec<ShardView> {
        if !self.is_up(id) {
            return Vec::new();
        }
        let Some((_, text)) = self.plain(id, "GET", "/health/ready", "").await else { return Vec::new() };
        text.lines().filter_map(shard_view).collect()
    }

    /// Has a node execute a script of faults; whether it did.
    pub async fn order(&self, id: u64, script: &str) -> bool {
        self.is_up(id) && matches!(self.plain(id, "POST", "/faults", script).await, Some((200, _)))
    }

    /// Has a node execute a script of faults.
    ///
    /// # Panics
    /// When it does not.
    pub async fn must(&self, id: u64, script: &str) {
        let answer = self.plain(id, "POST", "/faults", script).await;
        assert!(matches!(answer, Some((200, _))), "node {id} does not execute {script:?}: {answer:?}");
    }

    /// Any HTTP request to a node.
    pub async fn plain(&self, id: u64, method: &str, path: &str, body: &str) -> Option<(u16, String)> {
        Client::new(self.address(id)).plain(method, path, body, ANSWER_MAX).await
    }

    /// Cuts a node off from all others, both ways. Its clients still reach it.
    pub async fn isolate(&self, id: u64) {
        for other in self.others(id) {
            self.part(id, other).await;
        }
    }

    /// Cuts the way between two nodes, both ways.
    pub async fn part(&self, one: u64, other: u64) {
        match &self.network {
            Some(network) => {
                network.cut(self.place(one), self.place(other));
                network.cut(self.place(other), self.place(one));
            }
            None => {
                self.order(one, &format!("cut {other}")).await;
                self.order(other, &format!("cut {one}")).await;
            }
        }
    }

    /// From now on a node hears nobody, and is heard.
    pub async fn deafen(&self, id: u64) {
        for other in self.others(id) {
            match &self.network {
                Some(network) => network.cut(self.place(other), self.place(id)),
                None => {
                    self.order(id, &format!("cut from {other}")).await;
                }
            }
        }
    }

    /// From now on a node is heard by nobody, and hears.
    pub async fn mute(&self, id: u64) {
        for other in self.others(id) {
            match &self.network {
                Some(network) => network.cut(self.place(id), self.place(other)),
                None => {
                    self.order(id, &format!("cut to {other}")).await;
                }
            }
        }
    }

    /// Pulls the cable of a node: neither peers nor clients reach it.
    ///
    /// # Panics
    /// Where nodes have no namespaces.
    pub fn unplug(&self, id: u64) {
        self.network().unplug(self.place(id));
    }

    /// Packets that cuts have dropped at a node so far.
    ///
    /// # Panics
    /// Where nodes have no namespaces.
    pub fn dropped(&self, id: u64) -> u64 {
        self.network().dropped(self.place(id))
    }

    /// Connections with another node that a node's kernel believes to stand.
    ///
    /// # Panics
    /// Where nodes have no namespaces.
    pub fn connections(&self, id: u64, other: u64) -> usize {
        self.network().connections(self.place(id), self.place(other))
    }

    fn network(&self) -> &Network {
        self.network.as_ref().expect("the shape of the cluster asks for namespaces")
    }

    /// Ends every fault of network, clocks and disks, and every pause. Who is dead stays dead.
    pub async fn mend(&mut self) {
        if let Some(network) = &self.network {
            network.mend();
        }
        for id in self.ids() {
            self.resume(id);
            self.order(id, "mend network; mend clocks; mend disk").await;
        }
    }

    /// Whether the node has a process that is not paused.
    pub fn is_up(&self, id: u64) -> bool {
        let machine = self.machine(id);
        machine.child.is_some() && !machine.is_paused
    }

    /// Whether the node has a process.
    pub fn is_running(&self, id: u64) -> bool {
        self.machine(id).child.is_some()
    }

    /// kill -9.
    pub fn kill(&mut self, id: u64) {
        let machine = self.machine_mut(id);
        if let Some(mut child) = machine.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        machine.is_paused = false;
    }

    /// kill -9, and the disk is lost with everything on it.
    pub fn wipe(&mut self, id: u64) {
        self.kill(id);
        // Unmounted; another one is made for the next start.
        self.power_disks.remove(&id);
        match std::fs::remove_dir_all(self.data_dir(id)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("the data of node {id}: {error}"),
            _ => {}
        }
    }

    /// Cuts the power of these nodes, of all at once: nothing that was written and not synced is left on their disks.
    ///
    /// # Panics
    /// Where nodes have no disks whose power can be cut.
    pub fn cut_power(&mut self, ids: &[u64]) {
        // Nobody answers or sends anything after its own disk, or another one's, is off.
        ids.iter().for_each(|id| self.signal(*id, libc::SIGSTOP));
        ids.iter().for_each(|id| self.power_disk(*id).cut().expect("as in the trial"));
        for id in ids {
            self.kill(*id);
            self.power_disk(*id).replug().expect("as in the trial");
        }
    }

    fn power_disk(&self, id: u64) -> &PowerDisk {
        self.power_disks.get(&id).expect("the shape of the cluster asks for such disks, and the node was started")
    }

    /// From its next start on the node has this election timeout; `None` for that of the others.
    pub fn set_election_timeout(&mut self, id: u64, election_timeout: Option<Duration>) {
        self.machine_mut(id).election_timeout = election_timeout;
    }

    /// SIGTERM, without waiting for anything.
    pub fn send_term(&self, id: u64) {
        self.signal(id, libc::SIGTERM);
    }

    /// SIGTERM, then waits for the end; the exit code.
    pub fn terminate(&mut self, id: u64) -> Option<i32> {
        self.signal(id, libc::SIGTERM);
        self.machine_mut(id).child.take()?.wait().expect("it ends").code()
    }

    /// SIGSTOP: the process stands still while time goes on.
    pub fn pause(&mut self, id: u64) {
        self.signal(id, libc::SIGSTOP);
        self.machine_mut(id).is_paused = true;
    }

    /// SIGCONT.
    pub fn resume(&mut self, id: u64) {
        if self.machine(id).is_paused {
            self.signal(id, libc::SIGCONT);
            self.machine_mut(id).is_paused = false;
        }
    }

    /// The process id of a node.
    pub fn pid(&self, id: u64) -> Option<u32> {
        self.machine(id).child.as_ref().map(Child::id)
    }

    /// Takes a place for one more node, whose process the caller starts.
    pub fn add_place(&mut self) -> u64 {
        self.last_id += 1;
        let id = self.last_id;
        let ports = free_ports(2);
        self.machines.push(Machine::new(id, id, site(&mut self.network, id), ports[0], ports[1]));
        id
    }

    /// Takes a new number for the place of a node that is gone for good: the new node is to answer its clients, where they
    /// are used to ask. The caller starts its process.
    pub fn succeed(&mut self, id: u64) -> u64 {
        self.kill(id);
        self.power_disks.remove(&id);
        self.last_id += 1;
        let successor = self.last_id;
        let gone = self.machine_mut(id);
        *gone = Machine::new(successor, gone.place, gone.address, gone.http_port, free_ports(1)[0]);
        successor
    }

    /// Puts the data of a node that never ran on a disk of its own of so many bytes.
    ///
    /// # Errors
    /// Where this process may not mount one; the tests that need it say so and pass it over.
    pub fn give_small_disk(&mut self, id: u64, bytes: u64) -> Result<(), std::io::Error> {
        self.disks.push(SmallDisk::mount(&self.data_dir(id), bytes)?);
        Ok(())
    }

    /// Fills the small disk of a node to the last byte, until [`Fleet::make_room`].
    pub fn fill_disk(&self, id: u64) -> u64 {
        self.disk(id).fill()
    }

    /// Empties what [`Fleet::fill_disk`] filled.
    pub fn make_room(&self, id: u64) {
        self.disk(id).make_room();
    }

    fn disk(&self, id: u64) -> &SmallDisk {
        let path = self.data_dir(id);
        self.disks.iter().find(|disk| disk.path() == path).expect("the node has a small disk")
    }

    /// Starts a node that joins the running cluster.
    ///
    /// # Errors
    /// What it wrote, when it ended at once.
    pub fn join(&mut self, id: u64) -> Result<(), String> {
        // Faults are no setting: they stand before the command.
        let (faults, settings): (Vec<String>, Vec<String>) =
            self.common_arguments(id).into_iter().partition(|argument| argument.starts_with("--faults="));
        let mut arguments = faults;
        // Founders may have gone; whoever is here now can tell.
        let peers = peers_flag(self.machines.iter().filter(|machine| machine.id != id));
        arguments.extend(["join".to_owned(), format!("--node-id={id}"), format!("--peers={peers}")]);
        arguments.push(format!("--peer-address={}", self.peer_address(id)));
        arguments.extend(settings);
        self.start_with(id, &arguments)
    }

    /// Starts a node that has joined before and was away: its directory knows whose it is.
    ///
    /// # Errors
    /// What it wrote, when it ended at once.
    pub fn come_back(&mut self, id: u64) -> Result<(), String> {
        if id <= self.shape.nodes { self.start(id) } else { self.join(id) }
    }

    /// Asks `through` for a change of the cluster, such as `remove?node=4`, until it is done.
    ///
    /// # Panics
    /// When it comes no further.
    pub async fn change(&self, through: u64, change: &str) {
        let mut patience = Patience::new(STEP_MAX);
        let path = format!("/cluster/{change}&timeout-ms=10000");
        loop {
            let mut client = Client::new(self.address(through));
            let answer = client.plain("POST", &path, "", Duration::from_secs(12)).await;
            // Who was removed by an attempt whose answer was lost is no member the next time.
            let is_gone = |text: &str| change.starts_with("remove") && text.contains("is no member of any shard");
            match &answer {
                Some((200, _)) => return,
                Some((409, text)) if is_gone(text) => return,
                _ => {}
            }
            let members = self.members(through).await;
            assert!(!patience.is_over(&members), "{change} comes no further than {members:?}: {answer:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The members of each shard as a node tells them, and whether they change; `None` where it does not.
    async fn members(&self, through: u64) -> Option<String> {
        let (_, text) = self.plain(through, "GET", "/cluster/status?format=json", "").await?;
        let status: serde_json::Value = serde_json::from_str(&text).ok()?;
        let shards = status["shards"].as_array()?.iter();
        let told = shards.map(|shard| format!("{}{}{}", shard["voters"], shard["learners"], shard["changing"]));
        Some(told.collect::<Vec<_>>().join(" "))
    }

    /// Waits until a node that joins votes in every shard, by its own word.
    pub async fn wait_joined(&mut self, id: u64) {
        self.wait_live(id).await;
        let mut patience = Patience::new(STEP_MAX);
        while !self.log(id).contains("joined: this node is a voter of all its shards") {
            let members = self.members(id).await;
            assert!(!patience.is_over(&members), "node {id} comes no further than {members:?}:\n{}", self.log(id));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Forgets a node for good.
    pub fn drop_place(&mut self, id: u64) {
        self.kill(id);
        self.power_disks.remove(&id);
        let place = self.place(id);
        self.machines.retain(|machine| machine.id != id);
        if let Some(network) = &mut self.network {
            network.remove(place);
        }
    }

    fn signal(&self, id: u64, signal: i32) {
        let Some(child) = &self.machine(id).child else { return };
        let process = i32::try_from(child.id()).expect("a process id fits");
        // SAFETY: plain system call with a process id that is ours until it has been waited for.
        unsafe { libc::kill(process, signal) };
    }

    fn place(&self, id: u64) -> u64 {
        self.machine(id).place
    }

    fn machine(&self, id: u64) -> &Machine {
        self.machines.iter().find(|machine| machine.id == id).expect("a node of this cluster")
    }

    fn machine_mut(&mut self, id: u64) -> &mut Machine {
        self.machines.iter_mut().find(|machine| machine.id == id).expect("a node of this cluster")
    }

    fn folder(&self) -> &Path {
        self.folder.as_ref().expect("only taken when dropped").path()
    }

    fn log_path(&self, id: u64) -> PathBuf {
        self.folder().join(format!("node-{id}.log"))
    }

    fn open_log(&self, id: u64) -> File {
        OpenOptions::new().create(true).append(true).open(self.log_path(id)).expect("the log of a node can be written")
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for id in self.ids() {
            self.kill(id);
        }
        // Unmounted before their folders are removed.
        self.disks.clear();
        self.power_disks.clear();
        if let Some(folder) = self.folder.take().filter(|_| std::thread::panicking()) {
            eprintln!("logs and data of the nodes: {}", folder.keep().display());
        }
    }
}

fn peers_flag<'a>(machines: impl Iterator<Item = &'a Machine>) -> String {
    machines
        .map(|machine| format!("{}={}:{}", machine.id, machine.address, machine.peer_port))
        .collect::<Vec<_>>()
        .join(",")
}

/// Makes a namespace for a place where places have one; the address of the place.
fn site(network: &mut Option<Network>, place: u64) -> Ipv4Addr {
    let Some(network) = network else { return Ipv4Addr::LOCALHOST };
    network.add(place);
    Network::address(place)
}

/// `shard 3: applied 17, leads term 2, lease` or `shard 3: applied 17, led by node 1, no lease`.
fn shard_view(line: &str) -> Option<ShardView> {
    let (_, rest) = line.strip_prefix("shard ")?.split_once(": applied ")?;
    let mut parts = rest.split(", ");
    let applied = parts.next()?.parse().ok()?;
    let led = parts.next()?;
    Some(ShardView {
        leads: led.starts_with("leads"),
        leader: led.strip_prefix("led by node ").and_then(|id| id.parse().ok()),
        has_lease: parts.next()? == "lease",
        applied,
    })
}

/// Ports that nobody listens on right now.
fn free_ports(count: usize) -> Vec<u16> {
    // Tests of several processes run at the same time: each begins somewhere else.
    let clock =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |now| now.as_nanos() as u64);
    let mut rng = Rng::new(clock ^ u64::from(std::process::id()) << 32);
    let mut held = Vec::new();
    while held.len() < count {
        let port = rng.between(PORTS.0, PORTS.1) as u16;
        held.extend(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok().map(|listener| (port, listener)));
    }
    held.into_iter().map(|(port, _)| port).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_health_page_is_understood() {
        let leading = ShardView { leads: true, leader: None, has_lease: true, applied: 17 };
        assert_eq!(shard_view("shard 3: applied 17, leads term 2, lease"), Some(leading));
        let following = ShardView { leads: false, leader: Some(1), has_lease: false, applied: 4 };
        assert_eq!(shard_view("shard 0: applied 4, led by node 1, no lease"), Some(following));
        assert_eq!(shard_view("ready"), None);
    }
}
