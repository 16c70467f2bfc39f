//! What requests are answered before any table is looked at, word for word.
//!
//! Each file in `validation/` holds cases: comments (`#`) that explain, the operation and its body, and behind `->` what
//! comes out. `UPDATE_SCRIPTS=1 cargo test -p dynamo-protocol` writes the present answers into the files; the diff is
//! what is reviewed. `(32 levels)` in a body stands for a value nested that deep, `(256 a)` for so many letters.

use std::fmt::Write as _;
use std::path::Path;

use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::*;

macro_rules! answer {
    ($operation:expr, $body:expr, $($name:ident => $input:ident,)*) => {
        match $operation {
            // The operations that hand out their bad values, see there.
            "Scan" => shown(ScanInput::from_json($body).and_then(|input| input.bad_start_key.map_or(Ok(()), Err))),
            "TransactWriteItems" => shown(TransactWriteItemsInput::from_json($body).and_then(|input| {
                input.bad_value.map_or(Ok(()), |(_, error)| Err(error))
            })),
            $(stringify!($name) => shown($input::from_json($body)),)*
            other => panic!("no operation {other}"),
        }
    };
}

fn answer(operation: &str, body: &str) -> String {
    answer!(operation, body.as_bytes(),
        PutItem => PutItemInput,
        GetItem => GetItemInput,
        UpdateItem => UpdateItemInput,
        DeleteItem => DeleteItemInput,
        Query => QueryInput,
        BatchGetItem => BatchGetItemInput,
        BatchWriteItem => BatchWriteItemInput,
        TransactGetItems => TransactGetItemsInput,
        CreateTable => CreateTableInput,
        UpdateTable => UpdateTableInput,
        DeleteTable => DeleteTableInput,
        DescribeTable => DescribeTableInput,
        ListTables => ListTablesInput,
        DescribeLimits => DescribeLimitsInput,
        DescribeEndpoints => DescribeEndpointsInput,
        TagResource => TagResourceInput,
        UntagResource => UntagResourceInput,
        ListTagsOfResource => ListTagsOfResourceInput,
        DescribeTimeToLive => DescribeTimeToLiveInput,
        UpdateTimeToLive => UpdateTimeToLiveInput,
        DescribeContinuousBackups => DescribeContinuousBackupsInput,
        ListStreams => ListStreamsInput,
        DescribeStream => DescribeStreamInput,
        GetShardIterator => GetShardIteratorInput,
        GetRecords => GetRecordsInput,
    )
}

fn shown<T>(result: Result<T, ApiError>) -> String {
    match result {
        Ok(_) => "accepted".to_owned(),
        Err(error) if error.message().is_empty() => error.to_string().trim_end_matches(": ").to_owned(),
        Err(error) if error.message().ends_with(' ') => format!("{}(space)", error.to_string().trim_end()),
        Err(error) => error.to_string(),
    }
}

/// Replaces `(40 levels)` and `(256 a)` by what they stand for.
fn expanded(body: &str) -> String {
    let mut out = String::new();
    let mut rest = body;
    while let Some(start) = rest.find('(') {
        let end = start + rest[start..].find(')').expect("a closing parenthesis");
        out.push_str(&rest[..start]);
        match rest[start + 1..end].split_once(' ') {
            Some((count, "levels")) => {
                let wraps = count.parse::<usize>().unwrap() - 1;
                out.push_str(&format!("{}{{\"S\":\"leaf\"}}{}", "{\"M\":{\"n\":".repeat(wraps), "}}".repeat(wraps)));
            }
            Some((count, letters)) => out.push_str(&letters.repeat(count.parse().unwrap())),
            None => panic!("unknown shorthand in {body}"),
        }
        rest = &rest[end + 1..];
    }
    out + rest
}

fn run(path: &Path) {
    let script = std::fs::read_to_string(path).unwrap();
    let mut renewed = String::new();
    let mut request: Option<&str> = None;
    for line in script.lines() {
        match (request, line.strip_prefix("-> ")) {
            (Some(request_line), _) => {
                let (operation, body) = request_line.split_once(' ').unwrap_or((request_line, ""));
                writeln!(renewed, "-> {}", answer(operation, &expanded(body))).unwrap();
                request = None;
                if line.starts_with("-> ") {
                    continue;
                }
            }
            (None, Some(_)) => panic!("an answer without a request in {}", path.display()),
            (None, None) => {}
        }
        renewed.push_str(line);
        renewed.push('\n');
        request = (!line.is_empty() && !line.starts_with('#')).then_some(line);
    }
    if std::env::var_os("UPDATE_SCRIPTS").is_some() {
        return std::fs::write(path, &renewed).unwrap();
    }
    for (line, (expected, given)) in script.lines().zip(renewed.lines()).enumerate() {
        assert_eq!(given, expected, "{}:{}", path.display(), line + 1);
    }
    assert_eq!(script, renewed, "{}", path.display());
}

#[test]
fn every_script() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/validation");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty());
    paths.iter().for_each(|path| run(path));
}

/// Attribute names of 65,535 bytes and no more, wherever a request has them; too long to be written into a script.
#[test]
fn names_have_a_bound() {
    let bodies = [
        ("PutItem", r#"{"TableName":"abc","Item":{"NAME":{"S":"x"}}}"#),
        ("PutItem", r#"{"TableName":"abc","Item":{"a":{"M":{"NAME":{"S":"x"}}}}}"#),
        ("GetItem", r#"{"TableName":"abc","Key":{"a":{"S":"x"}},"AttributesToGet":["NAME"]}"#),
        (
            "GetItem",
            r##"{"TableName":"abc","Key":{"a":{"S":"x"}},"ProjectionExpression":"#n","ExpressionAttributeNames":{"#n":"NAME"}}"##,
        ),
        ("UpdateItem", r#"{"TableName":"abc","Key":{"a":{"S":"x"}},"AttributeUpdates":{"NAME":{"Action":"DELETE"}}}"#),
        ("BatchGetItem", r#"{"RequestItems":{"abc":{"Keys":[{"NAME":{"S":"x"}}]}}}"#),
    ];
    for (operation, body) in bodies {
        assert_eq!(answer(operation, &body.replace("NAME", &"n".repeat(65_535))), "accepted", "{operation} {body}");
        let refused = answer(operation, &body.replace("NAME", &"n".repeat(65_536)));
        let expected = "1 validation error detected: Attribute name is too large, must be less than 65536 bytes";
        assert_eq!(refused, format!("ValidationException: {expected}"), "{operation} {body}");
    }
}
