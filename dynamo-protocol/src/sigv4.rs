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
    let parameters = Parameters::read(header.strip_prefix(SCHEME).ok_or_else(missing)?);
    let mut lacking = String::new();
    let needed = [
        ("Credential", parameters.credential),
        ("Signature", parameters.signature),
        ("SignedHeaders", parameters.signed_headers),
    ];
    for (name, value) in needed {
        if value.is_none() {
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
    let region = parameters.credential.and_then(|credential| credential.split('/').nth(2));
    Ok(region.filter(|region| !region.is_empty()).unwrap_or(REGION_DEFAULT).to_owned())
}

/// The parameters that a header must have; where one is repeated, its first value.
#[derive(Default)]
struct Parameters<'a> {
    credential: Option<&'a str>,
    signature: Option<&'a str>,
    signed_headers: Option<&'a str>,
}

impl<'a> Parameters<'a> {
    /// One pass over the header: it is a third of a small request, and every request has one.
    fn read(header: &'a str) -> Self {
        let mut found = Parameters::default();
        let mut start = 0;
        let ends = memchr::memchr2_iter(b',', b' ', header.as_bytes()).chain([header.len()]);
        for end in ends {
            found.note(&header[start..end]);
            start = end + 1;
        }
        found
    }

    fn note(&mut self, part: &'a str) {
        let (place, value) = if let Some(value) = part.strip_prefix("Credential=") {
            (&mut self.credential, value)
        } else if let Some(value) = part.strip_prefix("Signature=") {
            (&mut self.signature, value)
        } else if let Some(value) = part.strip_prefix("SignedHeaders=") {
            (&mut self.signed_headers, value)
        } else {
            return;
        };
        if place.is_none() && !value.is_empty() {
            *place = Some(value);
        }
    }
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
        let twice = "AWS4-X Credential=,Credential=a/b/c,Credential=d/e/f,,Signature=0=1 SignedHeaders=x";
        assert_eq!(authorize(Some(twice), Some("x")).unwrap(), "c");
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
