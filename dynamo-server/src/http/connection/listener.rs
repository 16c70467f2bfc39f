//! Accepting connections and letting them end.

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use prometheus::IntGauge;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tracing::{debug, info, warn};

use super::ending::{Ending, HasProgress, Progress};
use super::event_loops::EventLoops;
use super::fair::InTurn;
use super::limits::{Caller, ConnectionLimits, GUEST_HEAD_TIMEOUT, Places};
use super::writes::Writes;
use crate::env::{Env, Task};
use crate::http::service::{HEAD_BYTES_MAX, Service};
use crate::turns::Timed;

/// A client must send a request's whole head within this time, counted from the answer before it, which also closes
/// connections that idle for so long. (The body has [`BODY_TIME_MAX`](crate::http::BODY_TIME_MAX).)
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
/// How long requests in flight may take to end once the server stops: their time by default, and some for their answers.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(7);
/// Pause after a failed `accept` (out of file descriptors, mostly), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A listening server.
pub struct HttpServer {
    /// Where it listens, with the port that was taken.
    address: SocketAddr,
    /// Set to true when the server stops.
    stop: watch::Sender<bool>,
    /// The task that takes connections.
    accepting: Task<()>,
}

impl HttpServer {
    /// Listens on `address` and serves on `loops` until [`HttpServer::stop`].
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn start<E: Env>(
        address: SocketAddr,
        service: Arc<Service<E>>,
        loops: EventLoops,
        limits: ConnectionLimits,
    ) -> io::Result<HttpServer> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        let accepting = E::spawn(accept_loop(listener, service, loops, limits, stopped));
        Ok(HttpServer { address, stop, accepting })
    }

    /// Where it listens: tells the port when 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting, lets the requests in flight end (bounded), closes idle connections.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        let _ = self.accepting.await;
    }
}

async fn accept_loop<E: Env>(
    listener: TcpListener,
    service: Arc<Service<E>>,
    loops: EventLoops,
    limits: ConnectionLimits,
    mut stopped: watch::Receiver<bool>,
) {
    let graceful = GracefulShutdown::new();
    let mut places = Places::new(limits);
    loop {
        let arrival = async {
            let (stream, from) = accept::<E>(&listener).await;
            let (place, caller) = places.take(from.ip()).await;
            (stream, place, caller)
        };
        let (stream, place, caller) = tokio::select! {
            () = wait_for_stop(&mut stopped) => break,
            arrived = arrival => arrived,
        };
        let stream = match stream.into_std() {
            Ok(stream) => stream,
            Err(error) => {
                debug!(%error, "connection ended at once");
                continue;
            }
        };
        let (service, watcher, seat) = (service.clone(), graceful.watcher(), loops.take_seat());
        let runtime = seat.runtime().clone();
        let (turns, client) = (seat.turns(), caller.account());
        let stalls = service.metrics().stalls.clone();
        let served = async move {
            let counted = Counted::new(service.metrics().connections.clone());
            if let Err(error) = serve(stream, caller, &service, watcher).await {
                debug!(%error, "connection ended");
            }
            drop((place, seat, counted));
        };
        runtime.spawn(InTurn::<E, _>::new(Timed::<E, _>::new(served, stalls), turns, client));
    }
    drop(listener);
    // Before the connections hear of it.
    service.stops();
    if E::timeout(DRAIN_TIMEOUT, graceful.shutdown()).await.is_none() {
        let connections = service.metrics().connections.get();
        warn!(
            connections,
            "requests in flight are cut off after {DRAIN_TIMEOUT:?}: they are not answered, or their clients do not take the \
             answers"
        );
    }
}

/// The next connection. Where the system gives none, for want of descriptors mostly, it is asked again and again: some will
/// be free when other connections end.
async fn accept<E: Env>(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    let mut failures = 0_u64;
    loop {
        match listener.accept().await {
            Ok(accepted) => {
                if failures > 0 {
                    info!(failures, "connections are accepted again");
                }
                return accepted;
            }
            Err(error) => {
                if failures == 0 {
                    warn!(%error, "accept failed");
                }
                failures += 1;
                E::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn wait_for_stop(stopped: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone, and with it whoever could want more answers.
    let _ = stopped.wait_for(|stop| *stop).await;
}

async fn serve<E: Env>(
    stream: std::net::TcpStream,
    caller: Caller,
    service: &Arc<Service<E>>,
    watcher: Watcher,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    // Registered with the loop that this runs on.
    let stream = TcpStream::from_std(stream)?;
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "TCP_NODELAY not set");
    }
    let stream = Writes::<E, _>::new(stream, service.metrics().connections_stalled.clone());
    let head_timeout = if caller.is_guest() { GUEST_HEAD_TIMEOUT } else { HEAD_TIMEOUT };
    let line = Arc::new(Line { caller, service: Arc::clone(service) });
    let stream = Ending::<E, _, _>::new(stream, Arc::clone(&line));
    let own = Arc::clone(&line);
    let answer = service_fn(move |request| {
        let line = Arc::clone(&own);
        // Before the end of input is looked for, which is before the future is asked for anything.
        line.caller.progress.begins();
        async move { Ok::<_, Infallible>(line.service.answer(&line.caller, request).await) }
    });
    // No `pipeline_flush`: it holds replies back while unread input is there, so that the 431 or 400 for a head that
    // cannot be read was never sent.
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_timeout)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), answer);
    if !line.caller.is_guest() {
        return Ok(watcher.watch(connection).await?);
    }
    tokio::select! {
        ended = watcher.watch(connection) => Ok(ended?),
        () = line.caller.told_to_leave() => Ok(()),
    }
}

/// A connection that counts as open until it is dropped.
struct Counted(IntGauge);

impl Counted {
    fn new(open: IntGauge) -> Counted {
        open.inc();
        Counted(open)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// A connection, as its requests and its stream see it: one thing to share among them.
struct Line<E: Env> {
    /// Who is at the other end.
    caller: Caller,
    /// What answers.
    service: Arc<Service<E>>,
}

impl<E: Env> HasProgress for Arc<Line<E>> {
    fn progress(&self) -> &Progress {
        &self.caller.progress
    }

    fn is_stopping(&self) -> bool {
        self.service.is_stopping()
    }
}
