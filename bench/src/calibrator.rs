//! The yardstick: a bare hyper server that answers every POST with the same 1 KB.
//!
//! It does what any HTTP server on this stack must do (accept, parse the head, collect the body, write a reply) and
//! nothing else, in a process of its own so that its processor time can be read. One thread unless asked otherwise:
//! with 16 connections that is the cheapest way to serve (no thread wakes another), and so the strictest yardstick. It
//! ends when its standard input closes, so it cannot outlive the run that started it.
//!
//! Asked to sync, it is the yardstick for durable writes over HTTP: every body is on disk before it is answered with
//! `{}` ([`SharedLog`]). What the disk gives without HTTP ([`crate::disk`]) no server can reach; what this one reaches
//! is left for servers on this machine.

use std::convert::Infallible;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::client::Endpoint;
use crate::disk::SharedLog;
use crate::error::{Context, Error, Result};
use crate::machine::ProcessClock;

/// Bytes of its reply.
pub const REPLY_BYTES: usize = 1024;

/// The calibrator as a child process.
pub struct Calibrator {
    /// Where it listens.
    pub endpoint: Endpoint,
    /// Its processor time.
    pub clock: ProcessClock,
    child: Child,
}

impl Calibrator {
    /// Starts it: this same binary with the subcommand `calibrator`.
    pub fn start(threads: u64) -> Result<Calibrator> {
        Self::start_with(&["--threads", &threads.to_string()])
    }

    /// Starts it with a file in `folder` that every body is written to.
    pub fn start_syncing(folder: &Path) -> Result<Calibrator> {
        let folder = folder.to_str().ok_or_else(|| Error::new("the folder's name is not text"))?;
        Self::start_with(&["--sync-in", folder])
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn start_with(arguments: &[&str]) -> Result<Calibrator> {
        let binary = std::env::current_exe()?;
        let mut child = Command::new(binary)
            .arg("calibrator")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context(|| "cannot start the calibrator".to_owned())?;
        let mut line = String::new();
        let stdout = child.stdout.take().ok_or_else(|| Error::new("the calibrator has no output"))?;
        BufReader::new(stdout).read_line(&mut line)?;
        let endpoint =
            Endpoint::parse(line.trim()).context(|| "the calibrator did not say where it listens".to_owned())?;
        let clock = ProcessClock::of(child.id())?;
        Ok(Calibrator { endpoint, clock, child })
    }
}

impl Drop for Calibrator {
    fn drop(&mut self) {
        // Closing its input asks it to end; a calibrator that does not is of no use to anyone either.
        drop(self.child.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves on a free port of the loopback interface, prints its address, and returns when standard input closes.
pub fn serve_until_input_closes(threads: u64, sync_in: Option<&Path>) -> Result<()> {
    let log = sync_in.map(SharedLog::create).transpose()?.map(Arc::new);
    let mut builder = match threads {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = builder.enable_all().worker_threads(threads.max(1) as usize).build()?;
    thread::spawn(|| {
        let mut rest = Vec::new();
        // Closed or broken, the input tells that nobody needs us any more.
        let _ = std::io::stdin().read_to_end(&mut rest);
        std::process::exit(0);
    });
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        tokio::task::spawn(accept(listener, log)).await.context(|| "the calibrator".to_owned())
    })
}

async fn accept(listener: TcpListener, log: Option<Arc<SharedLog>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let log = log.clone();
        tokio::task::spawn(async move {
            let service = service_fn(|request| answer(request, log.as_deref()));
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

type Reply = Response<Full<Bytes>>;

async fn answer(request: Request<Incoming>, log: Option<&SharedLog>) -> std::result::Result<Reply, Infallible> {
    static REPLY: [u8; REPLY_BYTES] = [b'x'; REPLY_BYTES];
    // The body is collected, as every server must before it can decode it.
    let body = request.into_body().collect().await.map(|body| body.to_bytes());
    let is_durable = match (log, body) {
        (Some(log), Ok(body)) => Some(log.write(body).await),
        (Some(_), Err(_)) => Some(false),
        (None, _) => None,
    };
    let reply: &'static [u8] = match is_durable {
        None => &REPLY,
        Some(true) => b"{}",
        // An empty reply counts as wrong.
        Some(false) => b"",
    };
    let mut response = Response::new(Full::new(Bytes::from_static(reply)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.0"));
    Ok(response)
}
