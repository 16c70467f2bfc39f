//! Table ARNs: `arn:aws:dynamodb:REGION:ACCOUNT:table/NAME`, accepted wherever a table is named.

use crate::limits::{NAME_LENGTH_MAX, NAME_LENGTH_MIN};
use crate::shapes::rules::is_name;

/// Partition of the ARNs that this server gives out.
pub const PARTITION: &str = "aws";
/// Account of the ARNs that this server gives out; as DynamoDB Local does.
pub const ACCOUNT: &str = "000000000000";

/// The parts of a table's or an index's ARN that tell what it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableArn<'a> {
    /// Region.
    pub region: &'a str,
    /// Account.
    pub account: &'a str,
    /// Name of the table.
    pub table: &'a str,
    /// What follows the table: `index/NAME`, `stream/LABEL`; empty for the table itself.
    pub rest: &'a str,
}

impl<'a> TableArn<'a> {
    /// Takes an ARN apart; `None` if it is not the ARN of a DynamoDB table or of something in one.
    pub fn parse(text: &'a str) -> Option<TableArn<'a>> {
        let mut parts = text.splitn(6, ':');
        let (arn, _partition, service) = (parts.next()?, parts.next()?, parts.next()?);
        let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
        if arn != "arn" || service != "dynamodb" {
            return None;
        }
        let named = resource.strip_prefix("table/")?;
        let (table, rest) = named.split_once('/').unwrap_or((named, ""));
        (!table.is_empty()).then_some(TableArn { region, account, table, rest })
    }
}

/// The parts of a stream's ARN that tell which it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamArn<'a> {
    /// Name of the table.
    pub table: &'a str,
    /// Label of the stream.
    pub label: &'a str,
}

impl<'a> StreamArn<'a> {
    /// Takes an ARN apart; `None` if it is not the ARN of a DynamoDB stream. Region and account are those of whoever wrote
    /// it.
    pub fn parse(text: &'a str) -> Option<StreamArn<'a>> {
        let arn = TableArn::parse(text)?;
        let label = arn.rest.strip_prefix("stream/").filter(|label| !label.is_empty())?;
        let known = (NAME_LENGTH_MIN..=NAME_LENGTH_MAX).contains(&arn.table.len()) && is_name(arn.table);
        known.then_some(StreamArn { table: arn.table, label })
    }
}

/// The name in a `TableName` parameter, which may be a name or an ARN. The ARN of something within a table names no
/// table, and comes back as it is, as does whatever else is no table's ARN: no table is called so.
pub fn table_name(name_or_arn: &str) -> &str {
    if !name_or_arn.starts_with("arn:") {
        return name_or_arn;
    }
    TableArn::parse(name_or_arn).filter(|arn| arn.rest.is_empty()).map_or(name_or_arn, |arn| arn.table)
}

/// The ARN of a table.
pub fn table_arn(region: &str, account: &str, table: &str) -> String {
    format!("arn:{PARTITION}:dynamodb:{region}:{account}:table/{table}")
}

/// The ARN of an index.
pub fn index_arn(region: &str, account: &str, table: &str, index: &str) -> String {
    format!("arn:{PARTITION}:dynamodb:{region}:{account}:table/{table}/index/{index}")
}

/// The ARN of a stream.
pub fn stream_arn(region: &str, account: &str, table: &str, label: &str) -> String {
    format!("arn:{PARTITION}:dynamodb:{region}:{account}:table/{table}/stream/{label}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_arns() {
        assert_eq!(table_name("orders"), "orders");
        assert_eq!(table_name(&table_arn("eu-west-1", ACCOUNT, "orders")), "orders");
        let index = index_arn("ddblocal", ACCOUNT, "orders", "by_date");
        let parsed = TableArn::parse(&index).unwrap();
        assert_eq!((parsed.region, parsed.table, parsed.rest), ("ddblocal", "orders", "index/by_date"));
        assert_eq!(table_name(&index), index);
        assert_eq!(table_name("arn:aws:s3:::bucket"), "arn:aws:s3:::bucket");
    }

    #[test]
    fn streams() {
        let arn = stream_arn("ddblocal", ACCOUNT, "orders", "2026-01-01T00:00:00.000");
        let parsed = StreamArn { table: "orders", label: "2026-01-01T00:00:00.000" };
        assert_eq!(StreamArn::parse(&arn), Some(parsed));
        for other in ["garbage", &table_arn("r", ACCOUNT, "orders"), &index_arn("r", ACCOUNT, "orders", "by_date")] {
            assert_eq!(StreamArn::parse(other), None, "{other}");
        }
        for (table, label) in [("orders", ""), ("or", "2026"), ("or:ders", "2026")] {
            assert_eq!(StreamArn::parse(&stream_arn("r", ACCOUNT, table, label)), None, "{table} {label}");
        }
    }
}
