//! The database as this program uses it: any of its nodes, patiently.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region};
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

use crate::{Error, told};

/// How long to wait after the first failure, and at most; doubled in between.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(10);

/// Attempts in vain after which it is said that nobody answers: some more than a cluster takes for an election.
const SILENT_ATTEMPTS: u32 = 8;

/// One node.
struct Node {
    endpoint: String,
    items: aws_sdk_dynamodb::Client,
    streams: aws_sdk_dynamodbstreams::Client,
}

/// All of them. Cloning it is cheap.
#[derive(Clone)]
pub struct Database {
    nodes: Arc<Vec<Node>>,
    /// Who is asked; the next one after a failure.
    turn: Arc<AtomicUsize>,
    /// Whether it was said that nobody answers.
    is_away: Arc<AtomicBool>,
}

impl Database {
    /// The database behind these addresses.
    pub fn new(endpoints: &[String]) -> Database {
        let nodes = endpoints.iter().map(|endpoint| node(endpoint)).collect();
        Database { nodes: Arc::new(nodes), turn: Arc::default(), is_away: Arc::default() }
    }

    /// Whether any of the nodes answers anything at all.
    ///
    /// # Errors
    /// Why none does, and what to do.
    pub async fn reach(&self) -> Result<(), Error> {
        let mut silent = Vec::new();
        for node in self.nodes.iter() {
            match node.items.list_tables().limit(1).send().await {
                Err(SdkError::DispatchFailure(_) | SdkError::TimeoutError(_)) => silent.push(&*node.endpoint),
                Err(error @ SdkError::ConstructionFailure(_)) => {
                    return Err(format!("{}: {}", node.endpoint, told(&error)).into());
                }
                _ => return Ok(()),
            }
        }
        Err(format!(
            "nobody answers at {}. Start a server there (./run in its clone), or say with --endpoint where one is",
            silent.join(", ")
        )
        .into())
    }

    /// Asks for items, again and again while the answer is a failure that passes.
    ///
    /// # Errors
    /// The answers that do not pass.
    pub async fn items<T, E: ProvideErrorMetadata + std::error::Error + 'static, F: Future<Output = Answer<T, E>>>(
        &self,
        ask: impl Fn(aws_sdk_dynamodb::Client) -> F,
    ) -> Answer<T, E> {
        self.ask(|node| ask(node.items.clone())).await
    }

    /// As [`Database::items`], for streams.
    ///
    /// # Errors
    /// The answers that do not pass.
    pub async fn streams<T, E: ProvideErrorMetadata + std::error::Error + 'static, F: Future<Output = Answer<T, E>>>(
        &self,
        ask: impl Fn(aws_sdk_dynamodbstreams::Client) -> F,
    ) -> Answer<T, E> {
        self.ask(|node| ask(node.streams.clone())).await
    }

    async fn ask<T, E: ProvideErrorMetadata + std::error::Error + 'static, F: Future<Output = Answer<T, E>>>(
        &self,
        ask: impl Fn(&Node) -> F,
    ) -> Answer<T, E> {
        let mut pause = PAUSE.0;
        let mut attempts = 0;
        loop {
            attempts += 1;
            let turn = self.turn.load(Ordering::Relaxed);
            match ask(&self.nodes[turn % self.nodes.len()]).await {
                Err(error) if passes(&error) => {
                    // Of several tasks that meet the same failure one turns to the next node.
                    let next = turn.wrapping_add(1);
                    let _ = self.turn.compare_exchange(turn, next, Ordering::Relaxed, Ordering::Relaxed);
                    if attempts == SILENT_ATTEMPTS && !self.is_away.swap(true, Ordering::Relaxed) {
                        eprintln!("stream-consumer: {}; it is tried on", told(&error));
                    }
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSE.1);
                }
                answer => {
                    if self.is_away.load(Ordering::Relaxed) && self.is_away.swap(false, Ordering::Relaxed) {
                        eprintln!("stream-consumer: the database answers again");
                    }
                    return answer;
                }
            }
        }
    }
}

/// What a call gives.
pub type Answer<T, E> = Result<T, SdkError<E, HttpResponse>>;

/// The code of an answer of the service that is an error.
pub fn code<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> &str {
    match error {
        SdkError::ServiceError(context) => context.err().code().unwrap_or_default(),
        _ => "",
    }
}

/// Whether the same request may succeed later.
fn passes<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    const LATER: [&str; 6] = [
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "RequestLimitExceeded",
        "LimitExceededException",
        "TransactionInProgressException",
        // A checkpoint of somebody else's, who has been killed perhaps, is under way.
        "TransactionConflictException",
    ];
    match error {
        SdkError::ServiceError(context) => context.raw().status().as_u16() >= 500 || LATER.contains(&code(error)),
        SdkError::ConstructionFailure(_) => false,
        _ => true,
    }
}

/// The clients of one node, which try once: whether and where to try again is decided above.
fn node(endpoint: &str) -> Node {
    let variable = |name: &str| std::env::var(name).unwrap_or_else(|_| "anything".to_owned());
    let credentials =
        Credentials::new(variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"), None, None, "environment");
    let region = Region::new(std::env::var("AWS_REGION").unwrap_or_else(|_| "us-east-1".to_owned()));
    let http = aws_smithy_http_client::Builder::new().build_http();
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT).build();
    // The two builders have the same methods, and nothing in common otherwise.
    macro_rules! client {
        ($sdk:ident) => {
            $sdk::Client::from_conf(
                $sdk::Config::builder()
                    .behavior_version(BehaviorVersion::latest())
                    .endpoint_url(endpoint)
                    .region(region.clone())
                    .credentials_provider(credentials.clone())
                    .retry_config(RetryConfig::disabled())
                    .timeout_config(timeouts.clone())
                    .http_client(http.clone())
                    .build(),
            )
        };
    }
    Node { endpoint: endpoint.to_owned(), items: client!(aws_sdk_dynamodb), streams: client!(aws_sdk_dynamodbstreams) }
}
