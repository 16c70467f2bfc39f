//! Sends the worst requests that are known, one after the other, to a server that runs, and prints what each takes there:
//! processor time, memory, and how long another client's smallest request has to wait meanwhile.
//!
//! `cargo run -p dynamo-engine --example attacks -- 127.0.0.1:8000 PID [PART OF A NAME]…`, on a server without data that
//! listens there and is the process PID of this machine. Linux only: the figures are read from `/proc`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

#[path = "../tests/engine/attacks.rs"]
mod attacks;

use attacks::{ATTACKS, Attack, preparations};

/// After this an answer is not waited for any more.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long the other client pauses between two requests.
const PAUSE: Duration = Duration::from_millis(5);

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(process)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: attacks ADDRESS PID");
        std::process::exit(2);
    };
    for (operation, body) in preparations() {
        let status = post(&address, operation, &body).map_or(0, |answer| answer.0);
        assert_eq!(status, 200, "{operation}");
    }
    println!("{:>9} {:>8} {:>7} {:>7} {:>9} {:>6}  attack", "request", "cpu ms", "ms", "MB", "answer", "light");
    let wanted: Vec<String> = arguments.collect();
    let is_wanted = |attack: &&Attack| wanted.is_empty() || wanted.iter().any(|part| attack.name.contains(&**part));
    for attack in ATTACKS.iter().filter(is_wanted) {
        report(&address, &process, attack);
    }
}

fn report(address: &str, process: &str, attack: &Attack) {
    let Attack { name, operation, body } = attack;
    let body = body();
    forget_peak(process);
    let (memory_before, cpu_before) = (memory_kb(process, "VmRSS"), cpu_ms(process));
    let is_over = Arc::new(AtomicBool::new(false));
    let light = thread::spawn({
        let (address, is_over) = (address.to_owned(), Arc::clone(&is_over));
        move || longest_wait(&address, &is_over)
    });
    let start = Instant::now();
    let answer = post(address, operation, &body);
    let took = start.elapsed();
    is_over.store(true, Ordering::Relaxed);
    let waited = light.join().unwrap_or(PATIENCE);
    let cpu = cpu_ms(process).saturating_sub(cpu_before);
    let peak = memory_kb(process, "VmHWM").saturating_sub(memory_before) / 1024;
    let answer = answer.map_or_else(|error| error.to_string(), |(_, bytes)| bytes.to_string());
    let (took, waited) = (took.as_millis(), waited.as_millis());
    println!("{:>9} {cpu:>8} {took:>7} {peak:>7} {answer:>9} {waited:>6}  {operation}: {name}", body.len());
}

/// The longest time that `/health/live` took until `is_over`.
fn longest_wait(address: &str, is_over: &AtomicBool) -> Duration {
    let mut longest = Duration::ZERO;
    while !is_over.load(Ordering::Relaxed) {
        let start = Instant::now();
        let request = "GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        let _ = exchange(address, request.as_bytes(), &[]);
        longest = longest.max(start.elapsed());
        thread::sleep(PAUSE);
    }
    longest
}

/// The status of the answer, and its length.
fn post(address: &str, operation: &str, body: &str) -> std::io::Result<(u16, usize)> {
    let head = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/x-amz-json-1.0\r\n\
         X-Amz-Target: DynamoDB_20120810.{operation}\r\nX-Amz-Date: 20260101T000000Z\r\nAuthorization: AWS4-HMAC-SHA256 \
         Credential=key/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host;x-amz-date;x-amz-target, \
         Signature=0000\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    exchange(address, head.as_bytes(), body.as_bytes())
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
