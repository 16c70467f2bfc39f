//! The figures of a cluster on one machine. Each is one command, with nothing else running:
//!
//! ```sh
//! cargo build --release -p dynamo-server --features fault-injection --bin dynamo-server-faults
//! cargo test --release -p tests --test cluster figures -- --ignored --nocapture --test-threads 1
//! ```
//!
//! About forty minutes: three for the reads, four for the kills (`FIGURES_KILLS`, 25 unless said otherwise), one for the idle
//! cluster, and half an hour for all kinds of faults (`FIGURES_FAULTS` of each, 20 unless said otherwise;
//! `FIGURES_FAULT=cut` for those only whose names contain that).

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;
use tests::cluster::client::{Client, Reply};
use tests::cluster::fleet::{Fleet, Shape};
use tests::patience::eventually;
use tests::raw::AUTHORIZATION;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

const LIMIT: Duration = Duration::from_secs(10);

/// Items that are read.
const KEYS: u64 = 1_000;

/// How often leases and read-index take turns.
const TURNS: usize = 5;

/// Messages between nodes take this long in the slices with one connection.
const ROUND_TRIP_MS: u64 = 1;

#[test]
#[ignore = "measures for minutes and asserts no times; only a quiet machine gives figures"]
fn figures_of_reads() {
    // One thread, so that the client takes no more of the machine than it must.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    LocalSet::new().block_on(&runtime, async {
        println!(
            "consistent GetItem of 1 KB at the leader of a 3-node cluster; medians of {TURNS} slices of {:?}",
            slice_time()
        );
        println!(
            "| connections | between nodes | reads by | requests/s | p50 µs | p99 µs | CPU µs of all nodes a request |"
        );
        println!("|---|---|---|---|---|---|---|");
        for (connections, delay_ms) in [(64, 0), (1, ROUND_TRIP_MS), (1, 0)] {
            let lease = reading_cluster("lease", delay_ms).await;
            let index = reading_cluster("read-index", delay_ms).await;
            let mut slices = [Vec::new(), Vec::new()];
            for _ in 0..TURNS {
                for (cluster, slices) in [&lease, &index].into_iter().zip(&mut slices) {
                    slices.push(slice(cluster, connections).await);
                }
            }
            let [by_lease, by_index] = slices.map(|slices| median(&slices));
            for (name, slice) in [("lease", by_lease), ("read-index", by_index)] {
                println!(
                    "| {connections} | +{delay_ms} ms | {name} | {:.0} | {:.0} | {:.0} | {:.1} |",
                    slice.rate, slice.p50_us, slice.p99_us, slice.cpu_us
                );
            }
            println!("| {connections} | +{delay_ms} ms | ratio | {:.2} | | | |", by_lease.rate / by_index.rate);
        }
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures for minutes and asserts no times; only a quiet machine gives figures"]
async fn figures_of_unavailability() {
    let kills = std::env::var("FIGURES_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(25);
    // The default, and the one before.
    for election_timeout_ms in [1_000, 2_000] {
        let election_timeout = Duration::from_millis(election_timeout_ms);
        let mut fleet = Fleet::found(Shape { shards: 1, election_timeout, ..Shape::default() }).await;
        create_table(&fleet).await;
        let mut gaps = Vec::new();
        while gaps.len() < kills {
            gaps.push(gap_of_a_kill(&mut fleet).await);
        }
        gaps.sort();
        let at = |per_cent: usize| gaps[rank(gaps.len(), per_cent)];
        let (p50, p99) = (at(50), at(99));
        let times = |gap: Duration| gap.as_secs_f64() / election_timeout.as_secs_f64();
        println!(
            "election timeout {election_timeout_ms} ms, {} kills of the leader: no write for p50 {} ms ({:.2} ×), \
             p99 {} ms ({:.2} ×), longest {} ms",
            gaps.len(),
            p50.as_millis(),
            times(p50),
            p99.as_millis(),
            times(p99),
            gaps[gaps.len() - 1].as_millis()
        );
    }
}

/// One fault at a time.
const FAULTS: [(&str, Harm); 23] = [
    ("leader: kill -9", Harm::Kill),
    ("leader: ordinary stop (SIGTERM)", Harm::Terminate),
    ("leader: stands still for 5 s (SIGSTOP)", Harm::Pause),
    ("leader: cut off both ways", Harm::Isolate),
    ("leader: cut off, nobody hears it", Harm::Mute),
    ("leader: cut off, it hears nobody", Harm::Deafen),
    ("leader: the log's disk hangs", Harm::Command("disk slow 60000", "mend disk")),
    ("leader: its disk is full", Harm::Command("disk free 0", "mend disk")),
    ("leader: its disk is lost, and replaced", Harm::Wipe),
    ("leader: the way to one follower is cut", Harm::PartOne),
    ("leader: its messages are 200 ms late", Harm::Late),
    ("leader: the clock of leases jumps 1 h ahead", Harm::Command("clock jump 3600000", "mend clocks")),
    ("leader: removed from the cluster", Harm::Remove),
    ("leader: wall clock 1 h ahead", Harm::Command("clock wall 3600000", "mend clocks")),
    ("leader: asked to hand over", Harm::HandOver),
    ("follower: kill -9", Harm::KillFollower),
    ("follower: stands still for 5 s (SIGSTOP)", Harm::PauseFollower),
    ("follower: its disk is lost, and replaced", Harm::WipeFollower),
    ("all: kill -9 at once, started again at once", Harm::KillAll),
    ("both others: ordinary restart, one after the other", Harm::Rolling),
    ("follower: cut off both ways", Harm::IsolateFollower),
    ("follower: the log's disk hangs", Harm::CommandFollower("disk slow 60000", "mend disk")),
    ("follower: its disk is full", Harm::CommandFollower("disk free 0", "mend disk")),
];

/// What is done to a node, and undone.
#[derive(Clone, Copy)]
enum Harm {
    Kill,
    Terminate,
    Pause,
    Isolate,
    Mute,
    Deafen,
    Command(&'static str, &'static str),
    HandOver,
    Wipe,
    PartOne,
    Late,
    Remove,
    KillFollower,
    PauseFollower,
    WipeFollower,
    KillAll,
    Rolling,
    IsolateFollower,
    CommandFollower(&'static str, &'static str),
}

/// How long a fault lasts. Whoever is to take over has done so long before.
const FAULT_LASTS: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures for minutes and asserts no times; only a quiet machine gives figures"]
async fn figures_of_each_fault() {
    let times = std::env::var("FIGURES_FAULTS").ok().and_then(|text| text.parse().ok()).unwrap_or(20);
    let wanted = std::env::var("FIGURES_FAULT").unwrap_or_default();
    println!("three nodes, one shard, default settings; the longest time without an acknowledged write");
    println!("| fault | times | p50 ms | p99 ms | longest ms |");
    println!("|---|---|---|---|---|");
    for (name, harm) in FAULTS.into_iter().filter(|(name, _)| name.contains(&wanted)) {
        let shape = Shape { shards: 1, election_timeout: Duration::from_millis(1_000), ..Shape::default() };
        let mut fleet = Fleet::found(shape).await;
        create_table(&fleet).await;
        let mut gaps = Vec::new();
        for _ in 0..times {
            gaps.push(gap_of(&mut fleet, harm).await.as_millis());
        }
        gaps.sort_unstable();
        let at = |per_cent: usize| gaps[rank(gaps.len(), per_cent)];
        println!("| {name} | {times} | {} | {} | {} |", at(50), at(99), gaps[gaps.len() - 1]);
    }
}

/// Does harm under a stream of writes through a node that is not harmed; the longest time in which none was acknowledged, from
/// the last one before it.
async fn gap_of(fleet: &mut Fleet, harm: Harm) -> Duration {
    let leader = fleet.some_leader(0).await;
    let (asked, follower) = (fleet.others(leader)[0], fleet.others(leader)[1]);
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let writer = tokio::spawn(write_on(fleet.address(asked), Arc::clone(&acknowledged)));
    tokio::time::sleep(Duration::from_millis(500)).await;
    let began = Instant::now();
    match harm {
        Harm::Kill => fleet.kill(leader),
        Harm::Terminate => drop(fleet.terminate(leader)),
        Harm::Pause => fleet.pause(leader),
        Harm::Isolate => fleet.isolate(leader).await,
        Harm::Mute => fleet.mute(leader).await,
        Harm::Deafen => fleet.deafen(leader).await,
        Harm::Command(script, _) => fleet.must(leader, script).await,
        Harm::HandOver => fleet.must(leader, &format!("transfer 0 {follower}")).await,
        Harm::Wipe => fleet.wipe(leader),
        Harm::PartOne => fleet.part(leader, follower).await,
        Harm::Late => {
            let late = fleet.others(leader).iter().map(|other| format!("delay to {other} 200")).collect::<Vec<_>>();
            fleet.must(leader, &late.join("; ")).await;
        }
        Harm::Remove => fleet.change(asked, &format!("remove?node={leader}")).await,
        Harm::KillFollower => fleet.kill(follower),
        Harm::PauseFollower => fleet.pause(follower),
        Harm::WipeFollower => fleet.wipe(follower),
        Harm::KillAll => {
            fleet.ids().into_iter().for_each(|id| fleet.kill(id));
            fleet.ids().into_iter().for_each(|id| fleet.start(id).expect("it starts again"));
        }
        Harm::Rolling => {
            for id in fleet.others(asked) {
                fleet.terminate(id);
                fleet.start(id).expect("it starts again");
                fleet.wait_live(id).await;
                fleet.wait_leaders().await;
            }
        }
        Harm::IsolateFollower => fleet.isolate(follower).await,
        Harm::CommandFollower(script, _) => fleet.must(follower, script).await,
    }
    tokio::time::sleep(FAULT_LASTS).await;
    match harm {
        Harm::Kill | Harm::Terminate => fleet.start(leader).expect("it starts again"),
        Harm::KillFollower => fleet.start(follower).expect("it starts again"),
        Harm::Pause => fleet.resume(leader),
        Harm::PauseFollower => fleet.resume(follower),
        Harm::Wipe | Harm::WipeFollower => {
            let lost = if matches!(harm, Harm::Wipe) { leader } else { follower };
            fleet.start(lost).expect("it starts empty");
            fleet.wait_live(lost).await;
            fleet.change(asked, &format!("replace?node={lost}")).await;
        }
        Harm::Remove => {
            let comes = fleet.succeed(leader);
            fleet.join(comes).expect("it starts");
            fleet.wait_joined(comes).await;
        }
        Harm::Isolate | Harm::Mute | Harm::Deafen | Harm::IsolateFollower | Harm::PartOne | Harm::Late => {
            fleet.mend().await;
        }
        Harm::Command(_, mend) => fleet.must(leader, mend).await,
        Harm::CommandFollower(_, mend) => fleet.must(follower, mend).await,
        Harm::HandOver | Harm::KillAll | Harm::Rolling => {}
    }
    for id in fleet.ids() {
        fleet.wait_live(id).await;
    }
    tokio::time::sleep(fleet.shape().election_timeout * 3 / 2).await;
    writer.abort();
    let moments = acknowledged.lock().expect("nobody panics with it").clone();
    let from = moments.iter().rposition(|moment| *moment < began).expect("writes came before");
    let gaps = moments[from..].windows(2).map(|pair| pair[1] - pair[0]);
    gaps.max().expect("writes came afterwards")
}

/// Writes on and on, and notes when each was acknowledged.
async fn write_on(address: SocketAddr, acknowledged: Arc<Mutex<Vec<Instant>>>) {
    let mut client = Client::new(address);
    loop {
        put_until_done(&mut client).await;
        acknowledged.lock().expect("nobody panics with it").push(Instant::now());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures for minutes and asserts no times; only a quiet machine gives figures"]
async fn figures_of_an_idle_cluster() {
    const WATCHED: Duration = Duration::from_secs(20);
    for shards in [16, 64] {
        let fleet = Fleet::found(Shape { shards, election_timeout: Duration::from_secs(2), ..Shape::default() }).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        let before = cpu_of_all(&fleet);
        tokio::time::sleep(WATCHED).await;
        let used = cpu_of_all(&fleet) - before;
        let per_cent = 100.0 * used.as_secs_f64() / WATCHED.as_secs_f64() / fleet.ids().len() as f64;
        let memory: Vec<String> = fleet.ids().iter().map(|id| format!("{:.0}", resident_mib(&fleet, *id))).collect();
        println!(
            "idle, 3 nodes, {shards} shards, election timeout 2 s: {per_cent:.2} % of a processor and {} MiB a node",
            memory.join(" / ")
        );
    }
}

/// How long one slice measures: five seconds, or `FIGURES_SLICE_MS`, to see quickly that everything works.
fn slice_time() -> Duration {
    let given = std::env::var("FIGURES_SLICE_MS").ok().and_then(|text| text.parse().ok());
    Duration::from_millis(given.unwrap_or(5_000))
}

/// A cluster with `KEYS` items, and the node that leads it.
struct Reading {
    fleet: Fleet,
    leader: u64,
}

async fn reading_cluster(read_mode: &str, delay_ms: u64) -> Reading {
    let flags = vec![format!("--read-mode={read_mode}")];
    let shape = Shape { shards: 1, election_timeout: Duration::from_secs(2), flags, ..Shape::default() };
    let fleet = Fleet::found(shape).await;
    create_table(&fleet).await;
    let leader = fleet.some_leader(0).await;
    let mut client = Client::new(fleet.address(leader));
    for first in (0..KEYS).step_by(25) {
        let puts: Vec<_> = (first..first + 25)
            .map(|key| json!({"PutRequest": {"Item": {"pk": {"S": key_of(key)}, "v": {"S": "x".repeat(1_000)}}}}))
            .collect();
        let body = json!({"RequestItems": {"figures": puts}});
        client.call("BatchWriteItem", &body, LIMIT).await.done().expect("written");
    }
    if delay_ms > 0 {
        for other in fleet.others(leader) {
            fleet.must(leader, &format!("delay to {other} {delay_ms}")).await;
        }
    }
    Reading { fleet, leader }
}

fn key_of(key: u64) -> String {
    format!("key-{key:06}")
}

async fn create_table(fleet: &Fleet) {
    let body = tests::table_of("figures", "pk");
    let leader = fleet.some_leader(0).await;
    let mut client = Client::new(fleet.address(leader));
    client.call("CreateTable", &body, LIMIT).await.done().expect("the table is created");
    let described = json!({"TableName": "figures"});
    eventually("the table is active", async || {
        let described = client.call("DescribeTable", &described, LIMIT).await.done().expect("there");
        (described["Table"]["TableStatus"] == "ACTIVE").then_some(())
    })
    .await;
}

/// What one slice measured.
#[derive(Clone, Copy)]
struct Slice {
    rate: f64,
    p50_us: f64,
    p99_us: f64,
    cpu_us: f64,
}

async fn slice(cluster: &Reading, connections: u64) -> Slice {
    let address = cluster.fleet.address(cluster.leader);
    let before = cpu_of_all(&cluster.fleet);
    let began = Instant::now();
    let readers: Vec<_> = (0..connections)
        .map(|reader| tokio::task::spawn_local(read_until(address, reader * 7, began + slice_time())))
        .collect();
    let mut latencies = Vec::new();
    for reader in readers {
        latencies.extend(reader.await.expect("readers do not panic"));
    }
    let elapsed = began.elapsed().as_secs_f64();
    let cpu = cpu_of_all(&cluster.fleet) - before;
    latencies.sort_unstable();
    let at = |per_cent: usize| latencies[rank(latencies.len(), per_cent)] as f64 / 1_000.0;
    Slice {
        rate: latencies.len() as f64 / elapsed,
        p50_us: at(50),
        p99_us: at(99),
        cpu_us: cpu.as_secs_f64() * 1e6 / latencies.len() as f64,
    }
}

/// The place of a percentile among so many sorted figures (nearest rank: of 25, the 99th is the last).
fn rank(count: usize, per_cent: usize) -> usize {
    (count * per_cent).div_ceil(100).max(1) - 1
}

/// Reads one item after the other; the nanoseconds that each took.
async fn read_until(address: std::net::SocketAddr, first: u64, end: Instant) -> Vec<u64> {
    let requests: Vec<Vec<u8>> = (0..KEYS).map(get_request).collect();
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    stream.set_nodelay(true).expect("a socket of ours");
    let mut buffer = Vec::with_capacity(4_096);
    let mut latencies = Vec::new();
    let mut key = first % KEYS;
    let mut now = Instant::now();
    while now < end {
        stream.write_all(&requests[key as usize]).await.expect("sent");
        read_answer(&mut stream, &mut buffer).await;
        let after = Instant::now();
        latencies.push((after - now).as_nanos() as u64);
        now = after;
        key = (key + 1) % KEYS;
    }
    latencies
}

fn get_request(key: u64) -> Vec<u8> {
    let body = json!({"TableName": "figures", "Key": {"pk": {"S": key_of(key)}}, "ConsistentRead": true}).to_string();
    let head = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-amz-json-1.0\r\n\
         X-Amz-Target: DynamoDB_20120810.GetItem\r\nX-Amz-Date: 20260101T000000Z\r\n\
         Authorization: {AUTHORIZATION}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    format!("{head}{body}").into_bytes()
}

/// Reads one answer, which must be the item: an answer of 1 KB with status 200.
async fn read_answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) {
    buffer.clear();
    loop {
        assert!(stream.read_buf(buffer).await.expect("readable") > 0, "the server closed the connection");
        let Some(head_end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = std::str::from_utf8(&buffer[..head_end]).expect("ASCII").to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 200"), "{head}");
        let (_, rest) = head.split_once("content-length:").expect("a length");
        let length: usize = rest.split("\r\n").next().and_then(|text| text.trim().parse().ok()).expect("a number");
        assert!(length > 1_000, "the item is there");
        if buffer.len() >= head_end + 4 + length {
            return;
        }
    }
}

fn median(slices: &[Slice]) -> Slice {
    let middle = |value: fn(&Slice) -> f64| {
        let mut values: Vec<f64> = slices.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    Slice {
        rate: middle(|slice| slice.rate),
        p50_us: middle(|slice| slice.p50_us),
        p99_us: middle(|slice| slice.p99_us),
        cpu_us: middle(|slice| slice.cpu_us),
    }
}

/// Kills the leader under a stream of writes to the others; how long none was acknowledged, from the last one before the
/// kill to the first one after it.
async fn gap_of_a_kill(fleet: &mut Fleet) -> Duration {
    let leader = fleet.some_leader(0).await;
    let asked = fleet.others(leader)[0];
    let mut client = Client::new(fleet.address(asked));
    put_until_done(&mut client).await;
    let began = Instant::now();
    fleet.kill(leader);
    put_until_done(&mut client).await;
    let gap = began.elapsed();
    fleet.start(leader).expect("it starts again");
    fleet.wait_live(leader).await;
    // The one that came back must hear the new leader, and be free of its hold-off, before the next kill.
    tokio::time::sleep(fleet.shape().election_timeout * 3 / 2).await;
    gap
}

async fn put_until_done(client: &mut Client) {
    let item = json!({"pk": {"S": key_of(1)}, "v": {"S": "x"}});
    let body = json!({"TableName": "figures", "Item": item});
    // Short, so that a request that waits for the dead leader does not count as unavailability.
    while !matches!(client.call("PutItem", &body, Duration::from_millis(250)).await, Reply::Done(_)) {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Processor time of all nodes so far.
fn cpu_of_all(fleet: &Fleet) -> Duration {
    fleet.ids().iter().map(|id| cpu_of(fleet.pid(*id).expect("it runs"))).sum()
}

fn cpu_of(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process of ours");
    // The name may hold anything; what follows it does not.
    let after_name = stat.rsplit_once(')').expect("a name in brackets").1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().expect("user time") + fields[12].parse::<u64>().expect("system time");
    // SAFETY: takes and returns a number.
    let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) } as u64;
    Duration::from_nanos(ticks * (1_000_000_000 / per_second))
}

fn resident_mib(fleet: &Fleet, id: u64) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", fleet.pid(id).expect("it runs")));
    let status = status.expect("a process of ours");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it is there");
    line.split_whitespace().next().and_then(|text| text.parse::<f64>().ok()).expect("kB") / 1_024.0
}
