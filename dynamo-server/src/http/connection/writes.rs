//! What leaves on a connection: in portions, and not to a client that does not read.
//!
//! *Portions.* The kernel takes some megabytes at once, and goes on taking while a client on the same machine reads: copying an
//! answer of 16 MB would hold its loop for ten milliseconds. So a write ends after a portion, and the other connections of the
//! loop have a turn. A small answer costs an addition.
//!
//! *Stalls.* An answer of up to 16 MB waits in memory until the client has taken it. A client that stops reading, or has gone
//! without a word, would keep it for ever. So the time is counted while the kernel takes no byte of an answer; past
//! [`STALL_MAX`] the connection is closed. A client that is merely slow makes room now and then, and each time the
//! count begins anew: the kernel asks for more only once a good part of its own buffer has gone out, so a client cannot
//! keep a connection by taking single bytes. A timer exists only while a write waits; an answer that the kernel takes at once, as
//! nearly all are, costs a look at an empty option.

use std::future::Future;
use std::io::{self, IoSlice};
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use prometheus::IntCounter;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use crate::env::Env;

/// Bytes of one portion: some hundred microseconds, with what the kernel does to send them.
pub const PORTION_BYTES: usize = 256 * 1024;

/// How long a write may wait for the client to make room for a byte.
pub const STALL_MAX: Duration = Duration::from_secs(30);

/// A stream whose writes end after a portion, and do not wait for ever.
pub struct Writes<E, S> {
    /// The connection.
    stream: S,
    /// Bytes written since the last turn ended.
    written: usize,
    /// Since the last byte was taken, while a write waits.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Counts streams that were given up.
    given_up: IntCounter,
    /// Whose timers run.
    env: PhantomData<fn() -> E>,
}

impl<E: Env, S> Writes<E, S> {
    /// The same stream.
    pub fn new(stream: S, given_up: IntCounter) -> Writes<E, S> {
        Writes { stream, written: 0, stalled: None, given_up, env: PhantomData }
    }

    /// What may be written in this turn; where that is nothing, the connection comes again after others.
    fn left(&mut self, context: &Context<'_>) -> Poll<usize> {
        if self.written >= PORTION_BYTES {
            self.written = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(PORTION_BYTES - self.written)
    }

    /// Takes note of what a write came to, or that it has waited for too long.
    fn note(&mut self, context: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.stalled = None;
            if let Poll::Ready(Ok(bytes)) = &written {
                // Copied by the kernel.
                dynamo_protocol::work::note(bytes / 4);
                self.written += bytes;
            }
            return written;
        }
        self.written = 0;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(E::sleep(STALL_MAX)));
        stalled.as_mut().poll(context).map(|()| {
            self.given_up.inc();
            Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read its answers"))
        })
    }
}

impl<E: Env, S: AsyncRead + Unpin> AsyncRead for Writes<E, S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buffer)
    }
}

impl<E: Env, S: AsyncWrite + Unpin> AsyncWrite for Writes<E, S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let own = self.get_mut();
        let left = ready!(own.left(cx));
        let written = Pin::new(&mut own.stream).poll_write(cx, &bytes[..bytes.len().min(left)]);
        own.note(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let own = self.get_mut();
        let left = ready!(own.left(cx));
        let fits = |parts: &[IoSlice<'_>]| parts.iter().map(|part| part.len()).sum::<usize>() <= left;
        let whole = (0..=parts.len()).rev().find(|count| fits(&parts[..*count])).unwrap_or(0);
        let stream = Pin::new(&mut own.stream);
        let written = match parts[..whole].iter().all(|part| part.is_empty()).then(|| parts.get(whole)).flatten() {
            // Not even the first that has anything: the beginning of it.
            Some(first) => stream.poll_write(cx, &first[..first.len().min(left)]),
            None => stream.poll_write_vectored(cx, &parts[..whole]),
        };
        own.note(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
