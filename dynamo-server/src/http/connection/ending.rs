//! How connections end, on either side.
//!
//! *The client has nothing more to send.* It may close its half of the connection behind its request and wait for the
//! answer. Seen from here that is what a client looks like that has gone. So an end that is read while a request is being
//! answered is kept back for [`HALF_CLOSED_MAX`]: an answer that is ready by then arrives where somebody waits for it.
//! Then it is passed on, which ends the request: nobody works for clients that have gone, however long the work. (A body that
//! ends too early is known as such only then.)
//!
//! *The server stops while a request is still arriving.* Nothing of it was done, and whether the rest ever comes nobody knows. It
//! gets [`ARRIVAL_MAX`] from the stop on; then the connection ends, and the client asks elsewhere. A request that has arrived is
//! answered.
//!
//! *The server has nothing more to say.* After an answer to a request that was not read to its end the connection is
//! closed. Closed at once, under data that nobody has read, the kernel tells the client of a broken connection, and the
//! answer may be lost with it. So the server closes its own half first, and reads and throws away what still comes, for
//! [`LINGER_MAX`] (RFC 9112, section 9.6).

use std::future::Future;
use std::io::{self, IoSlice};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use crate::env::Env;

/// How long a request is worked on whose client has closed its half of the connection. Nearly all answers take less.
pub const HALF_CLOSED_MAX: Duration = Duration::from_secs(2);

/// How long a request may take to arrive once the server stops. Those that come at once are there long before.
pub const ARRIVAL_MAX: Duration = Duration::from_secs(1);

/// How long the rest of a request is read after its answer.
pub const LINGER_MAX: Duration = Duration::from_secs(2);

/// Bytes that are thrown away at a time.
const LINGER_PART_BYTES: usize = 16 * 1024;

/// How far the request has got that a connection is at.
#[derive(Debug, Default)]
pub struct Progress {
    /// Idle, answering or answered.
    step: AtomicU8,
    /// Whether the connection is closed although the client has more to send.
    is_cut_off: AtomicBool,
}

/// No request, or a part of its head.
const IDLE: u8 = 0;
/// Its head has arrived, and its body is waited for.
const ARRIVING: u8 = 1;
/// It has arrived. (When a body that nobody reads has, is known only after its end was looked for.)
const ANSWERING: u8 = 2;
/// Its answer is on its way out.
const ANSWERED: u8 = 3;

impl Progress {
    /// A request has begun to arrive.
    pub fn begins(&self) {
        self.step.store(ANSWERING, Ordering::Relaxed);
    }

    /// The body of the request is waited for.
    pub fn awaits_body(&self) {
        self.step.store(ARRIVING, Ordering::Relaxed);
    }

    /// It has come, or what there is of it.
    pub fn has_body(&self) {
        self.step.store(ANSWERING, Ordering::Relaxed);
    }

    /// Nothing is being worked on: the client has more to send first.
    fn is_arriving(&self) -> bool {
        matches!(self.step.load(Ordering::Relaxed), IDLE | ARRIVING)
    }

    /// The answer is there.
    pub fn is_answered(&self) {
        self.step.store(ANSWERED, Ordering::Relaxed);
    }

    /// The connection will be closed although the client has more to send.
    pub fn cut_off(&self) {
        self.is_cut_off.store(true, Ordering::Relaxed);
    }

    /// Everything that was to be written has been.
    fn is_written(&self) {
        if self.step.load(Ordering::Relaxed) == ANSWERED {
            self.step.store(IDLE, Ordering::Relaxed);
        }
    }

    /// An answer may still be waited for.
    fn is_waited_for(&self) -> bool {
        self.step.load(Ordering::Relaxed) != IDLE
    }
}

/// What knows how far a connection's request has got.
pub trait HasProgress {
    /// How far.
    fn progress(&self) -> &Progress;

    /// Whether the server stops.
    fn is_stopping(&self) -> bool;
}

/// A stream whose ends do not overtake what comes before them.
pub struct Ending<E, S, P> {
    /// The connection.
    stream: S,
    /// How far its request has got.
    progress: P,
    /// Runs while an end of input is kept back.
    kept_back: Option<Pin<Box<Sleep>>>,
    /// Runs while a request is arriving at a server that stops.
    arriving: Option<Pin<Box<Sleep>>>,
    /// Runs while the rest of a request is read.
    lingering: Option<Pin<Box<Sleep>>>,
    /// Whose timers run.
    env: PhantomData<fn() -> E>,
}

impl<E: Env, S, P: HasProgress> Ending<E, S, P> {
    /// The same stream; `progress` is told by whoever answers.
    pub fn new(stream: S, progress: P) -> Ending<E, S, P> {
        Ending { stream, progress, kept_back: None, arriving: None, lingering: None, env: PhantomData }
    }
}

impl<E: Env, S: AsyncRead + Unpin, P: HasProgress + Unpin> AsyncRead for Ending<E, S, P> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let own = self.get_mut();
        let before = buffer.filled().len();
        if Pin::new(&mut own.stream).poll_read(context, buffer)?.is_pending() {
            if own.progress.is_stopping() && own.progress.progress().is_arriving() {
                let time = own.arriving.get_or_insert_with(|| Box::pin(E::sleep(ARRIVAL_MAX)));
                ready!(time.as_mut().poll(context));
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the server stops")));
            }
            return Poll::Pending;
        }
        let is_end = buffer.filled().len() == before && buffer.remaining() > 0;
        if is_end && own.progress.progress().is_waited_for() {
            let time = own.kept_back.get_or_insert_with(|| Box::pin(E::sleep(HALF_CLOSED_MAX)));
            ready!(time.as_mut().poll(context));
        }
        Poll::Ready(Ok(()))
    }
}

impl<E: Env, S: AsyncRead + AsyncWrite + Unpin, P: HasProgress + Unpin> AsyncWrite for Ending<E, S, P> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let own = self.get_mut();
        ready!(Pin::new(&mut own.stream).poll_flush(context))?;
        own.progress.progress().is_written();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let own = self.get_mut();
        if own.lingering.is_none() {
            ready!(Pin::new(&mut own.stream).poll_shutdown(context))?;
        }
        let mut part = [0; LINGER_PART_BYTES];
        loop {
            let mut buffer = ReadBuf::new(&mut part);
            match Pin::new(&mut own.stream).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => own.progress.progress().cut_off(),
                // Gone, or has sent everything.
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending if !own.progress.progress().is_cut_off.load(Ordering::Relaxed) => {
                    return Poll::Ready(Ok(()));
                }
                Poll::Pending => {
                    let time = own.lingering.get_or_insert_with(|| Box::pin(E::sleep(LINGER_MAX)));
                    return time.as_mut().poll(context).map(Ok);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::time::Instant;

    use super::*;
    use crate::env::TokioEnv;

    /// A connection of a server that stops, or does not.
    #[derive(Default)]
    struct Line {
        progress: Progress,
        is_stopping: AtomicBool,
    }

    impl std::ops::Deref for Line {
        type Target = Progress;

        fn deref(&self) -> &Progress {
            &self.progress
        }
    }

    impl HasProgress for Arc<Line> {
        fn progress(&self) -> &Progress {
            self
        }

        fn is_stopping(&self) -> bool {
            self.is_stopping.load(Ordering::Relaxed)
        }
    }

    fn pair() -> (Ending<TokioEnv, DuplexStream, Arc<Line>>, DuplexStream, Arc<Line>) {
        let (server, client) = duplex(1 << 20);
        let line = Arc::<Line>::default();
        (Ending::new(server, Arc::clone(&line)), client, line)
    }

    #[tokio::test(start_paused = true)]
    async fn half_a_request_is_not_waited_for_by_a_server_that_stops() {
        for (arrives, is_body) in [(false, true), (false, false), (true, true)] {
            let (mut server, mut client, line) = pair();
            if is_body {
                line.begins();
                line.awaits_body();
            }
            client.write_all(b"ha").await.unwrap();
            assert_eq!(server.read(&mut [0; 8]).await.unwrap(), 2);
            line.is_stopping.store(true, Ordering::Relaxed);
            let began = Instant::now();
            let rest = async {
                tokio::time::sleep(ARRIVAL_MAX / 2).await;
                if arrives {
                    client.write_all(b"lf").await.unwrap();
                }
                client
            };
            let (read, _client) = tokio::join!(async { server.read(&mut [0; 8]).await }, rest);
            assert_eq!(read.is_ok(), arrives);
            assert_eq!(began.elapsed(), if arrives { ARRIVAL_MAX / 2 } else { ARRIVAL_MAX });
        }
        // One that has arrived is worked on, whatever else its client may send.
        let (mut server, _client, line) = pair();
        line.begins();
        line.awaits_body();
        line.has_body();
        line.is_stopping.store(true, Ordering::Relaxed);
        assert!(tokio::time::timeout(ARRIVAL_MAX * 3, server.read(&mut [0; 8])).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_behind_a_request_waits_for_its_answer_and_no_longer() {
        let (mut server, mut client, progress) = pair();
        client.shutdown().await.unwrap();
        let began = Instant::now();
        assert_eq!(server.read(&mut [0; 8]).await.unwrap(), 0, "nothing was asked");
        assert_eq!(began.elapsed(), Duration::ZERO);

        progress.begins();
        assert_eq!(server.read(&mut [0; 8]).await.unwrap(), 0);
        assert!(began.elapsed() >= HALF_CLOSED_MAX);

        let (mut server, mut client, progress) = pair();
        client.shutdown().await.unwrap();
        let began = Instant::now();
        progress.begins();
        server.flush().await.unwrap();
        progress.is_answered();
        server.write_all(b"answer").await.unwrap();
        server.flush().await.unwrap();
        assert_eq!(server.read(&mut [0; 8]).await.unwrap(), 0);
        assert_eq!(began.elapsed(), Duration::ZERO, "it was answered");
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_after_the_last_answer_are_read_for_a_while() {
        let (mut server, _client, _) = pair();
        let began = Instant::now();
        server.shutdown().await.unwrap();
        assert_eq!(began.elapsed(), Duration::ZERO, "an idle connection is closed at once");

        // Sends more, and ends.
        let (mut server, mut client, _) = pair();
        let began = Instant::now();
        client.write_all(&[7; 100_000]).await.unwrap();
        let rest = async {
            tokio::time::sleep(LINGER_MAX / 2).await;
            client.write_all(&[7; 100_000]).await.unwrap();
            client.shutdown().await.unwrap();
        };
        let (closed, ()) = tokio::join!(server.shutdown(), rest);
        closed.unwrap();
        assert_eq!(began.elapsed(), LINGER_MAX / 2);

        // Was cut off in the middle of its request, and goes on for ever.
        let (mut server, _client, progress) = pair();
        progress.cut_off();
        let began = Instant::now();
        server.shutdown().await.unwrap();
        assert!(began.elapsed() >= LINGER_MAX && began.elapsed() < 2 * LINGER_MAX);
    }
}
