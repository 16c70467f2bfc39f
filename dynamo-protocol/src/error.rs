//! What a client is told when its request cannot be served.
//!
//! One kind for each exception of the service model and of the protocol in front of it. The kind decides the
//! `__type`, the HTTP status and the spelling of the message's key; nothing decides by reading the message. Texts that
//! belong to an exception rather than to a request stand here as constructors.
//!
//! Source: AWS, *Developer guide: Error handling with DynamoDB*; the public service model's error shapes.

use std::fmt;

use crate::json::JsonWriter;
use crate::shapes::echo::boundary;

/// Bytes of an error's text. Most texts that repeat what the request holds are a few hundred bytes long, and those of
/// requests that could have been right stay far below: the largest part of one that is repeated is a name of 64 KB.
pub const MESSAGE_BYTES_MAX: usize = 256 * 1024;

/// An error as a client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    kind: ErrorKind,
    message: String,
    detail: Detail,
}

/// What some exceptions carry beside their message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Detail {
    #[default]
    None,
    /// The item that a failed condition met, when asked for.
    Item(ItemJson),
    /// One reason for each action of a transaction, in the request's order.
    Reasons(Vec<CancellationReason>),
}

/// An item that an error shows: its JSON, made once, straight from where the item is stored.
pub type ItemJson = Vec<u8>;

/// Why one action of a transaction did not go through; `code` is `None` for those that would have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CancellationReason {
    /// `None`, `ConditionalCheckFailed`, `ItemCollectionSizeLimitExceeded`, `TransactionConflict`,
    /// `ProvisionedThroughputExceeded`, `ThrottlingError`, `ValidationError`, `DuplicateItem`.
    pub code: &'static str,
    /// Text for this action; absent for `None`.
    pub message: Option<String>,
    /// The item that the condition met, when asked for.
    pub item: Option<ItemJson>,
}

impl CancellationReason {
    /// The action had no part in the cancellation.
    pub fn none() -> Self {
        CancellationReason { code: "None", message: None, item: None }
    }

    /// A statement's table is not there.
    pub fn resource_not_found() -> Self {
        let message = Some(REQUESTED_RESOURCE_NOT_FOUND.to_owned());
        CancellationReason { code: "ResourceNotFound", message, item: None }
    }

    /// The action's condition was false.
    pub fn conditional_check_failed(item: Option<ItemJson>) -> Self {
        CancellationReason {
            code: "ConditionalCheckFailed",
            message: Some("The conditional request failed".to_owned()),
            item,
        }
    }

    /// Another transaction holds the item.
    pub fn transaction_conflict() -> Self {
        let message = "Transaction is ongoing for the item".to_owned();
        CancellationReason { code: "TransactionConflict", message: Some(message), item: None }
    }

    /// PartiQL's INSERT met an item with its key.
    pub fn duplicate_item() -> Self {
        CancellationReason { code: "DuplicateItem", message: Some(DUPLICATE_ITEM.to_owned()), item: None }
    }

    /// The action is wrong in a way only seen with the item at hand.
    pub fn validation(message: impl Into<String>) -> Self {
        CancellationReason { code: "ValidationError", message: Some(message.into()), item: None }
    }
}

/// What data operations say of a table that is not there.
const REQUESTED_RESOURCE_NOT_FOUND: &str = "Requested resource not found";

/// What PartiQL's INSERT says of a key that is taken.
const DUPLICATE_ITEM: &str = "Duplicate primary key exists in table";

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident $name:literal $status:literal;)*) => {
        /// Every exception that is answered.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ErrorKind { $($(#[$doc])* $kind,)* }

        impl ErrorKind {
            /// All kinds.
            pub const ALL: &'static [ErrorKind] = &[$(ErrorKind::$kind,)*];

            /// `__type` on the wire, with its namespace.
            pub fn type_name(self) -> &'static str {
                match self { $(ErrorKind::$kind => $name,)* }
            }

            /// HTTP status.
            pub fn http_status(self) -> u16 {
                match self { $(ErrorKind::$kind => $status,)* }
            }
        }
    };
}

kinds! {
    /// The request is wrong in itself.
    Validation "com.amazon.coral.validate#ValidationException" 400;
    /// The body is not the JSON of this operation.
    Serialization "com.amazon.coral.service#SerializationException" 400;
    /// No such operation.
    UnknownOperation "com.amazon.coral.service#UnknownOperationException" 400;
    /// The body is over 16 MB.
    RequestTooLarge "com.amazon.coral.service#RequestEntityTooLargeException" 413;
    /// No credentials in the request.
    MissingAuthenticationToken "com.amazon.coral.service#MissingAuthenticationTokenException" 400;
    /// The Authorization header lacks a part.
    IncompleteSignature "com.amazon.coral.service#IncompleteSignatureException" 400;
    /// The signature does not match.
    InvalidSignature "com.amazon.coral.service#InvalidSignatureException" 400;
    /// The access key is not known.
    UnrecognizedClient "com.amazon.coral.service#UnrecognizedClientException" 400;
    /// Not permitted.
    AccessDenied "com.amazon.coral.service#AccessDeniedException" 400;
    /// Too many requests.
    Throttling "com.amazon.coral.availability#ThrottlingException" 400;
    /// A failure on our side; may be retried.
    InternalServerError "com.amazonaws.dynamodb.v20120810#InternalServerError" 500;
    /// Not able to serve now; may be retried.
    ServiceUnavailable "com.amazon.coral.availability#ServiceUnavailableException" 503;
    /// A condition was false.
    ConditionalCheckFailed "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException" 400;
    /// No such table, index or resource.
    ResourceNotFound "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException" 400;
    /// The resource exists or is changing.
    ResourceInUse "com.amazonaws.dynamodb.v20120810#ResourceInUseException" 400;
    /// Over a quota.
    LimitExceeded "com.amazonaws.dynamodb.v20120810#LimitExceededException" 400;
    /// A transaction was cancelled; reasons attached.
    TransactionCanceled "com.amazonaws.dynamodb.v20120810#TransactionCanceledException" 400;
    /// A transaction holds the item.
    TransactionConflict "com.amazonaws.dynamodb.v20120810#TransactionConflictException" 400;
    /// The transaction with this token is still running.
    TransactionInProgress "com.amazonaws.dynamodb.v20120810#TransactionInProgressException" 400;
    /// A token used again with another request.
    IdempotentParameterMismatch "com.amazonaws.dynamodb.v20120810#IdempotentParameterMismatchException" 400;
    /// An item collection over 10 GB.
    ItemCollectionSizeLimitExceeded "com.amazonaws.dynamodb.v20120810#ItemCollectionSizeLimitExceededException" 400;
    /// Over the provisioned throughput.
    ProvisionedThroughputExceeded "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException" 400;
    /// Over the account's request limit.
    RequestLimitExceeded "com.amazonaws.dynamodb.v20120810#RequestLimitExceeded" 400;
    /// A replicated write met a conflict.
    ReplicatedWriteConflict "com.amazonaws.dynamodb.v20120810#ReplicatedWriteConflictException" 400;
    /// PartiQL INSERT of an item that exists.
    DuplicateItem "com.amazonaws.dynamodb.v20120810#DuplicateItemException" 400;
    /// No such index.
    IndexNotFound "com.amazonaws.dynamodb.v20120810#IndexNotFoundException" 400;
    /// No such table (backups, exports).
    TableNotFound "com.amazonaws.dynamodb.v20120810#TableNotFoundException" 400;
    /// The target table of a restore exists.
    TableAlreadyExists "com.amazonaws.dynamodb.v20120810#TableAlreadyExistsException" 400;
    /// The table is being changed.
    TableInUse "com.amazonaws.dynamodb.v20120810#TableInUseException" 400;
    /// The backup is being made or deleted.
    BackupInUse "com.amazonaws.dynamodb.v20120810#BackupInUseException" 400;
    /// No such backup.
    BackupNotFound "com.amazonaws.dynamodb.v20120810#BackupNotFoundException" 400;
    /// Continuous backups are off.
    ContinuousBackupsUnavailable "com.amazonaws.dynamodb.v20120810#ContinuousBackupsUnavailableException" 400;
    /// Point-in-time recovery is off.
    PointInTimeRecoveryUnavailable "com.amazonaws.dynamodb.v20120810#PointInTimeRecoveryUnavailableException" 400;
    /// A restore time outside the window.
    InvalidRestoreTime "com.amazonaws.dynamodb.v20120810#InvalidRestoreTimeException" 400;
    /// An export time outside the window.
    InvalidExportTime "com.amazonaws.dynamodb.v20120810#InvalidExportTimeException" 400;
    /// An export with this token and other parameters exists.
    ExportConflict "com.amazonaws.dynamodb.v20120810#ExportConflictException" 400;
    /// No such export.
    ExportNotFound "com.amazonaws.dynamodb.v20120810#ExportNotFoundException" 400;
    /// An import with this token and other parameters exists.
    ImportConflict "com.amazonaws.dynamodb.v20120810#ImportConflictException" 400;
    /// No such import.
    ImportNotFound "com.amazonaws.dynamodb.v20120810#ImportNotFoundException" 400;
    /// No resource policy.
    PolicyNotFound "com.amazonaws.dynamodb.v20120810#PolicyNotFoundException" 400;
    /// The global table exists.
    GlobalTableAlreadyExists "com.amazonaws.dynamodb.v20120810#GlobalTableAlreadyExistsException" 400;
    /// No such global table.
    GlobalTableNotFound "com.amazonaws.dynamodb.v20120810#GlobalTableNotFoundException" 400;
    /// The replica exists.
    ReplicaAlreadyExists "com.amazonaws.dynamodb.v20120810#ReplicaAlreadyExistsException" 400;
    /// No such replica.
    ReplicaNotFound "com.amazonaws.dynamodb.v20120810#ReplicaNotFoundException" 400;
    /// A stream iterator is too old.
    ExpiredIterator "com.amazonaws.dynamodb.v20120810#ExpiredIteratorException" 400;
    /// A stream position is older than what is kept.
    TrimmedDataAccess "com.amazonaws.dynamodb.v20120810#TrimmedDataAccessException" 400;
}

fn bounded(mut message: String) -> String {
    if message.len() > MESSAGE_BYTES_MAX {
        message.truncate(boundary(&message, MESSAGE_BYTES_MAX));
        message.push_str("...");
        message.shrink_to_fit();
    }
    message
}

impl ErrorKind {
    /// How this exception spells the key of its message.
    ///
    /// Source: the service model's error shapes; coral's own exceptions use `Message` where the service is not yet
    /// involved.
    fn message_key(self) -> &'static str {
        match self {
            ErrorKind::TransactionCanceled
            | ErrorKind::TransactionInProgress
            | ErrorKind::IdempotentParameterMismatch
            | ErrorKind::AccessDenied
            | ErrorKind::Serialization => "Message",
            _ => "message",
        }
    }

    /// How BatchExecuteStatement calls this exception in the answer to one statement: by its name without `Exception`,
    /// but for three that have names of their own.
    ///
    /// Source: the service model, `BatchStatementErrorCodeEnum`.
    pub fn statement_code(self) -> &'static str {
        match self {
            ErrorKind::Validation | ErrorKind::Serialization => "ValidationError",
            ErrorKind::Throttling => "ThrottlingError",
            ErrorKind::ServiceUnavailable => "InternalServerError",
            other => {
                let name = other.type_name();
                let name = name.split_once('#').map_or(name, |(_, name)| name);
                name.strip_suffix("Exception").unwrap_or(name)
            }
        }
    }
}

impl ApiError {
    /// An error of any kind with its text, which is cut past [`MESSAGE_BYTES_MAX`].
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        ApiError { kind, message: bounded(message.into()), detail: Detail::None }
    }

    /// ValidationException.
    pub fn validation(message: impl Into<String>) -> Self {
        ApiError::new(ErrorKind::Validation, message)
    }

    /// SerializationException; without a text where the JSON itself is broken.
    pub fn serialization(message: impl Into<String>) -> Self {
        ApiError::new(ErrorKind::Serialization, message)
    }

    /// ResourceNotFoundException.
    pub fn resource_not_found(message: impl Into<String>) -> Self {
        ApiError::new(ErrorKind::ResourceNotFound, message)
    }

    /// ResourceNotFoundException as data operations word it.
    pub fn requested_resource_not_found() -> Self {
        ApiError::resource_not_found(REQUESTED_RESOURCE_NOT_FOUND)
    }

    /// ResourceNotFoundException as table operations word it.
    pub fn table_not_found(table: &str) -> Self {
        ApiError::resource_not_found(format!("Requested resource not found: Table: {table} not found"))
    }

    /// ResourceNotFoundException for a stream, named by its ARN.
    pub fn stream_not_found(arn: &str) -> Self {
        ApiError::resource_not_found(format!("Requested resource not found: Stream: {arn} not found"))
    }

    /// ResourceNotFoundException for a shard of a stream.
    pub fn stream_shard_not_found() -> Self {
        ApiError::resource_not_found("Requested resource not found: Shard does not exist")
    }

    /// ExpiredIteratorException.
    pub fn expired_iterator() -> Self {
        ApiError::new(ErrorKind::ExpiredIterator, "The provided iterator exceeds the maximum age allowed.")
    }

    /// TrimmedDataAccessException.
    pub fn trimmed_data_access() -> Self {
        ApiError::new(ErrorKind::TrimmedDataAccess, "The data you are trying to access has been trimmed")
    }

    /// ResourceInUseException.
    pub fn resource_in_use(message: impl Into<String>) -> Self {
        ApiError::new(ErrorKind::ResourceInUse, message)
    }

    /// LimitExceededException.
    pub fn limit_exceeded(message: impl Into<String>) -> Self {
        ApiError::new(ErrorKind::LimitExceeded, message)
    }

    /// DuplicateItemException.
    pub fn duplicate_item() -> Self {
        ApiError::new(ErrorKind::DuplicateItem, DUPLICATE_ITEM)
    }

    /// ConditionalCheckFailedException, with the item if it was asked for and there is one.
    pub fn conditional_check_failed(item: Option<ItemJson>) -> Self {
        let detail = item.map_or(Detail::None, Detail::Item);
        ApiError { detail, ..ApiError::new(ErrorKind::ConditionalCheckFailed, "The conditional request failed") }
    }

    /// TransactionCanceledException with one reason for each action.
    pub fn transaction_canceled(reasons: Vec<CancellationReason>) -> Self {
        let codes = reasons.iter().map(|reason| reason.code).collect::<Vec<_>>().join(", ");
        let message =
            format!("Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]");
        ApiError { detail: Detail::Reasons(reasons), ..ApiError::new(ErrorKind::TransactionCanceled, message) }
    }

    /// TransactionConflictException.
    pub fn transaction_conflict() -> Self {
        ApiError::new(ErrorKind::TransactionConflict, "Transaction is ongoing for the item")
    }

    /// TransactionInProgressException.
    pub fn transaction_in_progress() -> Self {
        ApiError::new(
            ErrorKind::TransactionInProgress,
            "The transaction with the given request token is already in progress.",
        )
    }

    /// IdempotentParameterMismatchException.
    pub fn idempotent_parameter_mismatch() -> Self {
        ApiError::new(
            ErrorKind::IdempotentParameterMismatch,
            "The request uses the same client token as a previous, but non-identical request. \
             Do not reuse a client token with different requests, unless the requests are identical",
        )
    }

    /// ItemCollectionSizeLimitExceededException.
    pub fn item_collection_size_limit_exceeded() -> Self {
        ApiError::new(
            ErrorKind::ItemCollectionSizeLimitExceeded,
            "Item collection size limit of 10 GB exceeded for the given key",
        )
    }

    /// ProvisionedThroughputExceededException: DynamoDB's own answer to too much load, which clients retry with a growing
    /// delay.
    pub fn throughput_exceeded() -> Self {
        ApiError::new(
            ErrorKind::ProvisionedThroughputExceeded,
            "The level of configured provisioned throughput for the table was exceeded. Consider increasing your \
             provisioning level with the UpdateTable API.",
        )
    }

    /// UnknownOperationException, which has no text.
    pub fn unknown_operation() -> Self {
        ApiError::new(ErrorKind::UnknownOperation, "")
    }

    /// The body is over 16 MB.
    pub fn request_too_large() -> Self {
        ApiError::new(ErrorKind::RequestTooLarge, "Request size exceeds the maximum allowed size of 16 MB")
    }

    /// InternalServerError; says nothing about the cause, which belongs in the log.
    pub fn internal() -> Self {
        ApiError::new(ErrorKind::InternalServerError, "Internal server error")
    }

    /// ServiceUnavailableException.
    pub fn service_unavailable() -> Self {
        ApiError::new(ErrorKind::ServiceUnavailable, "The service is currently unavailable or busy.")
    }

    /// Which exception this is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// HTTP status.
    pub fn http_status(&self) -> u16 {
        self.kind.http_status()
    }

    /// `__type` with its namespace.
    pub fn type_name(&self) -> &'static str {
        self.kind.type_name()
    }

    /// The text.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The reasons of a cancelled transaction; empty for other kinds.
    pub fn cancellation_reasons(&self) -> &[CancellationReason] {
        match &self.detail {
            Detail::Reasons(reasons) => reasons,
            _ => &[],
        }
    }

    /// The item of a failed condition, as JSON.
    pub fn item(&self) -> Option<&[u8]> {
        match &self.detail {
            Detail::Item(item) => Some(item),
            _ => None,
        }
    }

    /// Bytes of text and items, which the reply's body is about as long as.
    pub fn bytes(&self) -> usize {
        let of = |item: &Option<ItemJson>| item.as_ref().map_or(0, Vec::len);
        self.message.len()
            + match &self.detail {
                Detail::None => 0,
                Detail::Item(item) => item.len(),
                Detail::Reasons(reasons) => reasons.iter().map(|reason| of(&reason.item)).sum(),
            }
    }

    /// The reply's body.
    pub fn to_json(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + self.bytes());
        let mut json = JsonWriter::new(&mut out);
        json.begin_object().key("__type").str(self.type_name());
        match &self.detail {
            Detail::None => {}
            Detail::Item(item) => {
                json.key("Item").raw(|out| out.extend_from_slice(item));
            }
            Detail::Reasons(reasons) => {
                json.key("CancellationReasons").begin_array();
                reasons.iter().for_each(|reason| write_reason(&mut json, reason));
                json.end_array();
            }
        }
        if !self.message.is_empty() {
            json.key(self.kind.message_key()).str(&self.message);
        }
        json.end_object();
        out
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.type_name().rsplit('#').next().unwrap_or_default(), self.message)
    }
}

impl std::error::Error for ApiError {}

fn write_reason(json: &mut JsonWriter<'_>, reason: &CancellationReason) {
    json.begin_object().key("Code").str(reason.code);
    if let Some(item) = &reason.item {
        json.key("Item").raw(|out| out.extend_from_slice(item));
    }
    if let Some(message) = &reason.message {
        json.key("Message").str(message);
    }
    json.end_object();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies() {
        let body = |error: ApiError| String::from_utf8(error.to_json()).unwrap();
        assert_eq!(
            body(ApiError::requested_resource_not_found()),
            r#"{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"Requested resource not found"}"#
        );
        let canceled = ApiError::transaction_canceled(vec![
            CancellationReason::none(),
            CancellationReason::conditional_check_failed(None),
        ]);
        assert_eq!(
            canceled.message(),
            "Transaction cancelled, please refer cancellation reasons for specific reasons [None, ConditionalCheckFailed]"
        );
        assert_eq!(
            body(canceled),
            r#"{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException","CancellationReasons":[{"Code":"None"},{"Code":"ConditionalCheckFailed","Message":"The conditional request failed"}],"Message":"Transaction cancelled, please refer cancellation reasons for specific reasons [None, ConditionalCheckFailed]"}"#
        );
        assert_eq!(
            body(ApiError::unknown_operation()),
            r#"{"__type":"com.amazon.coral.service#UnknownOperationException"}"#
        );
    }
}
