//! Two and three nodes over the loopback interface, in real time.

use std::net::Ipv4Addr;

use super::*;

const LIMIT: Duration = Duration::from_secs(5);

async fn open() -> TcpTransport {
    TcpTransport::open((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap()
}

fn identity(node_id: u64) -> Identity {
    Identity { cluster_id: 9, node_id, incarnation: 100 + node_id, shards: 1 }
}

/// A node that answers with what it was asked, `slow` after a while, `nobody` not at all.
async fn echo(node_id: u64) -> TcpTransport {
    let transport = open().await;
    let handler: PeerHandler = Arc::new(|body: Bytes| {
        Box::pin(async move {
            match &body[..] {
                b"slow" => tokio::time::sleep(Duration::from_millis(200)).await,
                b"nobody" => return None,
                _ => {}
            }
            Some(body)
        })
    });
    transport.listen(&identity(node_id), handler);
    transport
}

async fn ask(
    from: &TcpTransport,
    to: u64,
    at: &TcpTransport,
    what: &'static [u8],
    limit: Duration,
) -> Result<Bytes, TransportError> {
    let address = at.address().unwrap().to_string();
    from.call(PeerRequest { to, address, lane: Lane::Data, body: Bytes::from_static(what) }, limit).await
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
async fn who_is_not_meant_is_unreachable() {
    let (one, two) = (echo(1).await, echo(2).await);
    assert_eq!(ask(&one, 3, &two, b"?", LIMIT).await, Err(TransportError::NotSent), "it is node 2");
    let stranger = open().await;
    stranger.listen(&Identity { cluster_id: 8, ..identity(3) }, Arc::new(|_| Box::pin(async { None })));
    assert_eq!(ask(&stranger, 2, &two, b"?", LIMIT).await, Err(TransportError::NotSent));
    assert_eq!(ask(&TcpTransport::default(), 2, &two, b"?", LIMIT).await, Err(TransportError::NotSent));
}

#[tokio::test]
async fn a_peer_that_comes_back_is_reached_again() {
    let (one, two) = (echo(1).await, echo(2).await);
    let address = two.address().unwrap();
    assert!(ask(&one, 2, &two, b"a", LIMIT).await.is_ok());
    drop(two);
    let gone = PeerRequest { to: 2, address: address.to_string(), lane: Lane::Data, body: Bytes::from_static(b"b") };
    assert!(one.call(gone.clone(), LIMIT).await.is_err());
    let two = loop {
        // The port may still be in use for a moment.
        match TcpTransport::open(address).await {
            Ok(transport) => break transport,
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    two.listen(&identity(2), Arc::new(|body| Box::pin(async move { Some(body) })));
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
