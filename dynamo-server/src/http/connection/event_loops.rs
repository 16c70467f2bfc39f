//! The threads that serve connections.
//!
//! A connection stays on the event loop that it was given when it was accepted. Its requests are read, planned, looked
//! up and answered there, so that a read wakes no other thread: no task is stolen, and no worker looks for work. That
//! is a tenth to a quarter of a request's processor time (`docs/decisions/event-loops.md`).

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use super::fair::Turns;
use crate::shard::Mailbox;

/// Event loops among which connections are spread: each new one goes to the loop that has the fewest.
#[derive(Clone)]
pub struct EventLoops {
    /// One for each processor.
    loops: Arc<[EventLoop]>,
    /// A loop that serves no connection, for the node's Raft: it ends with the last handle of these loops.
    raft: Option<Arc<EventLoop>>,
}

struct EventLoop {
    /// Of its one thread.
    runtime: Handle,
    /// The connections that it serves, and whose turn it is.
    turns: Arc<Turns>,
    /// Of a loop with a thread of its own.
    thread: Option<Thread>,
}

struct Thread {
    /// Ends the loop when dropped.
    stop: Option<oneshot::Sender<()>>,
    /// Taken when the thread is joined; `None` for one that nobody waits for.
    handle: Option<JoinHandle<()>>,
}

/// A connection's place on a loop; given back when dropped.
pub(super) struct Seat {
    /// All of them.
    loops: Arc<[EventLoop]>,
    /// Of the loop that the connection counts on.
    number: usize,
}

impl EventLoops {
    /// Connections are served by the caller's runtime, as in another program or a test.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn here() -> EventLoops {
        EventLoops { loops: [EventLoop::here()].into(), raft: None }
    }

    /// The caller's runtime and `threads` loops, each on a thread of its own. The caller's is the first one to be given
    /// a connection, so that a lone client's writes need no thread switch on their way into Raft.
    ///
    /// # Errors
    /// When the system gives no further thread or event queue.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn here_and(threads: usize) -> io::Result<EventLoops> {
        let mut loops = vec![EventLoop::here()];
        for number in 1..=threads {
            loops.push(EventLoop::start(&format!("event-loop-{number}"))?);
        }
        Ok(EventLoops { loops: loops.into(), raft: None })
    }

    /// `threads` loops (at least one), each on a thread of its own; the caller's runtime keeps to the node's work.
    ///
    /// # Errors
    /// As [`EventLoops::here_and`].
    pub fn apart(threads: usize) -> io::Result<EventLoops> {
        let start = |number| EventLoop::start(&format!("event-loop-{number}"));
        let loops: io::Result<Vec<_>> = (1..=threads.max(1)).map(start).collect();
        Ok(EventLoops { loops: loops?.into(), raft: None })
    }

    /// As [`EventLoops::apart`], and a thread for the node's Raft, which may wait for a disk: the caller's runtime goes on.
    ///
    /// # Errors
    /// As [`EventLoops::here_and`].
    pub fn beside_raft(threads: usize) -> io::Result<EventLoops> {
        let mut raft = EventLoop::start("raft")?;
        // A disk that stands still would hold up whoever joined it.
        if let Some(thread) = &mut raft.thread {
            thread.handle = None;
        }
        let raft = Some(Arc::new(raft));
        Ok(EventLoops { raft, ..EventLoops::apart(threads)? })
    }

    /// The runtime for the node's Raft, where it has one.
    pub fn raft(&self) -> Option<Handle> {
        self.raft.as_ref().map(|raft| raft.runtime.clone())
    }

    /// A seat for a new connection, where the fewest are.
    pub(super) fn take_seat(&self) -> Seat {
        let taken = |event_loop: &EventLoop| event_loop.turns.connections().load(Ordering::Relaxed);
        let fewest = self.loops.iter().enumerate().min_by_key(|(_, event_loop)| taken(event_loop));
        let number = fewest.map_or(0, |(number, _)| number);
        self.loops[number].turns.connections().fetch_add(1, Ordering::Relaxed);
        Seat { loops: Arc::clone(&self.loops), number }
    }
}

impl EventLoop {
    fn here() -> EventLoop {
        let runtime = Handle::current();
        EventLoop { turns: Arc::new(Turns::new(runtime.clone())), runtime, thread: None }
    }

    fn start(name: &str) -> io::Result<EventLoop> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            drop(runtime.spawn(Mailbox::open()));
            // An error says that the sender was dropped: the same.
            let _ = runtime.block_on(stopped);
            // Without waiting for a blocking task that may still run: nobody is left to hear of it.
            runtime.shutdown_background();
        })?;
        Ok(EventLoop {
            turns: Arc::new(Turns::new(handle.clone())),
            runtime: handle,
            thread: Some(Thread { stop: Some(stop), handle: Some(thread) }),
        })
    }
}

impl Seat {
    /// The runtime that the connection is to be served by.
    pub(super) fn runtime(&self) -> &Handle {
        debug_assert!(self.number < self.loops.len(), "a seat is on a loop that there is");
        &self.loops[self.number].runtime
    }

    /// The turns that the connection shares with the others of its loop.
    pub(super) fn turns(&self) -> Arc<Turns> {
        Arc::clone(&self.loops[self.number].turns)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let before = self.loops[self.number].turns.connections().fetch_sub(1, Ordering::Relaxed);
        debug_assert!(before > 0, "a connection leaves its loop once");
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        drop(self.stop.take());
        let Some(handle) = self.handle.take() else { return };
        // The last one to let go may be a connection on this very loop, which cannot wait for itself.
        if handle.thread().id() != std::thread::current().id() {
            // A panic was reported by the thread itself.
            let _ = handle.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_go_where_the_fewest_are() {
        let loops = EventLoops::apart(3).expect("threads");
        let mut seats: Vec<Seat> = (0..6).map(|_| loops.take_seat()).collect();
        let numbers: Vec<usize> = seats.iter().map(|seat| seat.number).collect();
        assert_eq!(numbers, [0, 1, 2, 0, 1, 2]);
        seats.retain(|seat| seat.number != 1);
        assert_eq!([loops.take_seat(), loops.take_seat()].map(|seat| seat.number), [1, 1]);
    }

    #[tokio::test]
    async fn the_first_seat_is_here_and_the_next_on_a_thread_of_its_own() {
        let loops = EventLoops::here_and(1).expect("a thread");
        let here = std::thread::current().id();
        let mut threads = Vec::new();
        let seats = [loops.take_seat(), loops.take_seat()];
        for seat in &seats {
            threads.push(seat.runtime().spawn(async { std::thread::current().id() }).await.expect("it ran"));
        }
        assert_eq!(threads[0], here);
        assert_ne!(threads[1], here);
    }

    #[test]
    fn the_last_seat_may_be_given_back_on_the_loop_itself() {
        let loops = EventLoops::apart(1).expect("a thread");
        let seat = loops.take_seat();
        let (freed, is_freed) = std::sync::mpsc::channel();
        let runtime = seat.runtime().clone();
        runtime.spawn(async move {
            drop(loops);
            drop(seat);
            freed.send(()).expect("somebody waits");
        });
        is_freed.recv().expect("the loop did not wait for itself");
    }
}
