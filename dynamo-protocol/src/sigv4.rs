//! The signature of AWS Signature Version 4, in the Authorization header or in the address: read, not verified.
//!
//! Any credentials are accepted; what a signature lacks is refused as DynamoDB refuses it. The region of the
//! credential scope is what the caller believes to talk to, and appears in the ARNs that it gets back.
//!
//! Source: AWS, *IAM user guide: Signature Version 4 for API requests*.

use std::borrow::Cow;

use crate::error::{ApiError, ErrorKind};

/// Region of a caller whose credential names none.
pub const REGION_DEFAULT: &str = "us-east-1";

/// What every scheme of version 4 begins with: `AWS4-HMAC-SHA256`, `AWS4-ECDSA-P256-SHA256`.
const SCHEME: &str = "AWS4-";

/// Where a request carries its signature.
#[derive(Clone, Copy, Debug, Default)]
pub struct Credentials<'a> {
    /// The Authorization header.
    pub authorization: Option<&'a str>,
    /// The `X-Amz-Date` or the `Date` header.
    pub date: Option<&'a str>,
    /// The query string of the address, which may be signed in place of the header.
    pub query: Option<&'a str>,
}

/// Checks the parts of a signature and gives the region of its credential scope.
///
/// # Errors
/// MissingAuthenticationTokenException without a signature, IncompleteSignatureException where it lacks a part,
/// InvalidSignatureException where there are two.
pub fn authorize<'a>(credentials: &Credentials<'a>) -> Result<Cow<'a, str>, ApiError> {
    if let Some(query) = credentials.query.map(Query::read).filter(|query| query.algorithm.is_some()) {
        return query.authorize(credentials);
    }
    let missing = || ApiError::new(ErrorKind::MissingAuthenticationToken, "Request is missing Authentication Token");
    let header = credentials.authorization.map(str::trim).filter(|header| !header.is_empty()).ok_or_else(missing)?;
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
    if credentials.date.is_none() {
        lacking.push_str("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ");
    }
    if !lacking.is_empty() {
        return Err(ApiError::new(ErrorKind::IncompleteSignature, format!("{lacking}Authorization={header}")));
    }
    Ok(Cow::Borrowed(region(parameters.credential.and_then(|credential| credential.split('/').nth(2)))))
}

/// The access key that a signature names, empty where it names none. Nothing is checked: whoever wants to can name any.
pub fn access_key<'a>(credentials: &Credentials<'a>) -> &'a str {
    let credential = match credentials.authorization.map(str::trim).and_then(|header| header.strip_prefix(SCHEME)) {
        Some(parameters) => Parameters::read(parameters).credential,
        None => credentials.query.and_then(|query| Query::read(query).credential),
    };
    let end = |credential: &str| credential.find(['/', '%']).unwrap_or(credential.len());
    credential.map_or("", |credential| &credential[..end(credential)])
}

/// The region of a scope: `KEY/20260101/REGION/dynamodb/aws4_request`.
fn region(named: Option<&str>) -> &str {
    named.filter(|region| !region.is_empty()).unwrap_or(REGION_DEFAULT)
}

/// The parameters of a signed address; where one is repeated, its first value.
#[derive(Default)]
struct Query<'a> {
    algorithm: Option<&'a str>,
    credential: Option<&'a str>,
    signature: Option<&'a str>,
    signed_headers: Option<&'a str>,
    date: Option<&'a str>,
}

impl<'a> Query<'a> {
    fn read(query: &'a str) -> Self {
        let mut found = Query::default();
        for (name, value) in query.split('&').map(|part| part.split_once('=').unwrap_or((part, ""))) {
            let place = match name {
                "X-Amz-Algorithm" => &mut found.algorithm,
                "X-Amz-Credential" => &mut found.credential,
                "X-Amz-Signature" => &mut found.signature,
                "X-Amz-SignedHeaders" => &mut found.signed_headers,
                "X-Amz-Date" => &mut found.date,
                _ => continue,
            };
            place.get_or_insert(value);
        }
        found
    }

    fn authorize(&self, credentials: &Credentials<'_>) -> Result<Cow<'a, str>, ApiError> {
        if credentials.authorization.is_some() {
            let text = "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.";
            return Err(ApiError::new(ErrorKind::InvalidSignature, text));
        }
        let mut lacking = String::new();
        let needed = [
            ("X-Amz-Algorithm", self.algorithm),
            ("X-Amz-Credential", self.credential),
            ("X-Amz-Signature", self.signature),
            ("X-Amz-SignedHeaders", self.signed_headers),
            ("X-Amz-Date", self.date.or(credentials.date)),
        ];
        for (name, value) in needed {
            if value.is_none_or(str::is_empty) {
                lacking.push_str(&format!("AWS query-string parameters must include '{name}'. "));
            }
        }
        if !lacking.is_empty() {
            lacking.push_str("Re-examine the query-string parameters.");
            return Err(ApiError::new(ErrorKind::IncompleteSignature, lacking));
        }
        // The slashes between a scope's parts are escaped in an address, or are not.
        let scope = self.credential.unwrap_or_default().replace("%2F", "/").replace("%2f", "/");
        Ok(Cow::Owned(region(scope.split('/').nth(2)).to_owned()))
    }
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

    fn authorize<'a>(authorization: Option<&'a str>, date: Option<&'a str>) -> Result<Cow<'a, str>, ApiError> {
        super::authorize(&Credentials { authorization, date, query: None })
    }

    #[test]
    fn a_signed_address() {
        let signed = |query: &str, authorization| {
            super::authorize(&Credentials { authorization, date: None, query: Some(query) }).map(Cow::into_owned)
        };
        let all = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID%2F20260101%2Feu-west-1%2Fdynamodb\
                   &X-Amz-Date=20260101T000000Z&X-Amz-SignedHeaders=host&X-Amz-Signature=00";
        assert_eq!(signed(all, None).unwrap(), "eu-west-1");
        let both = signed(all, Some(FULL)).unwrap_err();
        assert_eq!(both.kind(), ErrorKind::InvalidSignature);
        let lacking = signed("X-Amz-Algorithm=&X-Amz-Date=1&X-Amz-Signature=2", None).unwrap_err();
        assert_eq!(
            lacking.message(),
            "AWS query-string parameters must include 'X-Amz-Algorithm'. AWS query-string parameters must include \
             'X-Amz-Credential'. AWS query-string parameters must include 'X-Amz-SignedHeaders'. Re-examine the \
             query-string parameters."
        );
        // A name without a value is there, too.
        let bare = |authorization| signed("X-Amz-Algorithm", authorization).unwrap_err().kind();
        assert_eq!([bare(None), bare(Some(FULL))], [ErrorKind::IncompleteSignature, ErrorKind::InvalidSignature]);
        // Another query is no signature.
        let error = signed("X-Amz-Credential=a", None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::MissingAuthenticationToken);
        assert!(signed("a=b", Some(FULL)).is_err_and(|error| error.kind() == ErrorKind::IncompleteSignature));
    }

    #[test]
    fn region_of_the_scope() {
        assert_eq!(authorize(Some(FULL), Some("20260101T000000Z")).unwrap(), "eu-west-1");
        let odd = "AWS4-HMAC-SHA256 Credential=x,SignedHeaders=host,Signature=0";
        assert_eq!(authorize(Some(odd), Some("x")).unwrap(), REGION_DEFAULT);
        let twice = "AWS4-X Credential=,Credential=a/b/c,Credential=d/e/f,,Signature=0=1 SignedHeaders=x";
        assert_eq!(authorize(Some(twice), Some("x")).unwrap(), "c");
    }

    #[test]
    fn the_access_key() {
        let key = |authorization, query| access_key(&Credentials { authorization, date: None, query });
        assert_eq!(key(Some(FULL), None), "AKID");
        assert_eq!(key(None, Some("X-Amz-Credential=AKID%2F20260101%2Feu-west-1")), "AKID");
        assert_eq!(key(None, Some("X-Amz-Credential=AKID/20260101")), "AKID");
        assert_eq!([key(None, None), key(Some("Bearer a"), None), key(None, Some("a=b"))], [""; 3]);
    }

    #[test]
    fn missing_parameters_are_named() {
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
