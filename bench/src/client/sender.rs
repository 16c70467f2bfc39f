//! Who sends a request: what stands around its body.
//!
//! The heads of boto3 1.43 and of JavaScript 3.1168 (Node 20) are as they were seen on the wire, that of Rust 1.136
//! (aws-runtime 1.10) is as its source makes it, but for the credentials and the host. Signatures are well-formed and made
//! up: servers under test do not verify them.

/// A client of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// Only what every SDK sends.
    Plain,
    /// The SDK for Python.
    Boto3,
    /// The SDK for JavaScript, version 3.
    JavaScript,
    /// The SDK for Rust.
    Rust,
}

/// Operations of the other service, which reads streams.
const STREAM_OPERATIONS: [&str; 4] = ["ListStreams", "DescribeStream", "GetShardIterator", "GetRecords"];

impl Sender {
    /// The SDKs.
    pub const SDKS: [Sender; 3] = [Sender::Boto3, Sender::JavaScript, Sender::Rust];

    /// The head of a POST request for one operation of the API, up to the body.
    pub fn head(self, authority: &str, operation: &str, body_bytes: usize) -> String {
        let service = if STREAM_OPERATIONS.contains(&operation) { "DynamoDBStreams" } else { "DynamoDB" };
        let mut head = "POST / HTTP/1.1\r\n".to_owned();
        for line in self.lines().lines() {
            let line = line.replace("{host}", authority).replace("{length}", &body_bytes.to_string());
            head += &line.replace("{target}", &format!("{service}_20120810.{operation}"));
            head += "\r\n";
        }
        head + "\r\n"
    }

    fn lines(self) -> &'static str {
        match self {
            Sender::Plain => {
                "Host: {host}
X-Amz-Target: {target}
Content-Type: application/x-amz-json-1.0
X-Amz-Date: 20260101T000000Z
Authorization: AWS4-HMAC-SHA256 Credential=bench/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=0000000000000000000000000000000000000000000000000000000000000000
Content-Length: {length}"
            }
            Sender::Boto3 => {
                "Host: {host}
Accept-Encoding: identity
X-Amz-Target: {target}
Content-Type: application/x-amz-json-1.0
User-Agent: Boto3/1.43.11 md/Botocore#1.43.11 ua/2.1 os/linux#6.12.48-generic md/arch#x86_64 lang/python#3.11.7 md/pyimpl#CPython m/D,Z,N,g,P,b cfg/retry-mode#legacy Botocore/1.43.11
X-Amz-Date: 20260101T000000Z
Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=6f6b37e97c3758fe0b7e56205d85f39f112662ba210c4ef8d6d786202d720ab9
amz-sdk-invocation-id: f6e29ed3-86d4-47cb-a7d5-d336e803245d
amz-sdk-request: attempt=1
Content-Length: {length}"
            }
            Sender::JavaScript => {
                "content-type: application/x-amz-json-1.0
x-amz-target: {target}
content-length: {length}
x-amz-user-agent: aws-sdk-js/3.1168.0
user-agent: aws-sdk-js/3.1168.0 ua/2.1 os/linux#6.12.48-generic lang/js md/nodejs#20.20.2 api/dynamodb#3.1168.0 m/N,E,P,g
host: {host}
amz-sdk-invocation-id: e8f39a94-7497-4899-bc5a-479dfaa461e3
amz-sdk-request: attempt=1; max=4
x-amz-date: 20260101T000000Z
x-amz-content-sha256: 1e6506168a4ed6e8624df2759fe310995171d2e4241bacc858afac6fd359766d
authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=amz-sdk-invocation-id;amz-sdk-request;content-length;content-type;host;x-amz-content-sha256;x-amz-date;x-amz-target;x-amz-user-agent, Signature=539b3ed037c75c5020ecd7118bd0dcad5ab30f4301da8be87fb65a4cb9708d51
Connection: keep-alive"
            }
            Sender::Rust => {
                "content-type: application/x-amz-json-1.0
x-amz-target: {target}
content-length: {length}
user-agent: aws-sdk-rust/1.4.0 os/linux lang/rust/1.94.1
x-amz-user-agent: aws-sdk-rust/1.4.0 ua/2.1 api/dynamodb#1.136.0 os/linux lang/rust#1.94.1 m/E,D,N
amz-sdk-invocation-id: 1b2f3c5e-5a0d-4b1c-8f7e-0c9a2d4e6f81
amz-sdk-request: attempt=1; max=3
x-amz-date: 20260101T000000Z
authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=amz-sdk-invocation-id;amz-sdk-request;content-length;content-type;host;x-amz-date;x-amz-target;x-amz-user-agent, Signature=0b1d7f4c2a9e8d6350f1e2c3b4a5968778695a4b3c2d1e0ffedcba9876543210
host: {host}"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_head_says_what_is_asked_of_whom_and_how_long_it_is() {
        for sender in [Sender::Plain].into_iter().chain(Sender::SDKS) {
            let head = sender.head("localhost:8000", "GetRecords", 22);
            assert!(head.starts_with("POST / HTTP/1.1\r\n") && head.ends_with("\r\n\r\n"), "{head}");
            assert!(!head.contains(['{', '}']), "{head}");
            let lower = head.to_ascii_lowercase();
            let named = ["host: localhost:8000\r\n", "content-length: 22\r\n", "x-amz-date: ", "authorization: aws4-"];
            for line in named.into_iter().chain(["x-amz-target: dynamodbstreams_20120810.getrecords\r\n"]) {
                assert_eq!(lower.matches(line).count(), 1, "{line} in {head}");
            }
        }
    }
}
