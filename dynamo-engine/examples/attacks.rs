//! Sends the worst requests that are known, one after the other, to servers that it starts, and prints what each takes there:
//! processor time, memory, and how long another client's GetItem takes meanwhile.
//!
//! `cargo run --release -p dynamo-engine --example attacks -- BINARY… [--only PART OF A NAME]`: one column for each binary, such as
//! one from before a change and one from after it. Each has a new folder for its data, and what it takes by default of the rest.
//!
//! `… -- --memory 192,256,0 BINARY…` does something else: it starts each with these budgets in MiB (0 is the default), lets a crowd send
//! each request at the same time, and prints what of its budget the process holds, in how many of the moments that it was looked at.
//!
//! Linux only: the figures are read from `/proc`.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

#[path = "../tests/engine/attacks.rs"]
mod attacks;

use attacks::{Request, corpus, preparations};

/// After this an answer is not waited for any more.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long the other client pauses between two requests.
const PAUSE: Duration = Duration::from_millis(2);

/// A request is sent again until this has passed, so that the other client has something to tell.
const TIME: Duration = Duration::from_millis(500);

/// What one request took.
#[derive(Clone)]
struct Figures {
    cpu_ms: f64,
    peak_mb: u64,
    light_p99_ms: f64,
    answer: String,
}

/// Clients that send the same request at the same time, where memory is looked at, of which each third reads slowly; and the
/// pause between two looks.
const CROWD: usize = 24;
const SLOW_PART: usize = 3;
const LOOK: Duration = Duration::from_millis(2);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let only = arguments.iter().position(|argument| argument == "--only");
    let (binaries, wanted) = arguments.split_at(only.unwrap_or(arguments.len()));
    let is_wanted = |attack: &Request| wanted.len() < 2 || wanted[1..].iter().any(|part| attack.name.contains(&**part));
    if let [flag, budgets, binaries @ ..] = binaries
        && flag == "--memory"
    {
        return memory(budgets, binaries, is_wanted);
    }
    if binaries.is_empty() {
        eprintln!("usage: attacks BINARY… [--only PART…]");
        std::process::exit(2);
    }
    let mut columns = Vec::new();
    let mut peaks = Vec::new();
    for binary in binaries {
        eprintln!("{binary}");
        let mut server = Server::prepared(Path::new(binary), &[], preparations());
        let mut column = Vec::new();
        let mut peak_mb = 0;
        for attack in corpus().filter(is_wanted) {
            let figures = server.attack(&attack);
            eprintln!("{}: {}: {:.0} ms {}", attack.operation, attack.name, figures.cpu_ms, figures.answer);
            peak_mb = peak_mb.max(server.peak_mb.get());
            if !figures.answer.is_empty() {
                // It may still be at work, and the next request is not to pay for that.
                server = Server::prepared(Path::new(binary), &[], preparations());
            }
            column.push(figures);
        }
        columns.push(column);
        peaks.push(peak_mb);
    }
    println!(
        "Processor time of one request in ms, memory beyond what was held before in MB, p99 of another client's GetItem in ms.\n"
    );
    let titles = |title: &str| binaries.iter().map(|_| format!(" {title} |")).collect::<String>();
    println!("| operation: request | bytes |{}{}{}", titles("CPU ms"), titles("MB"), titles("p99 ms"));
    println!("|---|---|{}", "---|".repeat(3 * binaries.len()));
    for (at, Request { name, operation, body }) in corpus().filter(is_wanted).enumerate() {
        let cells = |cell: &dyn Fn(&Figures) -> String| {
            columns.iter().map(|column| format!(" {} |", cell(&column[at]))).collect::<String>()
        };
        println!(
            "| {operation}: {name} | {} |{}{}{}",
            body.len(),
            cells(&|figures| match figures.answer.is_empty() {
                true => format!("{:.1}", figures.cpu_ms),
                false => format!("{:.0}, {}", figures.cpu_ms, figures.answer),
            }),
            cells(&|figures| figures.peak_mb.to_string()),
            cells(&|figures| format!("{:.1}", figures.light_p99_ms)),
        );
    }
    for (binary, peak_mb) in binaries.iter().zip(peaks) {
        println!("\n{binary}: at most {peak_mb} MB resident.");
    }
}

/// Prints what servers with these budgets hold while a crowd attacks them.
fn memory(budgets: &str, binaries: &[String], is_wanted: impl Fn(&Request) -> bool) {
    println!(
        "| binary | budget, MiB | p50, MiB | p99 | most | above it, of the moments | most held by |\n|---|---|---|---|---|---|---|"
    );
    for binary in binaries {
        for budget in budgets.split(',') {
            let flags: &[&str] = if budget == "0" { &[] } else { &["--memory-mib", budget, "--shards", "4"] };
            let requests = preparations().into_iter().chain(for_the_crowd());
            let server = Server::prepared(Path::new(binary), flags, requests);
            let mut held = Vec::new();
            for attack in corpus().chain(of_the_crowd()).filter(&is_wanted) {
                let seen = server.crowd(&attack);
                let most = seen.iter().max().copied().unwrap_or_default();
                eprintln!("{budget}: {}: {}: {most} MiB", attack.operation, attack.name);
                held.extend(seen.iter().map(|mib| (*mib, format!("{}: {}", attack.operation, attack.name))));
            }
            held.sort();
            let at = |part: usize| held.get(held.len().saturating_sub(1) * part / 100).map_or(0, |(mib, _)| *mib);
            let most = held.last().cloned().unwrap_or_default();
            let bound: u64 = budget.parse().unwrap_or(0);
            let above = held.iter().filter(|(mib, _)| bound > 0 && *mib > bound).count();
            let name = Path::new(binary).file_name().unwrap_or_default().to_string_lossy().into_owned();
            println!(
                "| {name} | {budget} | {} | {} | {} | {above} of {} | {} |",
                at(50),
                at(99),
                most.0,
                held.len(),
                most.1
            );
        }
    }
}

/// A table of whose items there is more than a row, for requests that a crowd makes worse.
fn for_the_crowd() -> impl Iterator<Item = (&'static str, String)> {
    let table = r#"{"TableName":"recorded","BillingMode":"PAY_PER_REQUEST",
        "AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"},{"AttributeName":"g","AttributeType":"S"}],
        "KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}],
        "GlobalSecondaryIndexes":[{"IndexName":"index","KeySchema":[{"AttributeName":"g","KeyType":"HASH"}],
            "Projection":{"ProjectionType":"ALL"}}],
        "StreamSpecification":{"StreamEnabled":true,"StreamViewType":"NEW_AND_OLD_IMAGES"}}"#;
    std::iter::once(("CreateTable", table.to_owned()))
}

/// Requests within all limits, of which each is as large as it may be.
fn of_the_crowd() -> impl Iterator<Item = Request> {
    let text = |at: usize| format!(r#"{{"S":"{at}-{}"}}"#, "x".repeat(390_000));
    let item = move |at: usize| {
        format!(r#"{{"pk":{{"S":"large{at}"}},"g":{{"S":"g{at}"}},"n":{{"N":"0"}},"s":{}}}"#, text(at))
    };
    let list = |count: usize, one: &dyn Fn(usize) -> String| (0..count).map(one).collect::<Vec<_>>().join(",");
    let puts = list(25, &|at| format!(r#"{{"PutRequest":{{"Item":{}}}}}"#, item(at)));
    let put_all = list(10, &|at| format!(r#"{{"Put":{{"TableName":"recorded","Item":{}}}}}"#, item(at)));
    let key = |at: usize| format!(r#"{{"pk":{{"S":"large{at}"}}}}"#);
    let keys = list(25, &|at| key(at));
    let count = r#""UpdateExpression":"SET n = n + :one","ExpressionAttributeValues":{":one":{"N":"1"}}"#;
    let counts = list(25, &|at| format!(r#"{{"Update":{{"TableName":"recorded","Key":{},{count}}}}}"#, key(at)));
    let requests = [
        ("BatchWriteItem", "25 items of 390 KB", format!(r#"{{"RequestItems":{{"recorded":[{puts}]}}}}"#)),
        ("TransactWriteItems", "10 items of 390 KB", format!(r#"{{"TransactItems":[{put_all}]}}"#)),
        ("UpdateItem", "a number beside 390 KB", format!(r#"{{"TableName":"recorded","Key":{},{count}}}"#, key(1))),
        ("TransactWriteItems", "25 numbers beside 390 KB", format!(r#"{{"TransactItems":[{counts}]}}"#)),
        ("BatchGetItem", "25 items of 390 KB", format!(r#"{{"RequestItems":{{"recorded":{{"Keys":[{keys}]}}}}}}"#)),
        ("Scan", "items of 390 KB in an index", r#"{"TableName":"recorded","IndexName":"index"}"#.to_owned()),
    ];
    requests.into_iter().map(|(operation, name, body)| Request { name, operation, body })
}

/// A server of ours, killed when dropped.
struct Server {
    child: Child,
    address: String,
    folder: PathBuf,
    /// The most that it was ever seen to hold.
    peak_mb: std::cell::Cell<u64>,
}

impl Server {
    fn start(binary: &Path, flags: &[&str]) -> Server {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.expect("a free port").port();
        let folder = std::env::temp_dir().join(format!("attacks-{}-{port}", std::process::id()));
        let child = Command::new(binary)
            .args(["--host", "127.0.0.1", "--port", &port.to_string(), "--data-dir"])
            .arg(&folder)
            .args(flags)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let address = format!("127.0.0.1:{port}");
        let server = Server { child, address, folder, peak_mb: std::cell::Cell::new(0) };
        let start = Instant::now();
        while post(&server.address, "ListTables", "{}").map_or(0, |answer| answer.0) != 200 {
            assert!(start.elapsed() < PATIENCE, "the server does not answer");
            thread::sleep(Duration::from_millis(10));
        }
        server
    }

    /// One that has answered these requests.
    fn prepared(binary: &Path, flags: &[&str], requests: impl IntoIterator<Item = (&'static str, String)>) -> Server {
        let server = Server::start(binary, flags);
        for (operation, body) in requests {
            let status = post(&server.address, operation, &body).map_or(0, |answer| answer.0);
            assert_eq!(status, 200, "{operation}");
        }
        server
    }

    /// MiB that the process holds, from look to look, while a crowd sends it this request.
    fn crowd(&self, attack: &Request) -> Vec<u64> {
        let (process, start, address) = (self.child.id().to_string(), Instant::now(), &self.address);
        thread::scope(|scope| {
            let clients: Vec<_> = (0..CROWD)
                .map(|client| {
                    scope.spawn(move || {
                        while start.elapsed() < TIME {
                            // Whatever is answered: what it costs is looked at.
                            let _ = match client % SLOW_PART {
                                0 => read_slowly(address, attack, start),
                                _ => post(address, attack.operation, &attack.body).map(|_| ()),
                            };
                        }
                    })
                })
                .collect();
            let mut seen = Vec::new();
            while !clients.iter().all(|client| client.is_finished()) {
                seen.push(memory_kb(&process, "VmRSS").div_ceil(1024));
                thread::sleep(LOOK);
            }
            seen
        })
    }

    fn attack(&self, attack: &Request) -> Figures {
        let process = self.child.id().to_string();
        forget_peak(&process);
        let (memory_before, cpu_before) = (memory_kb(&process, "VmRSS"), cpu_ms(&process));
        let is_over = Arc::new(AtomicBool::new(false));
        let light = thread::spawn({
            let (address, is_over) = (self.address.clone(), Arc::clone(&is_over));
            move || waits(&address, &is_over)
        });
        let (start, mut count, mut failed) = (Instant::now(), 0, String::new());
        while count == 0 || (start.elapsed() < TIME && failed.is_empty()) {
            count += 1;
            if let Err(error) = post(&self.address, attack.operation, &attack.body) {
                let is_late = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
                failed = if is_late { format!("> {} s", PATIENCE.as_secs()) } else { error.to_string() };
            }
        }
        is_over.store(true, Ordering::Relaxed);
        let mut waits = light.join().unwrap_or_default();
        waits.sort_unstable();
        let p99 = waits.get(waits.len() * 99 / 100).copied().unwrap_or(PATIENCE);
        let peak_kb = memory_kb(&process, "VmHWM");
        self.peak_mb.set(self.peak_mb.get().max(peak_kb / 1024));
        let cpu = cpu_ms(&process).saturating_sub(cpu_before);
        Figures {
            cpu_ms: cpu as f64 / f64::from(count),
            peak_mb: peak_kb.saturating_sub(memory_before) / 1024,
            light_p99_ms: p99.as_secs_f64() * 1e3,
            answer: failed,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// How long each GetItem of another client took until `is_over`.
fn waits(address: &str, is_over: &AtomicBool) -> Vec<Duration> {
    let mut waits = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        let start = Instant::now();
        let _ = post(address, "GetItem", r#"{"TableName":"attacked","Key":{"pk":{"S":"small1-1"}}}"#);
        waits.push(start.elapsed());
        thread::sleep(PAUSE);
    }
    waits
}

/// Sends a request and takes a little of its answer at a time, until it is over or the crowd's time is.
fn read_slowly(address: &str, attack: &Request, start: Instant) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(TIME))?;
    stream.write_all(head(attack.operation, attack.body.len()).as_bytes())?;
    stream.write_all(attack.body.as_bytes())?;
    let mut piece = [0; 4096];
    while start.elapsed() < TIME && stream.read(&mut piece)? > 0 {
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// The status of the answer, and its length.
fn post(address: &str, operation: &str, body: &str) -> std::io::Result<(u16, usize)> {
    exchange(address, head(operation, body.len()).as_bytes(), body.as_bytes())
}

fn head(operation: &str, length: usize) -> String {
    let is_of_streams = operation.contains("Stream") || matches!(operation, "GetRecords" | "GetShardIterator");
    let target = if is_of_streams { "DynamoDBStreams_20120810" } else { "DynamoDB_20120810" };
    format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/x-amz-json-1.0\r\n\
         X-Amz-Target: {target}.{operation}\r\nX-Amz-Date: 20260101T000000Z\r\nAuthorization: AWS4-HMAC-SHA256 \
         Credential=key/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host;x-amz-date;x-amz-target, \
         Signature=0000\r\nContent-Length: {length}\r\n\r\n",
    )
}

fn exchange(address: &str, head: &[u8], body: &[u8]) -> std::io::Result<(u16, usize)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(head)?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").map_or(answer.len(), |end| end + 4);
    let head = String::from_utf8_lossy(&answer[..end]);
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Ok((status, answer.len() - end))
}

/// User and system time of the process so far.
fn cpu_ms(process: &str) -> u64 {
    // Hundredths of a second on every Linux that matters; fields 14 and 15, counted behind the name in parentheses.
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    [11, 12].iter().filter_map(|at| fields.get(*at)?.parse::<u64>().ok()).sum::<u64>() * 10
}

fn memory_kb(process: &str, which: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(which)?.strip_prefix(':'));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or(0)
}

/// Makes the kernel count the peak of the process's memory anew.
fn forget_peak(process: &str) {
    let _ = std::fs::write(format!("/proc/{process}/clear_refs"), "5");
}
