//! One request from head to reply.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use dynamo_engine::context::RequestContext;
use dynamo_protocol::error::{ApiError, ErrorKind};
use dynamo_protocol::json::Room;
use dynamo_protocol::ops::{Operation, check_json};
use dynamo_protocol::sigv4::{self, Credentials};
use futures::future::BoxFuture;
use http::header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, DATE, HOST, HeaderName, HeaderValue, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use hyper::body::{Body, Incoming};
use parking_lot::Mutex;

use super::admin::{self, Query};
use super::body::{self, BodyError};
use super::budget::{BODY_MEMORY_DEFAULT, BodyBudget};
use super::connection::Caller;
use super::cors::Cors;
use super::hosts::{Hosts, Misdirected};
use super::request_id::RequestIds;
use super::respond::{LARGE_ANSWER_BYTES, Outcome, Reply, api, identified, plain};
use crate::config::AdminFrom;
use crate::env::Env;
use crate::log_limit::LogLimit;
use crate::memory::AnswerRoom;
use crate::metrics::Metrics;
use crate::node::{Capability, Health, INLINE_BYTES_MAX, Node};
use crate::ops::{self, Call};

const TARGET: HeaderName = HeaderName::from_static("x-amz-target");
const AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
/// What the pages of a node's health begin with.
const HEALTH: &str = "/health/";
/// What a body that does not unpack is told. The status is the service's, and the text ours: a client's own mistake.
const GARBLED: &str = "The request's body does not unpack as its Content-Encoding says; gzip and deflate are known";
const UNKNOWN_OPERATION_XML: &str = "<UnknownOperationException/>\n";

/// Answers requests for one node.
pub struct Service<E: Env> {
    /// What carries out the operations.
    node: Arc<Node<E>>,
    /// Makes the ids of requests.
    ids: RequestIds,
    /// Which pages of browsers may call.
    cors: Cors,
    /// What is counted of requests.
    metrics: Arc<Metrics>,
    /// Who may change the cluster.
    admin_from: AdminFrom,
    /// Room for the bodies of requests.
    budget: BodyBudget,
    /// Whom requests may be for.
    hosts: Hosts,
    /// Whether the server takes no more requests.
    is_stopping: AtomicBool,
    /// Lines about requests that got no more than `Internal server error`.
    internal_log: LogLimit,
}

impl<E: Env> Service<E> {
    /// A service in front of `node`; `seed` starts the request ids.
    pub fn new(node: Arc<Node<E>>, metrics: Arc<Metrics>, cors: Option<&str>, seed: u64) -> Service<E> {
        let budget = BodyBudget::new(BODY_MEMORY_DEFAULT, Arc::clone(node.memory()));
        Service {
            node,
            ids: RequestIds::new(seed),
            cors: Cors::new(cors),
            metrics,
            admin_from: AdminFrom::default(),
            budget,
            hosts: Hosts::default(),
            is_stopping: AtomicBool::new(false),
            internal_log: LogLimit::default(),
        }
    }

    /// The same service, which lets these clients change the cluster.
    pub fn with_admin_from(self, admin_from: AdminFrom) -> Service<E> {
        Service { admin_from, ..self }
    }

    /// The same service, whose requests' bodies may take so many bytes together.
    pub fn with_body_memory(self, bytes: usize) -> Service<E> {
        Service { budget: BodyBudget::new(bytes, Arc::clone(self.node.memory())), ..self }
    }

    /// The same service, which answers to these names.
    pub fn with_hosts(self, hosts: Hosts) -> Service<E> {
        Service { hosts, ..self }
    }

    /// From now on only requests are answered that have begun to arrive, and do so soon.
    pub(super) fn stops(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    /// Whether the server stops.
    pub(super) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed)
    }

    /// Where it counts.
    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The answer to a `request` from `caller`. Never fails: every mistake has an answer of its own.
    pub async fn answer(&self, caller: &Caller, request: Request<Incoming>) -> Reply {
        let (head, body) = request.into_parts();
        let reply = match self.misdirected(&head) {
            Some(reply) => {
                caller.progress.cut_off();
                closing(reply)
            }
            None if caller.is_guest() => closing(self.answer_guest(caller, &head, body).await),
            None => self.answer_client(caller, &head, body).await,
        };
        caller.progress.is_answered();
        reply
    }

    /// The refusal of what a browser sends for a page that has no business here.
    fn misdirected(&self, head: &Parts) -> Option<Reply> {
        let refused = |status, reason: &'static str| Some(plain(status, "text/plain", reason));
        match self.hosts.check(head) {
            // Whoever watches this server may know it by any name; there is nothing to be had on these pages.
            _ if head.uri.path().starts_with(HEALTH) => {}
            Err(Misdirected::Unclear) => return refused(StatusCode::BAD_REQUEST, "a request names one Host\n"),
            Err(Misdirected::Stranger) => {
                return refused(
                    StatusCode::FORBIDDEN,
                    "this server does not answer to that Host: see --allowed-hosts\n",
                );
            }
            Ok(()) => {}
        }
        match head.method == Method::OPTIONS || self.cors.admits(&head.headers) {
            true => None,
            false => refused(StatusCode::FORBIDDEN, "pages of that Origin may not call this server: see --cors\n"),
        }
    }

    /// The answer to one that came when there was no place for clients: the API is not for it.
    async fn answer_guest(&self, caller: &Caller, head: &Parts, body: Incoming) -> Reply {
        caller.asks();
        if !is_call(&head.method, head.uri.path()) {
            return self.answer_client(caller, head, body).await;
        }
        self.metrics.connections_refused.inc();
        let _ = body::read::<E>(caller, &head.headers, body, &self.budget).await;
        self.failure(&head.headers, None, self.ids.next(), ApiError::throughput_exceeded()).await
    }

    async fn answer_client(&self, caller: &Caller, head: &Parts, body: Incoming) -> Reply {
        match HeadSize::of(head) {
            HeadSize::Fits => {}
            HeadSize::TooLarge => {
                let _ = body::read::<E>(caller, &head.headers, body, &self.budget).await;
                return plain(StatusCode::BAD_REQUEST, "text/plain", "");
            }
            HeadSize::FarTooLarge => {
                caller.progress.cut_off();
                return closing(plain(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "text/plain", ""));
            }
        }
        let mut reply = match (&head.method, head.uri.path()) {
            (method, path) if is_call(method, path) => self.call(caller, head, body).await,
            (_, path) if path.starts_with(admin::PREFIX) => {
                // Boxed, as the operations are. Without the headers that let other origins read it.
                let answer: BoxFuture<'_, _> =
                    Box::pin(admin::answer(&self.node, self.admin_from, caller.address, head));
                return answer.await;
            }
            #[cfg(feature = "fault-injection")]
            (&Method::POST, "/faults") => {
                let script = body::read::<E>(caller, &head.headers, body, &self.budget).await.ok();
                super::faults::answer(&self.node, script.as_deref()).await
            }
            (&Method::OPTIONS, _) if head.headers.contains_key(ORIGIN) => {
                return self.cors.preflight(&head.headers, self.ids.next());
            }
            (&Method::GET | &Method::HEAD, path) => self.page(path, &head.uri, &head.headers),
            _ => self.not_found(),
        };
        self.cors.decorate(&head.headers, &mut reply);
        reply
    }

    /// What a browser, a load balancer or a monitoring system asks for.
    fn page(&self, path: &str, uri: &Uri, headers: &HeaderMap) -> Reply {
        match path {
            "/" => {
                let host = text(headers, &HOST).unwrap_or("localhost");
                plain(StatusCode::OK, "text/plain", format!("healthy: {host} "))
            }
            "/health/live" => plain(StatusCode::OK, "text/plain", "live\n"),
            "/health/ready" => readiness(&self.node.health(), uri.query().unwrap_or_default()),
            "/metrics" => {
                let gauge = |bytes: usize| i64::try_from(bytes).unwrap_or(i64::MAX);
                self.metrics.body_bytes.set(gauge(self.budget.bytes()));
                self.metrics.memory_bytes.set(gauge(self.node.memory().bytes()));
                self.metrics.answers_refused.inc_by(self.node.memory().take_answers_refused());
                plain(
                    StatusCode::OK,
                    "text/plain; version=0.0.4",
                    self.metrics.render(
                        &self.node.counters(),
                        self.node.guard().counters(),
                        self.node.transactions(),
                        &self.node.health(),
                    ),
                )
            }
            _ => self.not_found(),
        }
    }

    /// What the service answers to whatever is no call of its API.
    fn not_found(&self) -> Reply {
        identified(StatusCode::NOT_FOUND, "text/xml", UNKNOWN_OPERATION_XML, self.ids.next())
    }

    async fn call(&self, caller: &Caller, head: &Parts, body: Incoming) -> Reply {
        let headers = &head.headers;
        let content_type = match json_kind(headers) {
            Ok(kind) => kind,
            // Neither a type nor anything that it would be the type of.
            Err(()) if body.is_end_stream() && !headers.contains_key(CONTENT_TYPE) => {
                Some(HeaderValue::from_static("application/json"))
            }
            Err(()) => {
                // The rest of the body is read, so that the connection stays in step.
                let _ = body::read::<E>(caller, headers, body, &self.budget).await;
                return self.not_found();
            }
        };
        let id = self.ids.next();
        let body = match body::read::<E>(caller, headers, body, &self.budget).await {
            Ok(body) => body,
            Err(error) => return self.refused_body(error, headers, content_type, id).await,
        };
        let operation = Operation::from_target(text(headers, &TARGET).unwrap_or(""));
        let (result, room) = match operation {
            None => (self.check_json(body.bytes()).await.and_then(|()| Err(ApiError::unknown_operation())), None),
            Some(operation) => self.operation(caller, operation, head, body.bytes()).await,
        };
        let (outcome, room) = match result {
            Err(error) if error.bytes() > INLINE_BYTES_MAX => {
                match room.or_else(|| self.room_for(error.bytes())) {
                    // As text it is up to six times as long, and counts by its own length.
                    Some(_waiting) => self.hold(operation, E::background(move || Err(error).into()).await, None),
                    None => self.throttled(),
                }
            }
            result => self.hold(operation, result.into(), room),
        };
        api::<E>(headers, content_type, id, outcome, room).await
    }

    fn room_for(&self, bytes: usize) -> Option<Arc<dyn Room>> {
        self.node.memory().take(bytes).map(|taken| AnswerRoom::of(taken) as Arc<dyn Room>)
    }

    /// Makes a large answer count until its client has it. Where there is no room for it, what has changed nothing is
    /// throttled: a read, or an error with the items that it names. What was done is told all the same.
    /// One that has `room` counts already.
    fn hold(
        &self,
        operation: Option<Operation>,
        outcome: Outcome,
        room: Option<Arc<dyn Room>>,
    ) -> (Outcome, Option<Arc<dyn Room>>) {
        if outcome.bytes() < LARGE_ANSWER_BYTES {
            return (outcome, None);
        }
        if room.is_some() {
            return (outcome, room);
        }
        match self.room_for(outcome.capacity()) {
            Some(room) => (outcome, Some(room)),
            None if outcome.is_error() || operation.is_some_and(is_read) => self.throttled(),
            None => {
                let taken = self.node.memory().take_anyway(outcome.capacity());
                (outcome, Some(AnswerRoom::of(taken)))
            }
        }
    }

    /// The answer in place of one that has no room.
    fn throttled(&self) -> (Outcome, Option<Arc<dyn Room>>) {
        self.node.memory().note_refused_answer();
        (Err(ApiError::throughput_exceeded()).into(), None)
    }

    async fn failure(
        &self,
        headers: &HeaderMap,
        content_type: Option<HeaderValue>,
        id: [u8; super::request_id::REQUEST_ID_LEN],
        error: ApiError,
    ) -> Reply {
        api::<E>(headers, content_type, id, Err(error).into(), None).await
    }

    async fn operation(
        &self,
        caller: &Caller,
        operation: Operation,
        head: &Parts,
        body: &Bytes,
    ) -> (Result<Vec<u8>, ApiError>, Option<Arc<dyn Room>>) {
        let headers = &head.headers;
        let credentials = Credentials {
            authorization: text(headers, &AUTHORIZATION),
            date: text(headers, &AMZ_DATE).or_else(|| text(headers, &DATE)),
            query: head.uri.query(),
        };
        let region = match sigv4::authorize(&credentials) {
            Ok(region) => region,
            Err(refused) => return (self.check_json(body).await.and(Err(refused)), None),
        };
        caller.has_access_key(|| sigv4::access_key(&credentials));
        if self.node.cluster.admissions().is_refused() {
            let reason = self.node.cluster.admissions().newest().reason().unwrap_or_default().to_owned();
            return (Err(ApiError::new(ErrorKind::ServiceUnavailable, reason)), None);
        }
        let timer = self.metrics.start(operation, E::monotonic_ns());
        let context = RequestContext::for_region(&region);
        let call = Call {
            node: &self.node,
            operation,
            context: &context,
            host: text(headers, &HOST).unwrap_or("localhost"),
            body,
            deadline: self.node.deadline(),
            room: Mutex::default(),
        };
        let result = ops::dispatch(&call).await;
        timer.done(&result, E::monotonic_ns());
        if result.as_ref().is_err_and(|error| error.kind() == ErrorKind::InternalServerError) {
            self.tell_of_internal(operation);
        }
        (result, call.room.into_inner())
    }

    /// Clients are told no more than at the service: `Internal server error`. Why is said here, now and then.
    #[cold]
    fn tell_of_internal(&self, operation: Operation) {
        let Some(left_out) = self.internal_log.permits::<E>() else { return };
        let reason = self.node.health().first_hindrance().unwrap_or_else(|| {
            "its time was over, or a shard changed its leader under way; nothing keeps this node from serving now"
                .to_owned()
        });
        tracing::warn!(operation = operation.name(), left_out, "a request is answered with 500: {reason}");
    }

    /// Refuses a body that is not JSON.
    async fn check_json(&self, body: &Bytes) -> Result<(), ApiError> {
        if body.len() <= INLINE_BYTES_MAX {
            return malformed(body);
        }
        let (body, deadline) = (body.clone(), self.node.deadline());
        let checked = self.node.off_loop.run::<E, _>(deadline, move || malformed(&body)).await;
        checked.unwrap_or_else(|error| Err(error.into_api_error()))
    }

    async fn refused_body(
        &self,
        error: BodyError,
        headers: &HeaderMap,
        content_type: Option<HeaderValue>,
        id: [u8; super::request_id::REQUEST_ID_LEN],
    ) -> Reply {
        match error {
            BodyError::TooLarge { drained } => {
                let mut reply = self.failure(headers, content_type, id, ApiError::request_too_large()).await;
                *reply.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
                if drained { reply } else { closing(reply) }
            }
            // Of what says "later", this is the one that every generation of SDKs takes for throttling, whatever the
            // operation, and answers with a growing delay; it is what a full queue says, too.
            BodyError::NoRoom => {
                self.metrics.bodies_refused.inc();
                self.failure(headers, content_type, id, ApiError::throughput_exceeded()).await
            }
            BodyError::Late => {
                self.metrics.bodies_late.inc();
                closing(plain(StatusCode::REQUEST_TIMEOUT, "text/plain", ""))
            }
            BodyError::Broken => closing(plain(StatusCode::BAD_REQUEST, "text/plain", "")),
            BodyError::Garbled => {
                let error = ApiError::new(ErrorKind::InternalServerError, GARBLED);
                self.failure(headers, content_type, id, error).await
            }
        }
    }
}

/// Whether it is a request to the API.
fn is_call(method: &Method, path: &str) -> bool {
    method == Method::POST && matches!(path, "/" | "")
}

/// Whether an operation changes nothing, so that it may be refused after it was carried out.
fn is_read(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::GetItem
            | Operation::BatchGetItem
            | Operation::TransactGetItems
            | Operation::Query
            | Operation::Scan
            | Operation::GetRecords
    )
}

/// The same reply, after which the connection is closed.
fn closing(mut reply: Reply) -> Reply {
    reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    reply
}

/// Largest request line, and largest sum of all header names and values, that the service accepts; above, it answers
/// 400 whatever the request is.
const HEAD_PART_BYTES_MAX: usize = 16 * 1024;

/// Largest request head: request line and headers together. Where more than that has come and the head has no end yet, it is not
/// even read; where it has one by then, it is answered in the same way.
pub(in crate::http) const HEAD_BYTES_MAX: usize = 64 * 1024;

/// How large a request's head is.
enum HeadSize {
    /// As the service takes it.
    Fits,
    /// A part of it is larger than [`HEAD_PART_BYTES_MAX`].
    TooLarge,
    /// Larger than [`HEAD_BYTES_MAX`].
    FarTooLarge,
}

impl HeadSize {
    fn of(head: &Parts) -> HeadSize {
        let line = head.uri.path_and_query().map_or(0, |uri| uri.as_str().len());
        let headers: usize = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        if line + headers > HEAD_BYTES_MAX {
            HeadSize::FarTooLarge
        } else if line.max(headers) > HEAD_PART_BYTES_MAX {
            HeadSize::TooLarge
        } else {
            HeadSize::Fits
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The page for load balancers: 200 while the node is ready for what the query names (`need=reads`, `writes` or
/// `catalog`), for everything where it names nothing; else 503. `format=json` gives the same as JSON.
fn readiness(health: &Health, query: &str) -> Reply {
    let query = Query(query);
    let is_ready = match query.get("need").map(|name| (name, Capability::of(name))) {
        None => health.is_ready(),
        Some((_, Some(capability))) => health.is_ready_for(capability),
        Some((name, None)) => {
            let known = Capability::ALL.map(Capability::name).join(", ");
            return plain(StatusCode::BAD_REQUEST, "text/plain", format!("need={name} is none of {known}\n"));
        }
    };
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    match query.get("format") {
        Some("json") => plain(status, "application/json", health.to_json()),
        _ => plain(status, "text/plain", format!("{health}\n")),
    }
}

/// A body that is not JSON is reported before a missing operation or credentials are; an empty one is not.
fn malformed(body: &[u8]) -> Result<(), ApiError> {
    if body.is_empty() { Ok(()) } else { check_json(body) }
}

/// The content type to answer with: `None` for the usual one. `Err` when the request's is not a JSON type of the API.
fn json_kind(headers: &HeaderMap) -> Result<Option<HeaderValue>, ()> {
    let Some(value) = headers.get(CONTENT_TYPE) else { return Err(()) };
    let bytes = value.as_bytes();
    if bytes == b"application/x-amz-json-1.0" {
        return Ok(None);
    }
    let kind = bytes.split(|&byte| byte == b';').next().unwrap_or(b"").trim_ascii();
    match kind.to_ascii_lowercase().as_slice() {
        b"application/x-amz-json-1.0" => Ok(None),
        b"application/json" => Ok(Some(HeaderValue::from_static("application/json"))),
        _ => Err(()),
    }
}
