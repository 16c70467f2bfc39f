use std::task::Waker;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use super::*;
use crate::env::TokioEnv;

/// More than the kernel takes for a client that does not read.
const ANSWER_BYTES: usize = 32 << 20;

/// A stream, and the count of those that were given up.
fn writes<S>(stream: S) -> (Writes<TokioEnv, S>, IntCounter) {
    let given_up = IntCounter::new("given_up", "in a test").unwrap();
    (Writes::new(stream, given_up.clone()), given_up)
}

async fn pair() -> (Writes<TokioEnv, TcpStream>, TcpStream, IntCounter) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (server, given_up) = writes(listener.accept().await.unwrap().0);
    (server, client, given_up)
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_is_given_up() {
    let (mut server, client, given_up) = pair().await;
    let began = Instant::now();
    let written = tokio::time::timeout(10 * STALL_MAX, server.write_all(&vec![7; ANSWER_BYTES])).await;
    let error = written.expect("it does not wait for ever").expect_err("nobody reads");
    assert_eq!((error.kind(), given_up.get()), (io::ErrorKind::TimedOut, 1));
    assert!(began.elapsed() >= STALL_MAX);
    drop(client);
}

/// Through a pipe in memory: on a socket the clock could leap while the kernel is still moving bytes.
#[tokio::test(start_paused = true)]
async fn a_client_that_reads_slowly_gets_everything() {
    const PIPE_BYTES: usize = 64 << 10;
    const READS: u32 = 8;
    let (server, mut client) = tokio::io::duplex(PIPE_BYTES);
    let (mut server, given_up) = writes(server);
    let began = Instant::now();
    let read = async {
        let mut part = vec![0; PIPE_BYTES];
        for _ in 0..READS {
            tokio::time::sleep(STALL_MAX * 9 / 10).await;
            client.read_exact(&mut part).await?;
        }
        Ok(())
    };
    let answer = vec![7; PIPE_BYTES * READS as usize];
    tokio::try_join!(server.write_all(&answer), read).expect("each time before its patience ends");
    assert!(began.elapsed() > 5 * STALL_MAX);
    assert_eq!(given_up.get(), 0);
}

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
    mut write: impl FnMut(Pin<&mut Writes<TokioEnv, Sink>>, &mut Context<'_>, usize) -> Poll<io::Result<usize>>,
    bytes: usize,
) -> (Vec<usize>, Vec<u8>) {
    let mut stream = writes(Sink::default()).0;
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
    let parts = |stream: Pin<&mut Writes<TokioEnv, Sink>>, cx: &mut Context<'_>, done: usize| {
        let (head, body) = (&head[done.min(head.len())..], &answer[done.saturating_sub(head.len())..]);
        stream.poll_write_vectored(cx, &[IoSlice::new(head), IoSlice::new(body)])
    };
    let (vectored, written) = turns(parts, whole.len());
    assert!(vectored.len() == 4 && vectored.iter().all(|bytes| *bytes <= PORTION_BYTES), "{vectored:?}");
    assert!(written == whole, "in order, and nothing twice");
}
