//! What a load counted.

use crate::client::scan;
use crate::stats::Latency;

/// The last request of a connection.
#[derive(Clone, Debug, Default)]
pub struct Last {
    /// Which of the plan's shapes.
    pub shape: usize,
    /// Its numbers.
    pub numbers: Vec<u64>,
}

/// Characters of a wrong reply that are kept for the report.
const WRONG_REPLY_SHOWN: usize = 400;

/// What one load saw.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Requests answered as expected.
    pub right: u64,
    /// Requests answered otherwise: an error, or content that cannot be.
    pub wrong: u64,
    /// Of these, the ones that ask to come back later.
    pub throttled: u64,
    /// Requests without an answer: the connection failed.
    pub lost: u64,
    /// Wrong answers that say that the server does not know the operation.
    pub unknown: u64,
    /// The first wrong answer or failure.
    pub first_wrong: Option<String>,
    /// The first that does not ask to come back later.
    pub first_failed: Option<String>,
    /// Time per answered request.
    pub latency: Latency,
    /// Bytes of the replies' bodies.
    pub body_bytes: u64,
    /// From the first request sent to the last reply.
    pub elapsed_ns: u64,
    /// The last request of each connection that was answered as expected, for reading back.
    pub last: Vec<Last>,
}

impl Outcome {
    /// All requests sent.
    pub fn requests(&self) -> u64 {
        self.right + self.wrong + self.lost
    }

    /// Whether the server does not know the operation: nothing to measure, and nothing wrong either.
    pub fn unsupported(&self) -> bool {
        self.unknown > 0 && self.unknown == self.requests()
    }

    /// Right answers a second.
    pub fn per_second(&self) -> f64 {
        if self.elapsed_ns == 0 { 0.0 } else { self.right as f64 * 1e9 / self.elapsed_ns as f64 }
    }

    /// Counts a wrong answer.
    pub fn count_wrong(&mut self, operation: &str, status: u16, body: &[u8]) {
        self.wrong += 1;
        self.unknown += u64::from(scan::contains(body, b"UnknownOperation"));
        let text = || {
            let shown = &body[..body.len().min(WRONG_REPLY_SHOWN)];
            format!("{operation}: {status} {}", String::from_utf8_lossy(shown))
        };
        self.first_wrong.get_or_insert_with(text);
        if scan::contains(body, b"ProvisionedThroughputExceeded") {
            self.throttled += 1;
        } else {
            self.first_failed.get_or_insert_with(text);
        }
    }

    /// Counts a request without an answer.
    pub fn count_lost(&mut self, operation: &str, error: &std::io::Error) {
        self.lost += 1;
        self.first_wrong.get_or_insert_with(|| format!("{operation}: no answer: {error}"));
        self.first_failed.get_or_insert_with(|| format!("{operation}: no answer: {error}"));
    }

    /// Counts what another thread saw too.
    pub fn merge(&mut self, other: Outcome) {
        self.right += other.right;
        self.wrong += other.wrong;
        self.throttled += other.throttled;
        self.lost += other.lost;
        self.unknown += other.unknown;
        self.first_wrong = self.first_wrong.take().or(other.first_wrong);
        self.first_failed = self.first_failed.take().or(other.first_failed);
        self.latency.merge(&other.latency);
        self.body_bytes += other.body_bytes;
        self.elapsed_ns = self.elapsed_ns.max(other.elapsed_ns);
        self.last.extend(other.last);
    }
}
