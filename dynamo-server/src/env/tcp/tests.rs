//! Two and three nodes over the loopback interface, in real time.

use std::net::Ipv4Addr;

use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::net::TcpStream;

use super::super::transport::{Caller, Standing};
use super::places::GREETINGS_MAX;
use super::*;
use crate::env::AgreedSettings;

const LIMIT: Duration = Duration::from_secs(5);

async fn open() -> TcpTransport {
    TcpTransport::open((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap()
}

fn identity(node_id: u64) -> Identity {
    Identity { cluster_id: 9, node_id, incarnation: 100 + node_id, shards: 1 }
}

/// Answers with what it was asked, `slow` after a while, `nobody` not at all, `who` with the caller.
struct Echo(Identity);

impl PeerHost for Echo {
    fn introduce(&self, _node: u64, _incarnation: u64) -> Introduction {
        Introduction { identity: self.0.clone(), has_data: false, standing: Standing::Member }
    }

    fn answer(&self, caller: Caller, body: Bytes) -> BoxFuture<'static, Option<Bytes>> {
        Box::pin(async move {
            match &body[..] {
                b"slow" => tokio::time::sleep(Duration::from_millis(200)).await,
                b"nobody" => return None,
                b"who" => return Some(format!("{caller:?}").into()),
                _ => {}
            }
            Some(body)
        })
    }

    fn hear_settings(&self, _node: u64, _settings: &AgreedSettings) {}
}

fn listen(transport: &TcpTransport, me: Identity) {
    transport.listen(&me, Arc::new(Echo(me.clone())));
}

async fn echo(node_id: u64) -> TcpTransport {
    let transport = open().await;
    listen(&transport, identity(node_id));
    transport
}

/// Asks the incarnation that [`identity`] gives to a node.
async fn ask(
    from: &TcpTransport,
    to: u64,
    at: &TcpTransport,
    what: &'static [u8],
    limit: Duration,
) -> Result<Bytes, TransportError> {
    let answer = from.call(request(to, 100 + to, at, what), limit).await?;
    assert_eq!(answer.incarnation, 100 + to);
    Ok(answer.body)
}

fn request(to: u64, incarnation: u64, at: &TcpTransport, what: &'static [u8]) -> PeerRequest {
    let address = at.address().unwrap().to_string();
    PeerRequest { to, incarnation, address, lane: Lane::Data, body: Bytes::from_static(what) }
}

#[tokio::test]
async fn answers_find_their_questions() {
    let (one, two) = (echo(1).await, echo(2).await);
    let slow = ask(&one, 2, &two, b"slow", LIMIT);
    let quick = ask(&one, 2, &two, b"quick", LIMIT);
    let (slow, quick) = futures::join!(slow, quick);
    assert_eq!((&slow.unwrap()[..], &quick.unwrap()[..]), (&b"slow"[..], &b"quick"[..]));
    assert_eq!(&ask(&two, 1, &one, b"back", LIMIT).await.unwrap()[..], b"back");
}

#[tokio::test]
async fn no_answer_is_none_and_a_slow_one_is_late() {
    let (one, two) = (echo(1).await, echo(2).await);
    let short = Duration::from_millis(50);
    assert_eq!(ask(&one, 2, &two, b"slow", short).await, Err(TransportError::TimedOut));
    assert_eq!(ask(&one, 2, &two, b"nobody", LIMIT).await, Err(TransportError::Unreachable));
    assert!(ask(&one, 2, &two, b"on", LIMIT).await.is_ok(), "the connection lives on");
}

#[tokio::test]
async fn another_node_at_the_address_is_unreachable() {
    let (one, two) = (echo(1).await, echo(2).await);
    assert_eq!(ask(&one, 3, &two, b"?", LIMIT).await, Err(TransportError::NotSent), "it is node 2");
    let stranger = open().await;
    listen(&stranger, Identity { cluster_id: 8, ..identity(3) });
    assert_eq!(ask(&stranger, 2, &two, b"?", LIMIT).await, Err(TransportError::NotSent));
    assert_eq!(ask(&TcpTransport::default(), 2, &two, b"?", LIMIT).await, Err(TransportError::NotSent));
}

#[tokio::test]
async fn a_peer_that_comes_back_is_reached_again() {
    let (one, two) = (echo(1).await, echo(2).await);
    let address = two.address().unwrap();
    assert!(ask(&one, 2, &two, b"a", LIMIT).await.is_ok());
    drop(two);
    let gone = PeerRequest {
        to: 2,
        incarnation: ANY_INCARNATION,
        address: address.to_string(),
        lane: Lane::Data,
        body: Bytes::from_static(b"b"),
    };
    assert!(one.call(gone.clone(), LIMIT).await.is_err());
    let two = loop {
        // The port may still be in use for a moment.
        match TcpTransport::open(address).await {
            Ok(transport) => break transport,
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    listen(&two, identity(2));
    let mut answered = false;
    for _ in 0..100 {
        answered |= one.call(gone.clone(), LIMIT).await.is_ok();
        tokio::time::sleep(Duration::from_millis(20)).await;
        if answered {
            break;
        }
    }
    assert!(answered);
}

#[tokio::test]
async fn only_the_incarnation_that_is_meant_is_reached() {
    let (one, two) = (echo(1).await, echo(2).await);
    let meant = one.call(request(2, 102, &two, b"who"), LIMIT).await.unwrap();
    assert_eq!(&meant.body[..], b"Caller { node: 1, incarnation: 101, means: 102 }");
    let any = one.call(request(2, ANY_INCARNATION, &two, b"who"), LIMIT).await.unwrap();
    assert_eq!(any.incarnation, 102);
    assert_eq!(one.call(request(2, 103, &two, b"who"), LIMIT).await, Err(TransportError::NotSent));
}

#[tokio::test]
async fn a_node_says_who_it_is_to_whoever_asks() {
    let two = echo(2).await;
    let address = two.address().unwrap().to_string();
    for asker in [TcpTransport::default(), open().await, echo(1).await] {
        assert_eq!(asker.inquire(2, &address, LIMIT).await.unwrap().identity, identity(2));
    }
    drop(two);
    assert!(TcpTransport::default().inquire(2, &address, LIMIT).await.is_err());
}

/// A body that says when nobody holds it any more.
struct Tracked(Vec<u8>, Arc<std::sync::atomic::AtomicUsize>);

impl AsRef<[u8]> for Tracked {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.1.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
    }
}

/// A peer that stands still reads nothing, and its kernel takes a few megabytes.
#[tokio::test]
async fn what_nobody_waits_for_any_more_is_not_kept_for_a_peer_that_does_not_read() {
    const BODIES: usize = 50;
    let one = echo(1).await;
    // It greets, and then reads no more.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let host = Echo(identity(2));
    let welcome = async {
        let (mut stream, _) = silent.accept().await.unwrap();
        hello::welcome(&mut stream, &host, &Terms::default()).await.unwrap();
        stream
    };
    let held = Arc::new(std::sync::atomic::AtomicUsize::new(BODIES));
    let calls = async {
        let call = |_| {
            let body = Bytes::from_owner(Tracked(vec![7; 1 << 20], Arc::clone(&held)));
            let to = PeerRequest { to: 2, incarnation: 102, address: address.clone(), lane: Lane::Data, body };
            one.call(to, Duration::from_millis(500))
        };
        futures::future::join_all((0..BODIES).map(call)).await
    };
    let (_stream, ended) = futures::join!(welcome, calls);
    assert!(ended.iter().all(|ended| *ended == Err(TransportError::TimedOut)), "{ended:?}");
    let held = held.load(std::sync::atomic::Ordering::Relaxed);
    assert!(held <= 1, "{held} bodies are held, one of them at most is being written");
}

/// Somebody who holds connections without a word, many more than there are places, keeps nobody out.
#[tokio::test]
async fn silent_callers_keep_no_peer_out() {
    let (one, two) = (echo(1).await, echo(2).await);
    let mut silent = Vec::new();
    for _ in 0..3 * GREETINGS_MAX {
        silent.push(TcpStream::connect(two.address().unwrap()).await.unwrap());
    }
    assert_eq!(&ask(&one, 2, &two, b"in", LIMIT).await.unwrap()[..], b"in");
}
