//! NextToken: where the next page of a SELECT begins.
//!
//! ```text
//! base64( version · digest of statement and parameters (16) · partition (4) · start key (JSON, may be empty) · check (16) )
//! ```
//!
//! The digest binds the token to its statement, and the check is over everything before it: a token that was changed or
//! cut is none. Both are XXH3-128. They guard against mistakes, not attackers: whoever has the token may read the rows.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use dynamo_protocol::error::ApiError;
use dynamo_protocol::json::push_attribute_value;
use dynamo_protocol::ops::read_item;
use dynamo_protocol::value::{AttributeValue, Item};
use xxhash_rust::xxh3::xxh3_128;

/// The first byte of every token.
const VERSION: u8 = 1;

/// Bytes of a digest.
const DIGEST: usize = 16;

/// Where a page begins.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::plan) struct PagePosition {
    /// Which of the partitions that the statement names, from 0.
    pub partition: usize,
    /// Behind the row with this key; from the first row on where there is none.
    pub start_key: Option<Item>,
}

impl PagePosition {
    /// The position in a token of this statement; the first one where there is no token.
    ///
    /// # Errors
    /// A token that is none, or another statement's.
    pub fn read(token: Option<&str>, digest: u128) -> Result<PagePosition, ApiError> {
        let Some(token) = token else { return Ok(PagePosition::default()) };
        let bytes = BASE64.decode(token).map_err(|_| invalid())?;
        let (content, check) = bytes.split_last_chunk::<DIGEST>().ok_or_else(invalid)?;
        if u128::from_be_bytes(*check) != xxh3_128(content) {
            return Err(invalid());
        }
        let (first, rest) = content.split_first().ok_or_else(invalid)?;
        let (theirs, rest) = rest.split_first_chunk::<DIGEST>().ok_or_else(invalid)?;
        let (partition, key) = rest.split_first_chunk::<4>().ok_or_else(invalid)?;
        if *first != VERSION {
            return Err(invalid());
        }
        if u128::from_be_bytes(*theirs) != digest {
            return Err(ApiError::validation("NextToken does not match request"));
        }
        let start_key = (!key.is_empty()).then(|| read_item(key)).transpose().map_err(|_| invalid())?;
        Ok(PagePosition { partition: u32::from_be_bytes(*partition) as usize, start_key })
    }

    /// The token of the position in `partition` behind the row whose key is `start_key`, as JSON; empty for the first row.
    pub fn token(partition: usize, start_key: &[u8], digest: u128) -> String {
        let mut content = vec![VERSION];
        content.extend_from_slice(&digest.to_be_bytes());
        // IN takes a hundred values, so that the number always fits.
        content.extend_from_slice(&u32::try_from(partition).unwrap_or(u32::MAX).to_be_bytes());
        content.extend_from_slice(start_key);
        let check = xxh3_128(&content);
        content.extend_from_slice(&check.to_be_bytes());
        BASE64.encode(content)
    }
}

/// What a token is bound to.
pub(in crate::plan) fn digest(statement: &str, parameters: Option<&Vec<AttributeValue>>) -> u128 {
    let mut bytes = (statement.len() as u64).to_be_bytes().to_vec();
    bytes.extend_from_slice(statement.as_bytes());
    for parameter in parameters.into_iter().flatten() {
        push_attribute_value(&mut bytes, parameter);
        bytes.push(b',');
    }
    xxh3_128(&bytes)
}

fn invalid() -> ApiError {
    ApiError::validation("Invalid NextToken")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_bound_and_tamper_evident() {
        let digest = digest("SELECT", None);
        let token = PagePosition::token(3, br#"{"pk":{"S":"a"}}"#, digest);
        let position = PagePosition::read(Some(&token), digest).unwrap();
        let key = Item::from([("pk".to_owned(), AttributeValue::from("a"))]);
        assert_eq!(position, PagePosition { partition: 3, start_key: Some(key) });
        let text = |result: Result<PagePosition, ApiError>| result.unwrap_err().message().to_owned();
        let other = super::digest("SELECT", Some(&vec![AttributeValue::Null]));
        assert_eq!(text(PagePosition::read(Some(&token), other)), "NextToken does not match request");
        assert_eq!(text(PagePosition::read(Some("garbage"), digest)), "Invalid NextToken");
        let bytes = BASE64.decode(&token).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert_eq!(text(PagePosition::read(Some(&BASE64.encode(&changed)), digest)), "Invalid NextToken");
            assert_eq!(text(PagePosition::read(Some(&BASE64.encode(&bytes[..at])), digest)), "Invalid NextToken");
        }
    }
}
