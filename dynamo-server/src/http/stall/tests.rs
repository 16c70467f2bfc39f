use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use super::*;
use crate::env::TokioEnv;

/// More than the kernel takes for a client that does not read.
const ANSWER_BYTES: usize = 32 << 20;

async fn pair() -> (Unstalled<TokioEnv, TcpStream>, TcpStream, IntCounter) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let given_up = IntCounter::new("given_up", "in a test").unwrap();
    let (server, _) = listener.accept().await.unwrap();
    (Unstalled::new(server, given_up.clone()), client, given_up)
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
    let given_up = IntCounter::new("given_up", "in a test").unwrap();
    let mut server = Unstalled::<TokioEnv, _>::new(server, given_up.clone());
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
