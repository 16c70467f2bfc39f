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
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use super::super::faults;
use super::super::transport::{Caller, Lane, PeerHost, Standing};
use super::frame::{self, FrameError};
use super::hello::{self, HelloError, Refusal};
use super::places::{Class, Places};
use super::{Terms, silence};

/// How long a caller may take to say who it is.
const GREETING_MAX: Duration = Duration::from_secs(2);

/// Requests of one connection that are worked on at the same time; the next ones wait in the socket.
const REQUESTS_MAX: usize = 256;

/// For how long the log does not tell again of a caller that is refused for the same reason.
const REFUSED_QUIET: Duration = Duration::from_secs(30);

/// Refused callers that are remembered for that; beyond, the log stays quiet.
const REFUSED_MAX: usize = 64;

/// How long accepting rests after it failed, for want of file descriptors for instance.
const REST: Duration = Duration::from_millis(50);

/// Where callers are let in.
pub(super) struct Reception {
    /// Who answers.
    host: Arc<dyn PeerHost>,
    /// What a peer must know.
    terms: Arc<Terms>,
    /// How many connections there may be, and of whom.
    places: Arc<Places>,
    /// When the log last told of a caller that was refused for this reason.
    refused: Mutex<BTreeMap<String, Instant>>,
}

impl Reception {
    pub(super) fn new(host: Arc<dyn PeerHost>, terms: Arc<Terms>) -> Arc<Reception> {
        Arc::new(Reception { host, terms, places: Arc::default(), refused: Mutex::default() })
    }

    fn tell_of(&self, refusal: Refusal, caller: Option<SocketAddr>) {
        let caller = caller.map_or("somebody".to_owned(), |caller| caller.ip().to_string());
        let message = format!("a caller from {caller} is refused: {refusal}");
        let mut refused = self.refused.lock();
        refused.retain(|_, told| told.elapsed() < REFUSED_QUIET);
        if refused.len() < REFUSED_MAX && !refused.contains_key(&message) {
            tracing::warn!("{message}");
            refused.insert(message, Instant::now());
        }
    }
}

/// Lets peers in until the task is aborted, and their connections with it.
pub(super) async fn accept(listener: TcpListener, reception: Arc<Reception>) {
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(connections.spawn(serve(stream, Arc::clone(&reception)))),
            Err(error) => {
                tracing::warn!(%error, "a peer could not be let in");
                tokio::time::sleep(REST).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(mut stream: TcpStream, reception: Arc<Reception>) {
    let place = reception.places.take(Class::Greeting);
    // A socket that cannot be set up breaks at its first use.
    let _ = silence::bound(&stream);
    let welcome = hello::welcome(&mut stream, &*reception.host, &reception.terms);
    let welcomed = tokio::select! {
        welcomed = tokio::time::timeout(GREETING_MAX, welcome) => welcomed,
        () = place.lost() => return,
    };
    drop(place);
    let (hello, standing) = match welcomed {
        Ok(Ok(welcomed)) => welcomed,
        Ok(Err(HelloError::Refused(refusal))) => return reception.tell_of(refusal, stream.peer_addr().ok()),
        Ok(Err(error)) => return tracing::debug!(%error, "a caller was not understood"),
        Err(_) => return tracing::debug!("a caller did not say who it is"),
    };
    let Some(lane) = hello.lane else { return };
    let caller = Caller { node: hello.node, incarnation: hello.incarnation, means: hello.means };
    let class = if standing == Standing::Member { Class::Member(hello.node) } else { Class::Stranger };
    let place = reception.places.take(class);
    tokio::select! {
        ended = converse(stream, &reception, caller, lane) => if let Err(error) = ended {
            tracing::debug!(peer = caller.node, ?lane, %error, "a connection ended");
        },
        () = place.lost() => tracing::debug!(peer = caller.node, ?lane, "a connection is ended for a newer one"),
    }
}

/// Reads requests and writes responses, in the order in which they are ready.
async fn converse(stream: TcpStream, reception: &Reception, caller: Caller, lane: Lane) -> Result<(), FrameError> {
    let (read_half, write_half) = stream.into_split();
    let (responses, ready) = mpsc::channel(REQUESTS_MAX);
    let slots = Arc::new(Semaphore::new(REQUESTS_MAX));
    let mut working = JoinSet::new();
    let reading = async {
        let mut input = BufReader::new(read_half);
        loop {
            let request = frame::read(&mut input).await?;
            let slot = Arc::clone(&slots).acquire_owned().await.expect("the slots are never closed");
            let (answer, responses) = (reception.host.answer(caller, request.body), responses.clone());
            working.spawn(async move {
                if faults::arrives(caller.node).await {
                    let response = answer.await.unwrap_or_default();
                    if faults::leaves(caller.node, lane).await {
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
