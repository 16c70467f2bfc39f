//! The Authorization header of AWS Signature Version 4: read, not verified.
//!
//! Any credentials are accepted; what is missing from the header is refused as DynamoDB refuses it. The region of the
//! credential scope is what the caller believes to talk to, and appears in the ARNs that it gets back.
//!
//! Source: AWS, *IAM user guide: Signature Version 4 for API requests*.

use crate::error::{ApiError, ErrorKind};

/// Region of a caller whose credential names none.
pub const REGION_DEFAULT: &str = "us-east-1";

/// What every scheme of version 4 begins with: `AWS4-HMAC-SHA256`, `AWS4-ECDSA-P256-SHA256`.
const SCHEME: &str = "AWS4-";

/// Checks the Authorization header's parts and gives the region of its credential scope. `date` is the `X-Amz-Date`
/// or `Date` header.
///
/// # Errors
/// MissingAuthenticationTokenException without a signature; IncompleteSignatureException where it lacks a part.
pub fn authorize(authorization: Option<&str>, date: Option<&str>) -> Result<String, ApiError> {
    let missing = || ApiError::new(ErrorKind::MissingAuthenticationToken, "Request is missing Authentication Token");
    let header = authorization.map(str::trim).filter(|header| !header.is_empty()).ok_or_else(missing)?;
    let parameters = header.strip_prefix(SCHEME).ok_or_else(missing)?;
    let parameter = |name: &str| {
        parameters
            .split([',', ' '])
            .filter_map(|part| part.split_once('='))
            .find_map(|(key, value)| (key == name && !value.is_empty()).then_some(value))
    };
    let mut lacking = String::new();
    for name in ["Credential", "Signature", "SignedHeaders"] {
        if parameter(name).is_none() {
            lacking.push_str(&format!("Authorization header requires '{name}' parameter. "));
        }
    }
    if date.is_none() {
        lacking.push_str("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ");
    }
    if !lacking.is_empty() {
        return Err(ApiError::new(ErrorKind::IncompleteSignature, format!("{lacking}Authorization={header}")));
    }
    // Credential=KEY/20260101/REGION/dynamodb/aws4_request
    let region = parameter("Credential").and_then(|credential| credential.split('/').nth(2));
    Ok(region.filter(|region| !region.is_empty()).unwrap_or(REGION_DEFAULT).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: &str = "AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-west-1/dynamodb/aws4_request, \
                        SignedHeaders=host;x-amz-date, Signature=00ff";

    #[test]
    fn region_of_the_scope() {
        assert_eq!(authorize(Some(FULL), Some("20260101T000000Z")).unwrap(), "eu-west-1");
        let odd = "AWS4-HMAC-SHA256 Credential=x,SignedHeaders=host,Signature=0";
        assert_eq!(authorize(Some(odd), Some("x")).unwrap(), REGION_DEFAULT);
    }

    #[test]
    fn what_is_missing() {
        for header in [None, Some(""), Some("Bearer abc"), Some("AWS4")] {
            let error = authorize(header, Some("x")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::MissingAuthenticationToken);
            assert_eq!(error.message(), "Request is missing Authentication Token");
        }
        let error = authorize(Some("AWS4-"), Some("x")).unwrap_err();
        assert!(error.message().ends_with("requires 'SignedHeaders' parameter. Authorization=AWS4-"));
        let error = authorize(Some("AWS4-HMAC-SHA256 Credential=a/b/c/d/e"), None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::IncompleteSignature);
        assert_eq!(
            error.message(),
            "Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' \
             parameter. Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. \
             Authorization=AWS4-HMAC-SHA256 Credential=a/b/c/d/e"
        );
    }
}
