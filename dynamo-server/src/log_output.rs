//! Where log lines go: standard error, and nothing that serves ever waits for it.
//!
//! Whoever reads a server's standard error may stop reading (a log collector that hangs) or go away (a closed terminal).
//! Written to directly, the first holds up whichever task logs next, and all others behind the lock of standard error;
//! the second makes an error of every line. So a line is put into a bounded queue, and one thread that does nothing else
//! writes it:
//!
//! ```text
//! task that logs ─▶ queue (≤ 1,024 lines, ≤ 1 MiB) ─▶ thread ─▶ standard error
//!                     │ full: dropped, counted          │ error: dropped, counted
//! ```
//!
//! What was dropped is said in the log once it is read again, and on the metrics page. A panic goes the same way
//! ([`log_panics`]): the usual hook writes to standard error itself. At its end the process waits a moment for the thread,
//! and no longer.
//!
//! *Turned down*: `tracing-appender`. Its lossy writer is this queue, but its guard waits and then prints to standard
//! output when the thread is stuck, which is where standard output is stuck, too.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard};

/// Lines that wait to be written: a burst of some seconds.
pub const QUEUE_LINES_MAX: usize = 1024;

/// Bytes of theirs. A longer line is dropped.
pub const QUEUE_BYTES_MAX: usize = 1 << 20;

/// How long the end of the process waits for lines to be written.
const FLUSH_MAX: Duration = Duration::from_millis(500);

/// Lines that this process has dropped.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// The output of this process, once it logs.
static OUTPUT: OnceLock<LogOutput> = OnceLock::new();

/// Lines that were dropped since the process started, because nobody read them in time or at all.
pub fn lines_dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// The way to standard error; the same for everybody in the process.
///
/// # Errors
/// When the system gives no thread.
pub fn standard_error() -> io::Result<LogOutput> {
    if let Some(output) = OUTPUT.get() {
        return Ok(output.clone());
    }
    let output = LogOutput::start(io::stderr())?;
    Ok(OUTPUT.get_or_init(|| output).clone())
}

/// Writes a line for whoever started the process. Waits for it a moment at most once the process logs; before, it is the
/// only thread there is.
pub fn say(line: &str) {
    let bytes = format!("{line}\n").into_bytes();
    match OUTPUT.get() {
        Some(output) => {
            output.push(bytes);
            output.flush(FLUSH_MAX);
        }
        // There is nobody left to tell.
        None => drop(io::stderr().write_all(&bytes)),
    }
}

/// Waits a moment until what was logged is written. For the end of the process.
pub fn flush() {
    if let Some(output) = OUTPUT.get() {
        output.flush(FLUSH_MAX);
    }
}

/// Makes log lines of panics.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let payload = panic.payload();
        let text = payload.downcast_ref::<&str>().copied();
        let reason = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no reason given");
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let backtrace = std::backtrace::Backtrace::capture();
        match backtrace.status() {
            std::backtrace::BacktraceStatus::Captured => tracing::error!(place, %backtrace, "panicked: {reason}"),
            _ => tracing::error!(place, "panicked: {reason}"),
        }
    }));
}

/// A bounded queue of lines, and a thread that writes them.
#[derive(Clone)]
pub struct LogOutput {
    /// What the queue's thread and those who log have in common.
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Held for some moves, never while something is written.
    queue: Mutex<Queue>,
    /// A line has come.
    arrived: Condvar,
    /// Everything that came is written or dropped.
    emptied: Condvar,
}

#[derive(Default)]
struct Queue {
    /// Each with its line end, the oldest first.
    lines: VecDeque<Vec<u8>>,
    /// Of these lines, together.
    bytes: usize,
    /// Whether the thread has lines that are not in the queue any more.
    is_writing: bool,
    /// Lines dropped since the log last said so.
    missing: u64,
}

impl LogOutput {
    fn start(sink: impl Write + Send + 'static) -> io::Result<LogOutput> {
        let shared: Arc<Shared> = Arc::default();
        let of_thread = Arc::clone(&shared);
        std::thread::Builder::new().name("log-output".to_owned()).spawn(move || of_thread.write_all(sink))?;
        Ok(LogOutput { shared })
    }

    fn push(&self, line: Vec<u8>) {
        let mut queue = self.shared.queue.lock();
        if queue.lines.len() >= QUEUE_LINES_MAX || queue.bytes + line.len() > QUEUE_BYTES_MAX {
            queue.drop_lines(1);
            return;
        }
        queue.bytes += line.len();
        queue.lines.push_back(line);
        debug_assert!(queue.bytes <= QUEUE_BYTES_MAX, "the lines that wait are bounded in bytes");
        debug_assert!(queue.lines.len() <= QUEUE_LINES_MAX, "and in number");
        self.shared.arrived.notify_one();
    }

    /// Waits until everything is written or dropped, at most so long.
    fn flush(&self, limit: Duration) {
        let mut queue = self.shared.queue.lock();
        let is_busy = |queue: &mut Queue| queue.is_writing || !queue.lines.is_empty();
        let _ = self.shared.emptied.wait_while_for(&mut queue, is_busy, limit);
    }
}

/// One call is one line: so the subscriber writes them.
impl Write for LogOutput {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Queue {
    fn drop_lines(&mut self, count: u64) {
        DROPPED.fetch_add(count, Ordering::Relaxed);
        self.missing += count;
    }
}

impl Shared {
    /// The life of the thread; it ends with the process.
    fn write_all(&self, mut sink: impl Write) {
        let mut queue = self.queue.lock();
        loop {
            queue.is_writing = false;
            while queue.lines.is_empty() {
                self.emptied.notify_all();
                self.arrived.wait(&mut queue);
            }
            queue.is_writing = true;
            queue.bytes = 0;
            let lines = std::mem::take(&mut queue.lines);
            let failed = MutexGuard::unlocked(&mut queue, || lines.iter().filter(|line| !put(&mut sink, line)).count());
            let is_read = failed < lines.len();
            queue.drop_lines(failed as u64);
            if is_read && queue.missing > 0 {
                let missing = std::mem::take(&mut queue.missing);
                MutexGuard::unlocked(&mut queue, || {
                    tracing::warn!(missing, "log lines were dropped: nobody read them")
                });
            }
        }
    }
}

fn put(sink: &mut impl Write, line: &[u8]) -> bool {
    sink.write_all(line).is_ok()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    use super::*;

    /// Takes a line only when it is asked for.
    struct Held(SyncSender<Vec<u8>>);

    impl Write for Held {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            let sent = self.0.send(line.to_vec());
            sent.map(|()| line.len()).map_err(|_| io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn held() -> (LogOutput, Receiver<Vec<u8>>) {
        let (sender, lines) = sync_channel(0);
        (LogOutput::start(Held(sender)).unwrap(), lines)
    }

    fn missing(output: &LogOutput) -> u64 {
        output.shared.queue.lock().missing
    }

    #[test]
    fn a_reader_that_stops_holds_nobody_up_and_gets_what_fitted() {
        let (output, lines) = held();
        let count = 3 * QUEUE_LINES_MAX;
        // Returns, though nothing is read.
        (0..count).for_each(|number| output.push(number.to_string().into_bytes()));
        output.flush(Duration::ZERO);
        let missing = missing(&output) as usize;
        assert!((QUEUE_LINES_MAX..=2 * QUEUE_LINES_MAX).contains(&missing), "{missing} of {count} dropped");
        let read: Vec<Vec<u8>> = lines.iter().take(count - missing).collect();
        assert_eq!(read[1], b"1", "in order");
        assert!(lines_dropped() >= missing as u64);
    }

    #[test]
    fn a_reader_that_is_gone_costs_a_count() {
        let (output, lines) = held();
        drop(lines);
        (0..10).for_each(|_| output.push(b"x".to_vec()));
        output.flush(Duration::from_secs(60));
        assert_eq!(missing(&output), 10);
    }

    #[test]
    fn long_lines_fill_the_queue_sooner() {
        let (output, _lines) = held();
        (0..64).for_each(|_| output.push(vec![b'x'; QUEUE_BYTES_MAX / 8]));
        assert!(missing(&output) >= 64 - 2 * 8 - 1);
        output.push(vec![b'x'; QUEUE_BYTES_MAX + 1]);
        assert!(output.shared.queue.lock().bytes <= QUEUE_BYTES_MAX);
    }
}
