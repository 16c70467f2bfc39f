//! Connections whose client does not read its answers.
//!
//! An answer of up to 16 MB waits in memory until the client has taken it. A client that stops reading, or has gone
//! without a word, would keep it for ever. So the time is counted while the kernel takes no byte of an answer; past
//! [`STALL_MAX`] the connection is closed. A client that is merely slow makes room now and then, and each time the
//! count begins anew: the kernel asks for more only once a good part of its own buffer has gone out, so a client cannot
//! keep a connection by taking single bytes.
//!
//! A timer exists only while a write waits. An answer that the kernel takes at once, as nearly all are, costs a look
//! at an empty option.

use std::future::Future;
use std::io::{self, IoSlice};
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use prometheus::IntCounter;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use crate::env::Env;

/// How long a write may wait for the client to make room for a byte.
pub const STALL_MAX: Duration = Duration::from_secs(30);

/// A stream whose writes do not wait for ever.
pub struct Unstalled<E, S> {
    /// The connection.
    stream: S,
    /// Since the last byte was taken, while a write waits.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Counts streams that were given up.
    given_up: IntCounter,
    /// Whose timers run.
    env: PhantomData<fn() -> E>,
}

impl<E: Env, S> Unstalled<E, S> {
    /// The same stream, watched.
    pub fn new(stream: S, given_up: IntCounter) -> Unstalled<E, S> {
        Unstalled { stream, stalled: None, given_up, env: PhantomData }
    }

    /// What a write came to, or that it has waited for too long.
    fn watch(&mut self, context: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(E::sleep(STALL_MAX)));
        stalled.as_mut().poll(context).map(|()| {
            self.given_up.inc();
            Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read its answers"))
        })
    }
}

impl<E: Env, S: AsyncRead + Unpin> AsyncRead for Unstalled<E, S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buffer)
    }
}

impl<E: Env, S: AsyncWrite + Unpin> AsyncWrite for Unstalled<E, S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let own = self.get_mut();
        let written = Pin::new(&mut own.stream).poll_write(cx, bytes);
        own.watch(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let own = self.get_mut();
        let written = Pin::new(&mut own.stream).poll_write_vectored(cx, parts);
        own.watch(cx, written)
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
