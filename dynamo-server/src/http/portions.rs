//! A large answer is handed to the kernel in portions, between which the other connections of its loop have a turn.
//!
//! The kernel takes some megabytes at once, and goes on taking while a client on the same machine reads: copying an answer of
//! 16 MB would hold its loop for ten milliseconds. A small answer costs an addition.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes of one portion: some hundred microseconds, with what the kernel does to send them.
pub const PORTION_BYTES: usize = 256 * 1024;

/// A stream whose writes end after a portion.
pub struct Portions<S> {
    /// The connection.
    stream: S,
    /// Written since the last turn ended.
    written: usize,
}

impl<S> Portions<S> {
    /// The same stream.
    pub fn new(stream: S) -> Portions<S> {
        Portions { stream, written: 0 }
    }
}

impl<S: AsyncWrite + Unpin> Portions<S> {
    /// What may be written in this turn; where that is nothing, the connection comes again after others.
    fn left(&mut self, context: &Context<'_>) -> Poll<usize> {
        if self.written >= PORTION_BYTES {
            self.written = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(PORTION_BYTES - self.written)
    }

    /// Takes note of what a write came to.
    fn note(&mut self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Ready(Ok(bytes)) => {
                // Copied by the kernel.
                dynamo_protocol::work::note(bytes / 4);
                self.written += bytes;
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.written = 0,
        }
        written
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Portions<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Portions<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let own = self.get_mut();
        let left = ready!(own.left(cx));
        let written = Pin::new(&mut own.stream).poll_write(cx, &bytes[..bytes.len().min(left)]);
        own.note(written)
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
        own.note(written)
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
mod tests {
    use std::task::Waker;

    use super::*;

    /// Takes whatever it is given.
    #[derive(Default)]
    struct Sink(Vec<u8>);

    impl AsyncWrite for Sink {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            self.0.extend_from_slice(bytes);
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            parts: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            parts.iter().for_each(|part| self.0.extend_from_slice(part));
            Poll::Ready(Ok(parts.iter().map(|part| part.len()).sum()))
        }

        fn is_write_vectored(&self) -> bool {
            true
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// Writes everything, as hyper does; the bytes of each turn.
    fn turns(
        mut write: impl FnMut(Pin<&mut Portions<Sink>>, &mut Context<'_>, usize) -> Poll<io::Result<usize>>,
        bytes: usize,
    ) -> (Vec<usize>, Vec<u8>) {
        let mut stream = Portions::new(Sink::default());
        let mut context = Context::from_waker(Waker::noop());
        let (mut done, mut turns) = (0, vec![0]);
        while done < bytes {
            match write(Pin::new(&mut stream), &mut context, done) {
                Poll::Ready(written) => {
                    done += written.unwrap();
                    let before: usize = turns.iter().sum();
                    *turns.last_mut().unwrap() += stream.stream.0.len() - before;
                }
                Poll::Pending => turns.push(0),
            }
        }
        (turns, stream.stream.0)
    }

    #[test]
    fn a_large_answer_is_written_in_several_turns() {
        let answer: Vec<u8> = (0..1_000_000_u32).map(|at| at as u8).collect();
        let head = b"HTTP/1.1 200 OK\r\n\r\n".as_slice();
        let whole = [head, &answer].concat();
        let (plain, written) = turns(|stream, cx, done| stream.poll_write(cx, &whole[done..]), whole.len());
        assert_eq!(plain, [PORTION_BYTES, PORTION_BYTES, PORTION_BYTES, whole.len() - 3 * PORTION_BYTES]);
        assert!(written == whole);
        let parts = |stream: Pin<&mut Portions<Sink>>, cx: &mut Context<'_>, done: usize| {
            let (head, body) = (&head[done.min(head.len())..], &answer[done.saturating_sub(head.len())..]);
            stream.poll_write_vectored(cx, &[IoSlice::new(head), IoSlice::new(body)])
        };
        let (vectored, written) = turns(parts, whole.len());
        assert!(vectored.len() == 4 && vectored.iter().all(|bytes| *bytes <= PORTION_BYTES), "{vectored:?}");
        assert!(written == whole, "in order, and nothing twice");
    }
}
