//! Accepting connections and letting them end.

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tracing::{debug, warn};

use super::event_loops::EventLoops;
use super::service::Service;
use super::stall::Unstalled;
use crate::env::{Env, Task};

/// Most connections served at once. Further ones wait in the kernel's queue until one ends.
pub const MAX_CONNECTIONS: usize = 10_000;
/// A client must send a request's whole head within this time, counted from the answer before it, which also closes
/// connections that idle for so long. (The body has [`BODY_TIME_MAX`](super::BODY_TIME_MAX).)
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
/// Largest request head: request line and headers together.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// How long requests in flight may take to end once the server stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause after a failed `accept` (out of file descriptors, mostly), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A listening server.
pub struct HttpServer {
    address: SocketAddr,
    stop: watch::Sender<bool>,
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
    ) -> io::Result<HttpServer> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        let accepting = E::spawn(accept_loop(listener, service, loops, stopped));
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
    mut stopped: watch::Receiver<bool>,
) {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let place = places.clone().acquire_owned().await.expect("the semaphore is never closed");
        let (stream, client) = tokio::select! {
            () = wait_for_stop(&mut stopped) => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, from)) => (stream, from.ip()),
                Err(error) => {
                    warn!(%error, "accept failed");
                    E::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
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
        runtime.spawn(async move {
            if let Err(error) = serve(stream, client, service, watcher).await {
                debug!(%error, "connection ended");
            }
            drop((place, seat));
        });
    }
    drop(listener);
    if E::timeout(DRAIN_TIMEOUT, graceful.shutdown()).await.is_none() {
        warn!("requests still in flight after {DRAIN_TIMEOUT:?} were cut off");
    }
}

async fn wait_for_stop(stopped: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone, and with it whoever could want more answers.
    let _ = stopped.wait_for(|stop| *stop).await;
}

async fn serve<E: Env>(
    stream: std::net::TcpStream,
    client: IpAddr,
    service: Arc<Service<E>>,
    watcher: Watcher,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    // Registered with the loop that this runs on.
    let stream = TcpStream::from_std(stream)?;
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "TCP_NODELAY not set");
    }
    let stream = Unstalled::<E, _>::new(stream, service.metrics().connections_stalled.clone());
    let answer = service_fn(move |request| {
        let service = service.clone();
        async move { Ok::<_, Infallible>(service.answer(client, request).await) }
    });
    // No `pipeline_flush`: it holds replies back while unread input is there, so that the 431 or 400 for a head that
    // cannot be read was never sent.
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), answer);
    Ok(watcher.watch(connection).await?)
}
