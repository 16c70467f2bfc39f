//! Who asks, and in which region: what a plan needs to know of a request beyond its body.

use std::borrow::Cow;

/// The account that owns everything, until there are principals.
pub const ACCOUNT: &str = dynamo_protocol::arn::ACCOUNT;

/// The region of a request whose credentials name none.
pub const REGION_DEFAULT: &str = "us-east-1";

/// The context of one request, from decode to reply.
///
/// There is one shared database whatever the region and the access key say; the region only shows in the ARNs of the
/// reply, so that a client finds the region that it configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestContext<'a> {
    /// The region named in the request's credential scope.
    pub region: Cow<'a, str>,
    /// The account, twelve digits.
    pub account: &'static str,
    /// Wall time in milliseconds since 1970; 0 where the reply does not depend on it.
    pub now_ms: u64,
}

impl Default for RequestContext<'_> {
    fn default() -> Self {
        RequestContext { region: REGION_DEFAULT.into(), account: ACCOUNT, now_ms: 0 }
    }
}

impl<'a> RequestContext<'a> {
    /// The context of a request signed for `region`; an empty region is the default one.
    pub fn for_region(region: &'a str) -> Self {
        let region = if region.is_empty() { REGION_DEFAULT } else { region };
        RequestContext { region: region.into(), ..RequestContext::default() }
    }

    /// The same, without anything borrowed.
    pub fn into_owned(self) -> RequestContext<'static> {
        RequestContext { region: self.region.into_owned().into(), account: self.account, now_ms: self.now_ms }
    }

    /// `arn:aws:dynamodb:REGION:ACCOUNT:table/NAME`.
    pub fn table_arn(&self, table: &str) -> String {
        format!("arn:{}:dynamodb:{}:{}:table/{table}", partition(&self.region), self.region, self.account)
    }

    /// The table's ARN followed by `/index/NAME`.
    pub fn index_arn(&self, table: &str, index: &str) -> String {
        format!("{}/index/{index}", self.table_arn(table))
    }

    /// The table's ARN followed by `/stream/LABEL`.
    pub fn stream_arn(&self, table: &str, label: &str) -> String {
        format!("{}/stream/{label}", self.table_arn(table))
    }

    /// The ARN of a key named by ARN, alias or id; of the account's own key for DynamoDB where none is named.
    pub fn kms_key_arn(&self, key: Option<&str>) -> String {
        match key {
            Some(arn) if arn.starts_with("arn:") => arn.to_owned(),
            named => {
                let resource = kms_key_resource(named);
                format!("arn:{}:kms:{}:{}:{resource}", partition(&self.region), self.region, self.account)
            }
        }
    }
}

/// The last part of the ARN of a key named by ARN, alias or id; of the account's own key where none is named.
pub fn kms_key_resource(key: Option<&str>) -> String {
    const MANAGED_KEY: &str = "6b21fe4d-0d4f-4f0a-9a3b-2f6d3a7c5e10";
    match key {
        Some(arn) if arn.starts_with("arn:") => arn.rsplit(':').next().unwrap_or_default().to_owned(),
        Some(alias) if alias.starts_with("alias/") => alias.to_owned(),
        named => format!("key/{}", named.unwrap_or(MANAGED_KEY)),
    }
}

/// The partition of AWS that a region lies in; the first word of an ARN after `arn`.
fn partition(region: &str) -> &'static str {
    if region.starts_with("cn-") {
        "aws-cn"
    } else if region.starts_with("us-gov-") {
        "aws-us-gov"
    } else {
        "aws"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns() {
        let here = RequestContext::for_region("eu-west-1");
        assert_eq!(here.index_arn("t", "i"), "arn:aws:dynamodb:eu-west-1:000000000000:table/t/index/i");
        assert_eq!(RequestContext::for_region("").region, "us-east-1");
        assert!(RequestContext::for_region("cn-north-1").table_arn("t").starts_with("arn:aws-cn:"));
    }
}
