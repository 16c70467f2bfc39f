//! Resource ARNs, by which the tag operations name tables.

use dynamo_protocol::arn::TableArn;
use dynamo_protocol::error::ApiError;
use dynamo_protocol::limits::{NAME_LENGTH_MAX, NAME_LENGTH_MIN};

use super::invalid;

/// The table that a resource ARN names. Any region and account will do: there is one shared database.
///
/// Source: the service's answers, recorded in October 2026; before, it denied access to malformed ARNs.
pub(crate) fn table_name(arn: &str) -> Result<&str, ApiError> {
    if !arn.starts_with("arn:") {
        return Err(invalid(format_args!("ARNs must start with 'arn:': {arn}")));
    }
    let foreign = || invalid(format_args!("Provided Arn is not a DynamoDB resource arn: {arn}"));
    if arn.split(':').nth(2) != Some("dynamodb") {
        return Err(foreign());
    }
    let malformed = || ApiError::validation(format!("Invalid TableArn: Invalid ResourceArn provided as input {arn}"));
    let parsed = TableArn::parse(arn).ok_or_else(malformed)?;
    if parsed.rest.starts_with("backup/") {
        return Err(foreign());
    }
    if parsed.rest.starts_with("stream/") {
        // Not even those that there are have tags.
        return Err(not_found(arn));
    }
    if !parsed.rest.is_empty() {
        return Err(invalid(format_args!(
            "Invalid resource arn provided, only table or stream is accepted. Provided resource arn: {arn}"
        )));
    }
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    let length = parsed.table.len();
    if !(NAME_LENGTH_MIN..=NAME_LENGTH_MAX).contains(&length) || !parsed.table.bytes().all(known) {
        return Err(malformed());
    }
    Ok(parsed.table)
}

/// No table of that ARN.
pub(crate) fn not_found(arn: &str) -> ApiError {
    ApiError::resource_not_found(format!("Requested resource not found: ResourceArn: {arn} not found"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns() {
        let table = "arn:aws:dynamodb:us-east-1:000000000000:table/";
        assert_eq!(table_name(&format!("{table}abc")), Ok("abc"));
        for (arn, expected) in [
            (
                "not-a-valid-arn".to_owned(),
                "One or more parameter values were invalid: ARNs must start with 'arn:': not-a-valid-arn".to_owned(),
            ),
            (
                "arn:aws:s3:::b".to_owned(),
                "One or more parameter values were invalid: Provided Arn is not a DynamoDB resource arn: arn:aws:s3:::b"
                    .to_owned(),
            ),
            (
                format!("{table}abc/stream/2026-01-01T00:00:00.000"),
                format!(
                    "Requested resource not found: ResourceArn: {table}abc/stream/2026-01-01T00:00:00.000 not found"
                ),
            ),
            (
                format!("{table}abc/backup/01791502292805-00000000"),
                format!(
                    "One or more parameter values were invalid: Provided Arn is not a DynamoDB resource arn: \
                     {table}abc/backup/01791502292805-00000000"
                ),
            ),
            (format!("{table}ab"), format!("Invalid TableArn: Invalid ResourceArn provided as input {table}ab")),
            (
                format!("{table}abc/index/x"),
                format!(
                    "One or more parameter values were invalid: Invalid resource arn provided, only table or stream is \
                     accepted. Provided resource arn: {table}abc/index/x"
                ),
            ),
        ] {
            assert_eq!(table_name(&arn).map_err(|error| error.message().to_owned()), Err(expected));
        }
    }
}
