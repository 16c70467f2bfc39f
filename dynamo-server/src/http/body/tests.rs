use std::convert::Infallible;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::{Request, Response};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::*;
use crate::env::TokioEnv;
use crate::memory::Budget;

/// A server that answers each request with what came of its body; with a body that came whole it waits for `go`.
async fn listen(budget: Arc<BodyBudget>, go: Arc<Notify>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (budget, go) = (Arc::clone(&budget), Arc::clone(&go));
            let answer = service_fn(move |request: Request<Incoming>| {
                let (budget, go) = (Arc::clone(&budget), Arc::clone(&go));
                async move {
                    let (head, body) = request.into_parts();
                    let caller = Caller::client(std::net::Ipv4Addr::LOCALHOST.into());
                    let text = match read::<TokioEnv>(&caller, &head.headers, body, &budget).await {
                        Ok(body) => {
                            go.notified().await;
                            format!("{} bytes", body.len())
                        }
                        Err(error) => format!("{error:?}"),
                    };
                    Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(text))))
                }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
        }
    });
    address
}

struct Client(TcpStream);

impl Client {
    async fn open(address: SocketAddr) -> Client {
        Client(TcpStream::connect(address).await.unwrap())
    }

    async fn head(&mut self, length: usize, extra: &str) {
        let head = format!("POST / HTTP/1.1\r\nHost: localhost\r\n{extra}Content-Length: {length}\r\n\r\n");
        self.0.write_all(head.as_bytes()).await.unwrap();
    }

    async fn send(&mut self, bytes: usize) {
        self.0.write_all(&vec![b'x'; bytes]).await.unwrap();
    }

    /// The text of the answer.
    async fn answer(&mut self) -> String {
        let mut text = String::new();
        let mut part = [0; 1024];
        loop {
            let count = self.0.read(&mut part).await.unwrap();
            assert!(count > 0, "closed after {text}");
            text.push_str(std::str::from_utf8(&part[..count]).unwrap());
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                if length.map(|length| length.parse::<usize>().unwrap()) == Some(body.len()) {
                    return body.to_owned();
                }
            }
        }
    }
}

/// Waits until bodies take so many bytes.
async fn until(budget: &BodyBudget, bytes: usize) {
    for _ in 0..10_000 {
        if budget.bytes() == bytes {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("{} bytes are taken, not {bytes}", budget.bytes());
}

#[tokio::test]
async fn bodies_that_take_the_room_keep_others_out_until_they_are_answered() {
    const LARGE: usize = 1 << 20;
    // Two, of which one is there twice while it grows; not one more.
    let room = 3 * LARGE - 1;
    let (budget, go) = (Arc::new(BodyBudget::new(room, Budget::new(usize::MAX))), Arc::new(Notify::new()));
    let address = listen(Arc::clone(&budget), Arc::clone(&go)).await;
    let mut slow = [Client::open(address).await, Client::open(address).await];
    for (number, client) in slow.iter_mut().enumerate() {
        client.head(LARGE, "").await;
        client.send(LARGE - 1).await;
        until(&budget, (number + 1) * LARGE).await;
    }

    let mut late = Client::open(address).await;
    late.head(LARGE, "").await;
    late.send(LARGE).await;
    // A body that was let in would wait for `go`.
    let answer = tokio::time::timeout(Duration::from_secs(60), late.answer()).await;
    assert_eq!(answer.expect("it is refused"), "NoRoom");
    // Its connection goes on, and what is small needs no room.
    go.notify_one();
    late.head(10, "").await;
    late.send(10).await;
    assert_eq!(late.answer().await, "10 bytes");

    slow[0].send(1).await;
    assert_eq!(budget.bytes(), 2 * LARGE, "a body keeps its room until its request is answered");
    go.notify_one();
    assert_eq!(slow[0].answer().await, format!("{LARGE} bytes"));
    until(&budget, LARGE).await;
    go.notify_one();
    late.head(LARGE, "").await;
    late.send(LARGE).await;
    assert_eq!(late.answer().await, format!("{LARGE} bytes"));

    // A client that goes away leaves nothing behind.
    drop(slow);
    until(&budget, 0).await;
}

#[tokio::test]
async fn announced_bytes_take_no_room_before_they_arrive() {
    let (budget, go) = (Arc::new(BodyBudget::new(MAX_BODY_BYTES, Budget::new(usize::MAX))), Arc::new(Notify::new()));
    let address = listen(Arc::clone(&budget), go).await;
    let mut clients = Vec::new();
    for _ in 0..100 {
        let mut client = Client::open(address).await;
        client.head(MAX_BODY_BYTES, "").await;
        client.send(10).await;
        clients.push(client);
    }
    until(&budget, 100 * FIRST_ROOM_BYTES).await;
}

#[tokio::test]
async fn bodies_that_unpack_beyond_the_room_are_refused() {
    let (budget, go) = (Arc::new(BodyBudget::new(1 << 20, Budget::new(usize::MAX))), Arc::new(Notify::new()));
    let address = listen(Arc::clone(&budget), go).await;
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&vec![0; 4 << 20]).unwrap();
    let packed = packed.finish().unwrap();
    let mut client = Client::open(address).await;
    client.head(packed.len(), "Content-Encoding: gzip\r\n").await;
    client.0.write_all(&packed).await.unwrap();
    assert_eq!(client.answer().await, "NoRoom");
    assert_eq!(budget.bytes(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let budget = Arc::new(BodyBudget::new(MAX_BODY_BYTES, Budget::new(usize::MAX)));
    let address = listen(Arc::clone(&budget), Arc::new(Notify::new())).await;
    // Nothing after the head; and a byte now and then.
    let mut silent = Client::open(address).await;
    silent.head(1000, "").await;
    let mut slow = Client::open(address).await;
    slow.head(1000, "").await;
    let began = Instant::now();
    let trickle = async {
        while began.elapsed() < BODY_TIME_MAX - Duration::from_secs(1) {
            slow.send(1).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        slow.answer().await
    };
    let answers = tokio::time::timeout(3 * BODY_TIME_MAX, async { tokio::join!(silent.answer(), trickle) }).await;
    let (silent, slow) = answers.expect("neither is waited for");
    assert_eq!((&silent[..], &slow[..]), ("Late", "Late"));
    assert!(began.elapsed() >= BODY_TIME_MAX);
    assert_eq!(budget.bytes(), 0);
}

proptest! {
    #[test]
    fn the_next_room_fits_and_is_used(now in 0..MAX_BODY_BYTES, more in 1..100_000usize, announced in 0..MAX_DRAINED_BYTES) {
        let needed = (now + more).min(MAX_BODY_BYTES);
        let room = next_room(now, needed, announced.min(MAX_BODY_BYTES));
        prop_assert!((needed..=MAX_BODY_BYTES).contains(&room));
        prop_assert!(needed > announced || room <= announced.max(needed));
    }
}
