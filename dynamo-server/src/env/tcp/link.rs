//! The way to one peer on one lane: a connection that is made when it is needed, and again when it broke.
//!
//! Requests are numbered and written in the order in which they come; responses are paired by number, in any order.
//! When the connection breaks, everything under way on it is without an answer: the callers hear at once that the peer
//! is unreachable, and decide themselves whether to ask again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::io::{AsyncWriteExt, BufReader, BufWriter};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use super::contacts::{Contacts, LinkError};
use super::frame;
use super::hello::{self, Hello};
use super::{Terms, silence};
use crate::env::transport::{Introduction, PeerAnswer, TransportError};

/// Requests that wait to be written. A group has one or two messages under way to a peer; more waiting means that the
/// peer does not read, and callers are told that it cannot be reached.
const QUEUE_MAX: usize = 1_024;

/// How long connecting and greeting may take.
const CONNECT_MAX: Duration = Duration::from_secs(1);

/// How long a link rests after a failed attempt, while which its callers are refused.
const REST: Duration = Duration::from_millis(50);

/// Requests without an answer after which those are forgotten whose callers have gone.
const PENDING_SWEEP: usize = 1_024;

/// What a call comes to.
pub(super) type CallResult = Result<PeerAnswer, TransportError>;

/// What is asked, until it is taken: by the connection that writes it, or by a caller who gives up. So a peer that does not read
/// keeps no more in memory than is still waited for.
#[derive(Clone)]
pub(super) struct Body(Arc<Mutex<Option<Bytes>>>);

impl Body {
    pub(super) fn new(bytes: Bytes) -> Body {
        Body(Arc::new(Mutex::new(Some(bytes))))
    }

    fn take(&self) -> Option<Bytes> {
        self.0.lock().take()
    }

    /// Takes the body back when dropped.
    pub(super) fn while_wanted(&self) -> Wanted {
        Wanted(self.clone())
    }
}

/// Somebody wants a request to be sent.
pub(super) struct Wanted(Body);

impl Drop for Wanted {
    fn drop(&mut self) {
        self.0.take();
    }
}

/// A request and who waits for its answer. Dropped unanswered, it may have been processed all the same.
pub(super) struct Outgoing {
    /// What is asked.
    pub(super) body: Body,
    /// Where the answer goes.
    pub(super) answer: oneshot::Sender<CallResult>,
}

impl Outgoing {
    /// Tells the caller that nothing was sent.
    fn refuse(self) {
        // The caller may have gone.
        let _ = self.answer.send(Err(TransportError::NotSent));
    }
}

/// A handle of the link; dropping it ends it.
pub(super) struct Link {
    /// To the task that has the connection.
    queue: mpsc::Sender<Outgoing>,
    /// Ended with the link.
    task: AbortHandle,
}

impl Link {
    /// A link to whoever listens at `address`.
    pub(super) fn start(address: String, hello: Hello, terms: Arc<Terms>, contacts: Arc<Contacts>) -> Link {
        let (queue, requests) = mpsc::channel(QUEUE_MAX);
        let task = tokio::spawn(run(address, hello, terms, contacts, requests)).abort_handle();
        Link { queue, task }
    }

    /// Takes a request on its way; `false` when it cannot.
    pub(super) fn send(&self, request: Outgoing) -> bool {
        self.queue.try_send(request).is_ok()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(
    address: String,
    hello: Hello,
    terms: Arc<Terms>,
    contacts: Arc<Contacts>,
    mut requests: mpsc::Receiver<Outgoing>,
) {
    while let Some(first) = requests.recv().await {
        let connected = tokio::time::timeout(CONNECT_MAX, connect(&address, &hello, &terms)).await;
        let ended = match connected.unwrap_or(Err(LinkError::TimedOut)) {
            Ok((stream, incarnation)) => {
                contacts.reached(hello.called, &address);
                converse(stream, incarnation, first, &mut requests).await
            }
            Err(error) => {
                contacts.failed(hello.called, &address, &error);
                first.refuse();
                Err(error)
            }
        };
        if let Err(error) = ended {
            tracing::debug!(peer = hello.called, %address, lane = ?hello.lane, %error, "a connection ended, or none came about");
        }
        // Who waits is refused now rather than later.
        while let Ok(waiting) = requests.try_recv() {
            waiting.refuse();
        }
        tokio::time::sleep(REST).await;
    }
}

/// A connection, and the incarnation of who is at its other end.
async fn connect(address: &str, hello: &Hello, terms: &Terms) -> Result<(TcpStream, u64), LinkError> {
    let mut stream = TcpStream::connect(address).await?;
    silence::bound(&stream)?;
    let introduction = hello::greet(&mut stream, hello, terms).await?;
    Ok((stream, introduction.identity.incarnation))
}

/// Asks the node at `address` who it is.
pub(super) async fn inquire(
    address: &str,
    hello: &Hello,
    terms: &Terms,
    limit: Duration,
) -> Result<Introduction, String> {
    let asking = async {
        let mut stream = TcpStream::connect(address).await?;
        Ok::<_, LinkError>(hello::greet(&mut stream, hello, terms).await?)
    };
    match tokio::time::timeout(limit, asking).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err("it does not answer".to_owned()),
    }
}

type Pending = Mutex<BTreeMap<u64, oneshot::Sender<CallResult>>>;

/// Writes requests and reads responses until the connection breaks.
async fn converse(
    stream: TcpStream,
    incarnation: u64,
    first: Outgoing,
    requests: &mut mpsc::Receiver<Outgoing>,
) -> Result<(), LinkError> {
    let (read_half, write_half) = stream.into_split();
    let pending = Arc::new(Pending::default());
    let reading = async {
        let mut input = BufReader::new(read_half);
        loop {
            let response = frame::read(&mut input).await?;
            let answer = pending.lock().remove(&response.number);
            // An empty one says that there is no answer; its caller is let go.
            if let Some(answer) = answer.filter(|_| !response.body.is_empty()) {
                let _ = answer.send(Ok(PeerAnswer { incarnation, body: response.body }));
            }
        }
    };
    let writing = async {
        let mut out = BufWriter::new(write_half);
        let mut next = Some(first);
        for number in 0.. {
            let request = match next.take() {
                Some(request) => request,
                None => match requests.try_recv() {
                    Ok(request) => request,
                    Err(_) => {
                        out.flush().await?;
                        match requests.recv().await {
                            Some(request) => request,
                            None => return Ok(()),
                        }
                    }
                },
            };
            let Some(body) = request.body.take() else { continue };
            remember(&pending, number, request.answer);
            frame::write(&mut out, number, &body).await?;
        }
        Ok(())
    };
    tokio::select! {
        ended = reading => ended,
        ended = writing => ended,
    }
}

fn remember(pending: &Pending, number: u64, answer: oneshot::Sender<CallResult>) {
    let mut pending = pending.lock();
    if pending.len() >= PENDING_SWEEP {
        pending.retain(|_, answer| !answer.is_closed());
    }
    let before = pending.insert(number, answer);
    debug_assert!(before.is_none(), "the requests of a connection are numbered once");
}
