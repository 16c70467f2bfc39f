//! Replies about a table's settings: tags, time to live, backups; and about the service as a whole.

use dynamo_protocol::error::ApiError;
use dynamo_protocol::json::JsonWriter;

use crate::apply::ddl::DdlOutcome;
use crate::catalog::TableDescriptor;

/// Quotas that DescribeLimits answers: the service's defaults for an account and for a table. Nothing is throttled by
/// them here.
const ACCOUNT_UNITS_MAX: u64 = 80_000;
const TABLE_UNITS_MAX: u64 = 40_000;
/// How long a client may keep an endpoint: a day.
const ENDPOINT_MINUTES: u64 = 1440;

/// TagResource and UntagResource answer nothing at all.
///
/// # Errors
///
/// Where the outcome is none of theirs.
pub fn tag_resource(outcome: &DdlOutcome) -> Result<Vec<u8>, ApiError> {
    match outcome {
        DdlOutcome::Changed { .. } => Ok(Vec::new()),
        _ => Err(ApiError::internal()),
    }
}

/// The body of ListTagsOfResource's reply.
pub fn list_tags_of_resource(table: &TableDescriptor) -> Vec<u8> {
    object(|json| {
        json.key("Tags").begin_array();
        for (key, value) in &table.tags {
            json.begin_object().key("Key").str(key).key("Value").str(value).end_object();
        }
        json.end_array();
    })
}

/// The body of DescribeTimeToLive's reply.
pub fn describe_time_to_live(table: &TableDescriptor) -> Vec<u8> {
    object(|json| {
        json.key("TimeToLiveDescription").begin_object();
        match table.ttl_attribute() {
            Some(attribute) => json.key("TimeToLiveStatus").str("ENABLED").key("AttributeName").str(attribute),
            None => json.key("TimeToLiveStatus").str("DISABLED"),
        };
        json.end_object();
    })
}

/// The body of UpdateTimeToLive's reply: what was asked for.
///
/// # Errors
///
/// Where the outcome is none of UpdateTimeToLive's.
pub fn update_time_to_live(outcome: &DdlOutcome) -> Result<Vec<u8>, ApiError> {
    let DdlOutcome::Changed { after, .. } = outcome else { return Err(ApiError::internal()) };
    let Some(ttl) = &after.ttl else { return Err(ApiError::internal()) };
    Ok(object(|json| {
        json.key("TimeToLiveSpecification").begin_object();
        json.key("AttributeName").str(&ttl.attribute).key("Enabled").bool(ttl.enabled);
        json.end_object();
    }))
}

/// The body of DescribeContinuousBackups' reply: every table has them, and none has point-in-time recovery.
pub fn describe_continuous_backups() -> Vec<u8> {
    object(|json| {
        json.key("ContinuousBackupsDescription").begin_object();
        json.key("ContinuousBackupsStatus").str("ENABLED");
        json.key("PointInTimeRecoveryDescription").begin_object();
        json.key("PointInTimeRecoveryStatus").str("DISABLED");
        json.end_object().end_object();
    })
}

/// The body of DescribeLimits' reply.
pub fn describe_limits() -> Vec<u8> {
    object(|json| {
        json.key("AccountMaxReadCapacityUnits").u64(ACCOUNT_UNITS_MAX);
        json.key("AccountMaxWriteCapacityUnits").u64(ACCOUNT_UNITS_MAX);
        json.key("TableMaxReadCapacityUnits").u64(TABLE_UNITS_MAX);
        json.key("TableMaxWriteCapacityUnits").u64(TABLE_UNITS_MAX);
    })
}

/// The body of DescribeEndpoints' reply: `address` is the host that the client asked, so that it comes back.
pub fn describe_endpoints(address: &str) -> Vec<u8> {
    object(|json| {
        json.key("Endpoints").begin_array().begin_object();
        json.key("Address").str(address).key("CachePeriodInMinutes").u64(ENDPOINT_MINUTES);
        json.end_object().end_array();
    })
}

pub(super) fn object(write: impl FnOnce(&mut JsonWriter<'_>)) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    let mut json = JsonWriter::new(&mut out);
    json.begin_object();
    write(&mut json);
    json.end_object();
    out
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::catalog::fixture;

    fn text(body: Vec<u8>) -> String {
        String::from_utf8(body).unwrap()
    }

    #[test]
    fn bodies() {
        let mut table = fixture::orders();
        assert_eq!(text(list_tags_of_resource(&table)), r#"{"Tags":[{"Key":"team","Value":"sales"}]}"#);
        assert_eq!(
            text(describe_time_to_live(&table)),
            r#"{"TimeToLiveDescription":{"TimeToLiveStatus":"ENABLED","AttributeName":"expires"}}"#
        );
        let changed = DdlOutcome::Changed { before: Arc::new(table.clone()), after: Arc::new(table.clone()) };
        assert_eq!(
            update_time_to_live(&changed).map(text),
            Ok(r#"{"TimeToLiveSpecification":{"AttributeName":"expires","Enabled":true}}"#.to_owned())
        );
        table.ttl = None;
        assert_eq!(text(describe_time_to_live(&table)), r#"{"TimeToLiveDescription":{"TimeToLiveStatus":"DISABLED"}}"#);
        assert_eq!(
            text(describe_endpoints("localhost:8000")),
            r#"{"Endpoints":[{"Address":"localhost:8000","CachePeriodInMinutes":1440}]}"#
        );
        assert_eq!(
            text(describe_continuous_backups()),
            r#"{"ContinuousBackupsDescription":{"ContinuousBackupsStatus":"ENABLED","PointInTimeRecoveryDescription":{"PointInTimeRecoveryStatus":"DISABLED"}}}"#
        );
        assert!(text(describe_limits()).starts_with(r#"{"AccountMaxReadCapacityUnits":80000,"#));
        assert_eq!(tag_resource(&DdlOutcome::Stale), Err(ApiError::internal()));
    }
}
