//! Peers that call this node.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::io::{AsyncWriteExt, BufReader, BufWriter};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;

use super::super::directory::Identity;
use super::super::faults;
use super::super::transport::PeerHandler;
use super::frame::{self, FrameError};
use super::hello::{self, Disks, Hello, HelloError, Refusal};
use super::silence;

/// How long a caller may take to say who it is.
const GREETING_MAX: Duration = Duration::from_secs(2);

/// Requests of one connection that are worked on at the same time; the next ones wait in the socket.
const REQUESTS_MAX: usize = 256;

/// Connections at the same time: three of each of many peers, and some strangers that are about to be refused.
const CONNECTIONS_MAX: usize = 1_024;

/// For how long the log does not tell again of a caller that is refused for the same reason.
const REFUSED_QUIET: Duration = Duration::from_secs(30);

/// Refused callers that are remembered for that; beyond, the log stays quiet.
const REFUSED_MAX: usize = 64;

/// How long accepting rests after it failed, for want of file descriptors for instance.
const REST: Duration = Duration::from_millis(50);

/// What is needed to answer callers.
pub(super) struct Host {
    pub(super) me: Identity,
    pub(super) handler: PeerHandler,
    pub(super) disks: Disks,
    /// When the log last told of a caller that was refused for this reason.
    pub(super) refused: Mutex<BTreeMap<String, Instant>>,
}

impl Host {
    /// Tells the log of a refused caller, who will try again many times a second.
    fn tell_of(&self, refusal: Refusal, caller: Option<SocketAddr>) {
        let from = caller.map_or("somebody".to_owned(), |caller| caller.ip().to_string());
        let message = format!("a caller from {from} is refused: {refusal}");
        let mut refused = self.refused.lock();
        refused.retain(|_, told| told.elapsed() < REFUSED_QUIET);
        if refused.len() < REFUSED_MAX && !refused.contains_key(&message) {
            tracing::warn!("{message}");
            refused.insert(message, Instant::now());
        }
    }
}

/// Lets peers in until the task is aborted, and their connections with it.
pub(super) async fn accept(listener: TcpListener, host: Arc<Host>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => drop(connections.spawn(serve(stream, Arc::clone(&host), place))),
            Err(error) => {
                tracing::warn!(%error, "a peer could not be let in");
                tokio::time::sleep(REST).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(mut stream: TcpStream, host: Arc<Host>, _place: OwnedSemaphorePermit) {
    // A socket that cannot be set up breaks at its first use.
    let _ = silence::bound(&stream);
    let welcome = hello::welcome(&mut stream, &host.me, &host.disks);
    match tokio::time::timeout(GREETING_MAX, welcome).await {
        Ok(Ok(None)) => {}
        Ok(Ok(Some(caller))) => {
            if let Err(error) = converse(stream, &host, &caller).await {
                tracing::debug!(peer = caller.node, lane = ?caller.lane, %error, "a connection ended");
            }
        }
        Ok(Err(HelloError::Refused(refusal))) => host.tell_of(refusal, stream.peer_addr().ok()),
        Ok(Err(error)) => tracing::debug!(%error, "a caller was not understood"),
        Err(_) => tracing::debug!("a caller did not say who it is"),
    }
}

/// Reads requests and writes responses, in the order in which they are ready.
async fn converse(stream: TcpStream, host: &Host, caller: &Hello) -> Result<(), FrameError> {
    let (read_half, write_half) = stream.into_split();
    let (responses, ready) = mpsc::channel(REQUESTS_MAX);
    let slots = Arc::new(Semaphore::new(REQUESTS_MAX));
    let mut working = JoinSet::new();
    let (caller, lane) = (caller.node, caller.lane);
    let reading = async {
        let mut input = BufReader::new(read_half);
        loop {
            let request = frame::read(&mut input).await?;
            let slot = Arc::clone(&slots).acquire_owned().await.expect("the slots are never closed");
            let (answer, responses) = ((host.handler)(request.body), responses.clone());
            working.spawn(async move {
                if faults::arrives(caller).await {
                    let response = answer.await.unwrap_or_default();
                    if faults::leaves(caller, lane).await {
                        // The connection may be gone.
                        let _ = responses.send((request.number, response)).await;
                    }
                }
                drop(slot);
            });
            while working.try_join_next().is_some() {}
        }
    };
    tokio::select! {
        ended = reading => ended,
        ended = respond(write_half, ready) => ended,
    }
}

async fn respond(out: OwnedWriteHalf, mut ready: mpsc::Receiver<(u64, Bytes)>) -> Result<(), FrameError> {
    let mut out = BufWriter::new(out);
    while let Some((number, body)) = ready.recv().await {
        frame::write(&mut out, number, &body).await?;
        while let Ok((number, body)) = ready.try_recv() {
            frame::write(&mut out, number, &body).await?;
        }
        out.flush().await?;
    }
    Ok(())
}
