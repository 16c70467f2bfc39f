//! The AWS SDK for Rust, pointed at a server of ours.

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region};
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};

/// The configuration of a client of the server at an endpoint: the two builders have the same methods, and nothing else in
/// common.
macro_rules! config {
    ($sdk:ident, $endpoint:expr) => {
        $sdk::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url($endpoint)
            .region(Region::new("eu-west-1"))
            .credentials_provider(Credentials::new("anyone", "anything", None, None, "tests"))
            .retry_config(RetryConfig::disabled())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build()
    };
}

/// A client of the server at `endpoint`, with any credentials and no retries, so that each answer is seen.
pub fn client(endpoint: &str) -> Client {
    Client::from_conf(config!(aws_sdk_dynamodb, endpoint))
}

/// As [`client`], for streams.
pub fn streams(endpoint: &str) -> aws_sdk_dynamodbstreams::Client {
    aws_sdk_dynamodbstreams::Client::from_conf(config!(aws_sdk_dynamodbstreams, endpoint))
}

/// Code and message of a failed call.
pub fn failure<T, E, R>(result: Result<T, SdkError<E, R>>) -> (String, String)
where
    T: std::fmt::Debug,
    E: ProvideErrorMetadata + std::fmt::Debug,
    R: std::fmt::Debug,
{
    match result {
        Ok(output) => panic!("expected an error, got {output:?}"),
        Err(SdkError::ServiceError(context)) => {
            let error = context.err();
            (error.code().unwrap_or_default().to_owned(), error.message().unwrap_or_default().to_owned())
        }
        Err(other) => panic!("expected an error of the service, got {other:?}"),
    }
}

/// A string value.
pub fn s(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

/// A number value.
pub fn n(number: impl ToString) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// One element of a key schema.
pub fn key(name: &str, kind: KeyType) -> KeySchemaElement {
    KeySchemaElement::builder().attribute_name(name).key_type(kind).build().expect("complete")
}

/// The definition of a key attribute.
pub fn attribute(name: &str, kind: ScalarAttributeType) -> AttributeDefinition {
    AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build().expect("complete")
}

/// Creates a table with a partition key `pk` and, when asked, a sort key `sk`, both strings.
pub async fn create_table(client: &Client, name: &str, sorted: bool) {
    let mut request = client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(attribute("pk", ScalarAttributeType::S))
        .key_schema(key("pk", KeyType::Hash));
    if sorted {
        request = request
            .attribute_definitions(attribute("sk", ScalarAttributeType::S))
            .key_schema(key("sk", KeyType::Range));
    }
    request.send().await.expect("the table is created");
}
