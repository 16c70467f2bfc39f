//! What a light client notices of its neighbours.
//!
//! One connection asks for an item now and then, and is measured alone and beside each kind of heavy neighbour in turn. What
//! counts is the ratio of its p99 beside them to its p99 alone: fair is a server that gives each connection its share,
//! so that a light one waits for little more than what is being done at the moment.
//!
//! Where the neighbours take more processors than there are, whoever wakes up waits for one, whatever the server does. So the
//! same light client asks a bare HTTP server at the same time ([`Calibrator`]), which nobody else asks: what that one
//! takes is what this machine leaves, and no server beside such neighbours can be quicker. Last, the crowd and the light
//! client ask one bare server together. With `--apart` the servers have half of the processors and all clients the other half,
//! as if there were a network between them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use hlc::source::WallClock;
use tokio::task::LocalSet;

use crate::calibrator::Calibrator;
use crate::client::{Body, Caller, Connection, Endpoint, Template, scan};
use crate::endure::EndureArguments;
use crate::error::{Context, Error, Result};
use crate::load::Ticker;
use crate::machine::{Machine, date_utc, measure_soon, monotonic_ns, processors, resident, run_on};
use crate::place::{RunFolder, command_line, next_to_this_binary, revision};
use crate::session::progress;
use crate::stats::Latency;
use crate::target::{Launch, Process, Target};

/// How much longer than alone a light client's p99 may be.
const RATIO_MAX: f64 = 3.0;

/// Between two requests of the light client.
const PAUSE_NS: u64 = 5_000_000;

const TABLE: &str = "bench_neighbours";

/// The table whose items have expired.
const SWEPT: &str = "bench_swept";

/// Items of 1 KB in the table: a scan has pages of a megabyte to return.
const ITEMS: usize = 4_000;

/// Items in one BatchWriteItem.
const BATCH: usize = 25;

/// A rejected body's size.
const REJECTED_BYTES: usize = 15_000_000;

/// A kind of neighbour.
#[derive(Clone, Copy, Debug)]
enum Neighbours {
    Alone,
    Scans,
    Rejected,
    Busy,
    Sweep,
    /// As [`Neighbours::Busy`], all at a bare server.
    BusyBare,
}

impl Neighbours {
    const ALL: [Neighbours; 6] = [
        Neighbours::Alone,
        Neighbours::Scans,
        Neighbours::Rejected,
        Neighbours::Busy,
        Neighbours::Sweep,
        Neighbours::BusyBare,
    ];

    fn name(self) -> &'static str {
        match self {
            Neighbours::Alone => "alone",
            Neighbours::Scans => "8 scan loops",
            Neighbours::Rejected => "8 senders of rejected bodies of 15 MB",
            Neighbours::Busy => "1,000 connections of one client that get items",
            Neighbours::Sweep => "a sweep of items that have expired",
            Neighbours::BusyBare => "1,000 connections, all at one bare server",
        }
    }

    fn connections(self) -> usize {
        match self {
            Neighbours::Alone | Neighbours::Sweep => 0,
            Neighbours::Scans | Neighbours::Rejected => 8,
            Neighbours::Busy | Neighbours::BusyBare => 1_000,
        }
    }

    fn request(self, endpoint: &Endpoint) -> Vec<u8> {
        match self {
            Neighbours::Alone | Neighbours::Busy | Neighbours::Sweep | Neighbours::BusyBare => get(endpoint),
            Neighbours::Scans => request(endpoint, "Scan", &format!(r#"{{"TableName":"{TABLE}"}}"#)),
            // More writes than a batch may have.
            Neighbours::Rejected => {
                let put = r#"{"PutRequest":{"Item":{"k":{"S":"x"},"v":{"N":"1"}}}}"#;
                let puts = vec![put; REJECTED_BYTES / (put.len() + 1)].join(",");
                request(endpoint, "BatchWriteItem", &format!(r#"{{"RequestItems":{{"{TABLE}":[{puts}]}}}}"#))
            }
        }
    }
}

fn request(endpoint: &Endpoint, operation: &str, body: &str) -> Vec<u8> {
    Template::new(endpoint, operation, &Body::new(body)).fill(&[]).to_vec()
}

fn get(endpoint: &Endpoint) -> Vec<u8> {
    request(
        endpoint,
        "GetItem",
        &format!(r#"{{"TableName":"{TABLE}","Key":{{"k":{{"S":"7"}}}},"ConsistentRead":true}}"#),
    )
}

/// The same request with another access key: the crowd's connections are one client's, and the light one is another.
fn of_another_client(mut request: Vec<u8>) -> Vec<u8> {
    let [theirs, ours] = ["Credential=bench/", "Credential=light/"];
    let at = memchr::memmem::find(&request, theirs.as_bytes()).expect("every request is signed");
    request[at..at + ours.len()].copy_from_slice(ours.as_bytes());
    request
}

/// Runs the rows; false when the ratio is out of bounds, or the light client was refused anything.
///
/// # Errors
/// When the server does not start, refuses to be loaded or goes away.
pub fn run(arguments: &EndureArguments) -> Result<bool> {
    let folder = RunFolder::create(&arguments.folder)?;
    // What is started stays on the processors that this thread has then.
    let all = processors();
    let (for_servers, for_clients) = all.split_at(all.len().div_ceil(2));
    if arguments.apart {
        run_on(for_servers).context(|| "--apart".to_owned())?;
    }
    let launch = Launch {
        binary: arguments.server.clone().map_or_else(|| next_to_this_binary("dynamo-server"), Ok)?,
        data: Some(folder.path().join("data")),
        shards: arguments.shards,
        arguments: ["--ttl-interval-ms", "1000"].map(str::to_owned).to_vec(),
        log: folder.path().join("server.log"),
    };
    let target = Target::ours("dynamo-server", vec![Process::start(&launch)?.0]);
    let bare = Calibrator::start(1)?;
    let crowded = Calibrator::start(if arguments.apart { for_servers.len() } else { all.len() } as u64)?;
    if arguments.apart {
        run_on(if for_clients.is_empty() { for_servers } else { for_clients }).context(|| "--apart".to_owned())?;
    }
    fill(&mut Caller::new(&target.endpoint)?)?;
    let mut text = format!(
        "# A light client's GetItem beside its neighbours, {}\n\nMachine: {}.  \nCommand: `{}`{}.\n\n\
         | beside | p50 µs | p99 µs | max µs | p99 / alone | of a bare server: p50 | p99 | p99 / its alone | neighbours' requests/s | RSS MiB, peak |\n\
         |---|---|---|---|---|---|---|---|---|---|\n",
        date_utc(WallClock.now_ms()),
        Machine::here(folder.path()),
        command_line(),
        revision().map(|commit| format!(", at commit {commit}")).unwrap_or_default(),
    );
    print!("{text}");
    let time = Duration::try_from_secs_f64(arguments.interval).context(|| "--interval".to_owned())?;
    let (mut alone_us, mut bare_alone_us) = (f64::INFINITY, f64::INFINITY);
    let (mut worst, mut worst_beyond) = (0.0_f64, 0.0_f64);
    for neighbours in Neighbours::ALL {
        progress(neighbours.name());
        if matches!(neighbours, Neighbours::Sweep) {
            prepare_sweep(&mut Caller::new(&target.endpoint)?, arguments.swept)?;
        }
        let is_bare = matches!(neighbours, Neighbours::BusyBare);
        let endpoint = if is_bare { &crowded.endpoint } else { &target.endpoint };
        let (latency, of_bare, theirs) = beside(endpoint, &bare.endpoint, neighbours, time)?;
        let (p99_us, bare_us) = (latency.quantile_us(0.99), of_bare.quantile_us(0.99));
        if matches!(neighbours, Neighbours::Alone) {
            (alone_us, bare_alone_us) = (p99_us, bare_us);
        }
        if !is_bare {
            worst = worst.max(p99_us / alone_us);
            worst_beyond = worst_beyond.max(p99_us / alone_us.max(bare_us));
        }
        let (_, peak) = target.pid.and_then(resident).unwrap_or_default();
        let row = format!(
            "| {} | {:.0} | {p99_us:.0} | {:.0} | {:.1} | {:.0} | {bare_us:.0} | {:.1} | {:.0} | {} |\n",
            neighbours.name(),
            latency.quantile_us(0.5),
            latency.max_us(),
            p99_us / alone_us,
            of_bare.quantile_us(0.5),
            bare_us / bare_alone_us,
            theirs as f64 / time.as_secs_f64(),
            peak >> 20,
        );
        print!("{row}");
        text += &row;
    }
    let is_fine = worst_beyond <= RATIO_MAX;
    let verdict = format!(
        "\np99 at most {worst:.1} × alone, and {worst_beyond:.1} × what the machine leaves a bare server at that time, where that is \
         more (goal: {RATIO_MAX}).\n"
    );
    print!("{verdict}");
    text += &verdict;
    crate::scale::write(&arguments.out, &format!("{}-{}.md", date_utc(WallClock.now_ms()), arguments.label), &text)?;
    Ok(is_fine)
}

fn create(table: &str) -> String {
    format!(
        r#"{{"TableName":"{table}","BillingMode":"PAY_PER_REQUEST",
            "AttributeDefinitions":[{{"AttributeName":"k","AttributeType":"S"}}],
            "KeySchema":[{{"AttributeName":"k","KeyType":"HASH"}}]}}"#
    )
}

fn fill(caller: &mut Caller) -> Result<()> {
    caller.expect("CreateTable", &create(TABLE))?;
    let value = "y".repeat(1_000);
    for first in (0..ITEMS).step_by(BATCH) {
        let put = |number| format!(r#"{{"PutRequest":{{"Item":{{"k":{{"S":"{number}"}},"v":{{"S":"{value}"}}}}}}}}"#);
        let puts: Vec<String> = (first..first + BATCH).map(put).collect();
        let body = format!(r#"{{"RequestItems":{{"{TABLE}":[{}]}}}}"#, puts.join(","));
        caller.expect("BatchWriteItem", &body)?;
    }
    Ok(())
}

/// Fills the table with items that have expired, and lets the sweep begin.
fn prepare_sweep(caller: &mut Caller, items: u64) -> Result<()> {
    caller.expect("CreateTable", &create(SWEPT))?;
    let expired = WallClock.now_ms() / 1_000 - 60;
    for first in (0..items).step_by(BATCH) {
        let put =
            |number| format!(r#"{{"PutRequest":{{"Item":{{"k":{{"S":"{number}"}},"ttl":{{"N":"{expired}"}}}}}}}}"#);
        let puts: Vec<String> = (first..first + BATCH as u64).map(put).collect();
        caller.expect("BatchWriteItem", &format!(r#"{{"RequestItems":{{"{SWEPT}":[{}]}}}}"#, puts.join(",")))?;
    }
    let specification = r#"{"AttributeName":"ttl","Enabled":true}"#;
    let body = format!(r#"{{"TableName":"{SWEPT}","TimeToLiveSpecification":{specification}}}"#);
    caller.expect("UpdateTimeToLive", &body).map(drop)
}

/// Items that a sweep has left.
fn left_by_sweep(caller: &mut Caller) -> Result<u64> {
    let reply = caller.expect("DescribeTable", &format!(r#"{{"TableName":"{SWEPT}"}}"#))?;
    let count = scan::value(&reply, "ItemCount").and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    count.ok_or_else(|| Error::new("DescribeTable gives no ItemCount".to_owned()))
}

/// What the crowd and its end have in common.
#[derive(Default)]
struct Shared {
    is_over: AtomicBool,
    requests: AtomicU64,
}

/// The light client's latencies beside its neighbours, there and at a bare server, and how many requests those made.
fn beside(
    endpoint: &Endpoint,
    bare: &Endpoint,
    neighbours: Neighbours,
    time: Duration,
) -> Result<(Latency, Latency, u64)> {
    let shared = Arc::<Shared>::default();
    thread::scope(|scope| {
        let crowd = scope.spawn(|| crowd(endpoint, neighbours, &shared));
        // They need a moment to get going.
        thread::sleep(time / 10);
        let of_bare = scope.spawn(|| light(bare, time));
        let latency = scope.spawn(|| light(endpoint, time));
        let panicked = || Error::new("a client thread panicked");
        let (latency, of_bare) = (latency.join(), of_bare.join());
        shared.is_over.store(true, Ordering::Relaxed);
        crowd.join().unwrap_or_else(|_| Err(panicked()))?;
        let (latency, of_bare) = (latency.map_err(|_| panicked())??, of_bare.map_err(|_| panicked())??);
        Ok((latency, of_bare, shared.requests.load(Ordering::Relaxed)))
    })
}

fn light(endpoint: &Endpoint, time: Duration) -> Result<Latency> {
    measure_soon();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (request, mut latency) = (of_another_client(get(endpoint)), Latency::default());
        let mut connection = Connection::open(endpoint).await?;
        let ticker = Ticker::new()?;
        let end_ns = monotonic_ns() + time.as_nanos() as u64;
        let mut due_ns = monotonic_ns();
        while due_ns < end_ns {
            ticker.until(due_ns).await?;
            let began_ns = monotonic_ns();
            let reply = connection.exchange(&request).await?;
            if reply.status != 200 {
                return Err(Error::new(format!("the light client got {}", reply.status)));
            }
            let now_ns = monotonic_ns();
            latency.record(now_ns - began_ns);
            due_ns = now_ns + PAUSE_NS;
        }
        Ok(latency)
    })
}

/// Watches a sweep: every item that it deletes counts as a request.
fn watch_sweep(endpoint: &Endpoint, shared: &Shared) -> Result<()> {
    let mut caller = Caller::new(endpoint)?;
    let before = left_by_sweep(&mut caller)?;
    let mut left = before;
    while !shared.is_over.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_secs(1));
        left = left_by_sweep(&mut caller)?;
    }
    progress(&format!("{left} of {before} items are left"));
    shared.requests.store(before - left, Ordering::Relaxed);
    Ok(())
}

fn crowd(endpoint: &Endpoint, neighbours: Neighbours, shared: &Arc<Shared>) -> Result<()> {
    if matches!(neighbours, Neighbours::Sweep) {
        return watch_sweep(endpoint, shared);
    }
    let request: Arc<[u8]> = neighbours.request(endpoint).into();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = LocalSet::new();
    runtime.block_on(local.run_until(async {
        let mut running = Vec::new();
        for _ in 0..neighbours.connections() {
            let connection = Connection::open(endpoint).await?;
            let one = again_and_again(connection, Arc::clone(&request), Arc::clone(shared));
            running.push(tokio::task::spawn_local(one));
        }
        for one in running {
            one.await.context(|| "a connection's task".to_owned())??;
        }
        Ok(())
    }))
}

async fn again_and_again(mut connection: Connection, request: Arc<[u8]>, shared: Arc<Shared>) -> std::io::Result<()> {
    while !shared.is_over.load(Ordering::Relaxed) {
        connection.exchange(&request).await?;
        shared.requests.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}
